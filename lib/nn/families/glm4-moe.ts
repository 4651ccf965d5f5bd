import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, type Decoder, decoderFamily, decoderKeys, gatedMlp, headDim } from './decoder.js';
import { mixture } from './deepseek-v3.js';
import { expertCount, expertRules, expertsApart, expertsFit } from './experts.js';
import { predicting } from './predictors.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 151552,
      hidden_size: 4096,
      intermediate_size: 10944,
      num_hidden_layers: 46,
      num_attention_heads: 96,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(8),
    head_dim: size().optional(),
    moe_intermediate_size: size().default(1408),
    n_shared_experts: size().default(1),
    n_routed_experts: expertCount().default(128),
    first_k_dense_replace: z.int({ error: 'a whole number' }).default(1),
    attention_bias: flag().default(false),
    use_qk_norm: flag().default(false),
  })
  .refine(...expertsFit('n_routed_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

const decoder: Decoder<Config> = {
  layer: (config, index) => ({
    self_attn: attention(config, {
      bias: config.attention_bias,
      outputBias: false,
      ...(config.use_qk_norm && { norms: () => rmsNorm(headDim(config)) }),
    }),
    mlp: index >= config.first_k_dense_replace ? mixture(config, 'float32') : gatedMlp(config),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
  rules: expertRules,
};

/** GLM-4.5 and 4.6 (Zhipu AI 2025): DeepSeek-V3's mixtures, and its layers that predict further tokens. */
export const glm4Moe = defineArchitecture({
  model_type: 'glm4_moe',
  config,
  prepare: aliases({ num_local_experts: 'n_routed_experts' }),
  classes: decoderFamily('Glm4Moe', decoder, { sequences: false, tokens: false }),
  predict: predicting(decoder),
  saved: expertsApart(),
});
