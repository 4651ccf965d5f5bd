import { z } from 'zod';
import { container, type Module } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import {
  type DecoderConfig,
  decoderFamily,
  decoderKeys,
  gatedMlp,
  headDim,
  attention as projections,
} from './decoder.js';

const defaults = {
  vocab_size: 290943,
  hidden_size: 4096,
  intermediate_size: 11008,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  pad_token_id: 0,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({ ...decoderKeys(defaults), head_dim: size(), attention_bias: flag().default(false) })
  .refine(...paddingFits)
  .superRefine(headsRotate);

function attention(config: DecoderConfig & { attention_bias: boolean }): Module {
  const { children } = projections(config, { bias: config.attention_bias });
  const norms = { query_layernorm: rmsNorm(headDim(config)), key_layernorm: rmsNorm(headDim(config)) };
  return container('Attention', { ...(children as Record<string, Module>), ...norms });
}

/** Hunyuan's dense models (Tencent 2025), initialized as Llama is: norms of each head's queries and keys. */
export const hunyuanDense = defineArchitecture({
  model_type: 'hunyuan_v1_dense',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'HunYuanDenseV1',
    {
      layer: (config) => ({
        self_attn: attention(config),
        mlp: gatedMlp(config),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
    },
    { tokens: false },
  ),
});
