import { z } from 'zod';
import { type Module, parameter } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, interval, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp, headDim } from './decoder.js';

const keys = {
  ...decoderKeys({
    vocab_size: 256000,
    hidden_size: 8192,
    intermediate_size: 22528,
    num_hidden_layers: 40,
    num_attention_heads: 64,
    pad_token_id: 0,
    tie_word_embeddings: true,
  }),
  attention_bias: flag().default(false),
};

const config = z
  .looseObject({
    ...keys,
    head_dim: size().optional(),
    use_qk_norm: flag().nullable().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** A norm of all heads at once, each with a scale of its own. */
const headNorm = (heads: number, width: number): Module => ({
  kind: 'RMSNorm',
  own: { weight: parameter([heads, width], 'ones') },
});

/** Command R (Cohere 2024), initialized as Llama is: one norm a layer, without a bias. */
export const cohere = defineArchitecture({
  model_type: 'cohere',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Cohere',
    {
      layer: (config) => ({
        self_attn: attention(config, {
          bias: config.attention_bias,
          ...(config.use_qk_norm && { norms: (heads: number) => headNorm(heads, headDim(config)) }),
        }),
        mlp: gatedMlp(config),
        input_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { sequences: false, tokens: false },
  ),
});

const config2 = z
  .looseObject({
    ...keys,
    head_dim: size().optional(),
    sliding_window_pattern: interval().optional(),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Command R7B and Command A (Cohere 2024): Cohere without norms of queries and keys; three of four layers see a window only. */
export const cohere2 = defineArchitecture({
  model_type: 'cohere2',
  config: config2,
  classes: decoderFamily<z.output<typeof config2>>(
    'Cohere2',
    {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.attention_bias }),
        mlp: gatedMlp(config),
        input_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { sequences: false, tokens: false },
  ),
});
