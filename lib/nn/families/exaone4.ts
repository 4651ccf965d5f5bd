import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp, headDim } from './decoder.js';

const defaults = {
  vocab_size: 102400,
  hidden_size: 4096,
  intermediate_size: 16384,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  pad_token_id: null,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().default(32),
    head_dim: size().optional(),
    layer_types: z.array(z.string()).nullish(),
    sliding_window: z.int().nullable().default(4096),
    sliding_window_pattern: z.union([z.int(), z.string()]).nullable().default(4),
  })
  .refine(...paddingFits)
  .refine(
    ({ layer_types, num_hidden_layers, sliding_window, sliding_window_pattern: every }) =>
      layer_types != null ||
      num_hidden_layers === 0 ||
      (sliding_window !== null && typeof every === 'number' && every !== 0),
    {
      path: ['layer_types'],
      error: 'the kinds of all layers, or a sliding_window and every how many layers attend to all',
    },
  )
  .superRefine(headsRotate);

/** EXAONE 4 (LG 2025), initialized as Llama is: norms after each block, and of each head's queries and keys. */
export const exaone4 = defineArchitecture({
  model_type: 'exaone4',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Exaone4',
    {
      layer: (config) => ({
        self_attn: attention(config, { norms: () => rmsNorm(headDim(config)) }),
        mlp: gatedMlp(config),
        post_attention_layernorm: rmsNorm(config.hidden_size),
        post_feedforward_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { answers: 'transformer' },
  ),
});
