import { z } from 'zod';
import { container, type Module } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';
import { expertCount, expertRules, expertsApart, expertsFit, mixture } from './experts.js';

const keys = (sizes: { hidden_size: number; intermediate_size: number; layers: number; heads: number }) => ({
  ...decoderKeys({
    vocab_size: 50304,
    hidden_size: sizes.hidden_size,
    intermediate_size: sizes.intermediate_size,
    num_hidden_layers: sizes.layers,
    num_attention_heads: sizes.heads,
    pad_token_id: 1,
    tie_word_embeddings: false,
  }),
  head_dim: size().optional(),
  attention_bias: flag().default(false),
});

const config = z
  .looseObject(keys({ hidden_size: 4096, intermediate_size: 11008, layers: 32, heads: 32 }))
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** OLMo (Groeneveld et al. 2024), initialized as Llama is: its norms have no weights. */
export const olmo = defineArchitecture({
  model_type: 'olmo',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Olmo',
    {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.attention_bias }),
        mlp: gatedMlp(config),
      }),
      norm: () => container('OlmoLayerNorm', {}),
    },
    { tokens: false },
  ),
});

const expertsConfig = z
  .looseObject({
    ...keys({ hidden_size: 2048, intermediate_size: 2048, layers: 16, heads: 16 }),
    num_experts: expertCount().default(64),
  })
  .refine(...paddingFits)
  .refine(...expertsFit('num_experts'))
  .superRefine(headsRotate);

/** OLMoE (Muennighoff et al. 2024): OLMo with experts, norms with weights, and norms over all queries and all keys. */
export const olmoe = defineArchitecture({
  model_type: 'olmoe',
  config: expertsConfig,
  prepare: aliases({ num_local_experts: 'num_experts' }),
  classes: decoderFamily<z.output<typeof expertsConfig>>(
    'Olmoe',
    {
      layer: (config) => {
        const { hidden_size: width, num_attention_heads, num_experts, intermediate_size } = config;
        const head = Math.floor(width / num_attention_heads);
        const { children } = attention(config, { bias: config.attention_bias });
        return {
          self_attn: container('Attention', {
            ...(children as Record<string, Module>),
            q_norm: rmsNorm(width),
            k_norm: rmsNorm(head * (config.num_key_value_heads ?? num_attention_heads)),
          }),
          mlp: mixture(num_experts, width, intermediate_size),
          input_layernorm: rmsNorm(width),
          post_attention_layernorm: rmsNorm(width),
        };
      },
      norm: rmsNorm,
      rules: expertRules,
    },
    { sequences: false, tokens: false },
  ),
  saved: expertsApart(),
});
