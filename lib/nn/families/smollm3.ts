import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, interval, optionalSize, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 128256,
      hidden_size: 2048,
      intermediate_size: 11008,
      num_hidden_layers: 36,
      num_attention_heads: 16,
      pad_token_id: 128004,
      tie_word_embeddings: true,
    }),
    num_key_value_heads: optionalSize().default(4),
    head_dim: size().optional(),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
    no_rope_layer_interval: interval().default(4),
    no_rope_layers: z.array(z.unknown(), { error: 'an array, or null' }).nullish(),
  })
  .refine(...paddingFits)
  .refine(({ no_rope_layers: given, num_hidden_layers: count }) => given == null || given.length >= count, {
    path: ['no_rope_layers'],
    error: 'as many as num_hidden_layers says',
  })
  .superRefine(headsRotate);

/** SmolLM3 (Hugging Face 2025), initialized as Llama is; layers without rotary positions have the same tensors. */
export const smollm3 = defineArchitecture({
  model_type: 'smollm3',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'SmolLM3',
    {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.attention_bias }),
        mlp: gatedMlp(config, config.mlp_bias),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { answers: 'transformer' },
  ),
});
