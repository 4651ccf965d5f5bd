import { z } from 'zod';
import { container } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size, std } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 49152,
      hidden_size: 3072,
      intermediate_size: 12288,
      num_hidden_layers: 30,
      num_attention_heads: 24,
      pad_token_id: null,
      tie_word_embeddings: true,
    }),
    num_key_value_heads: size().default(2),
    initializer_range: std().default(0.018042),
    use_bias: flag().default(true),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** StarCoder2 (Lozhkov et al. 2024): biases, LayerNorm, and an MLP without a gate. */
export const starcoder2 = defineArchitecture({
  model_type: 'starcoder2',
  config,
  classes: decoderFamily<z.output<typeof config>>('Starcoder2', {
    layer: (config) => ({
      self_attn: attention(config, { bias: config.use_bias }),
      mlp: container('MLP', {
        c_fc: linear(config.hidden_size, config.intermediate_size, config.use_bias),
        c_proj: linear(config.intermediate_size, config.hidden_size, config.use_bias),
      }),
      input_layernorm: layerNorm(config.hidden_size),
      post_attention_layernorm: layerNorm(config.hidden_size),
    }),
    norm: layerNorm,
  }),
});
