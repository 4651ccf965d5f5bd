import { z } from 'zod';
import { container, type Module } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

const defaults = {
  vocab_size: 128256,
  hidden_size: 2560,
  intermediate_size: 6912,
  num_hidden_layers: 30,
  num_attention_heads: 20,
  pad_token_id: null,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().nullable().default(5),
    head_dim: size().optional(),
    attention_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

const withNorm = ({ kind, children }: Module, norm: Readonly<Record<string, Module>>): Module =>
  container(kind, { ...(children as Record<string, Module>), ...norm });

/** BitNet b1.58 (Ma et al. 2025), initialized as Llama is: a norm before each projection back. Its weights here are those of training. */
export const bitnet = defineArchitecture({
  model_type: 'bitnet',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'BitNet',
    {
      layer: (config) => {
        const { hidden_size: width, intermediate_size: inner, attention_bias: bias } = config;
        return {
          self_attn: withNorm(attention(config, { bias }), { attn_sub_norm: rmsNorm(width) }),
          mlp: withNorm(gatedMlp(config), { ffn_sub_norm: rmsNorm(inner) }),
          input_layernorm: rmsNorm(width),
          post_attention_layernorm: rmsNorm(width),
        };
      },
      norm: rmsNorm,
    },
    { sequences: false, tokens: false },
  ),
});
