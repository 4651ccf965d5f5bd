import { z } from 'zod';
import { container } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';

/** Of both. */
const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 151552,
      hidden_size: 4096,
      intermediate_size: 13696,
      num_hidden_layers: 40,
      num_attention_heads: 32,
      pad_token_id: 151329,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(2),
    head_dim: size().default(128),
    attention_bias: flag().default(true),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

function family(model_type: string, name: string, norms: readonly string[]) {
  return defineArchitecture({
    model_type,
    config,
    classes: decoderFamily<z.output<typeof config>>(name, {
      layer: (config) => ({
        self_attn: attention(config, { bias: config.attention_bias, outputBias: false }),
        mlp: container('MLP', {
          gate_up_proj: linear(config.hidden_size, 2 * config.intermediate_size, false),
          down_proj: linear(config.intermediate_size, config.hidden_size, false),
        }),
        ...Object.fromEntries(norms.map((norm) => [norm, rmsNorm(config.hidden_size)])),
      }),
      norm: rmsNorm,
    }),
  });
}

const before = ['input_layernorm', 'post_attention_layernorm'];

/** GLM-4 of 2024 and GLM-Edge (Zhipu AI), initialized as Llama is: gate and up in one matrix. */
export const glm = family('glm', 'Glm', before);

/** GLM-4 (Zhipu AI 2025): the same with four norms a layer. */
export const glm4 = family('glm4', 'Glm4', [...before, 'post_self_attn_layernorm', 'post_mlp_layernorm']);
