import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsRotate, layers, padding, paddingFits, size } from './architecture.js';
import { attention, type Decoder, type DecoderConfig, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

/** What is read of config.json, with the defaults that Mixtral has too. */
export const mistralKeys = {
  ...decoderKeys({
    vocab_size: 32000,
    hidden_size: 4096,
    intermediate_size: 14336,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    pad_token_id: null,
    tie_word_embeddings: false,
  }),
  num_key_value_heads: size().default(8),
};

const config = z
  .looseObject(mistralKeys)
  .refine(...paddingFits)
  .superRefine(headsRotate);

const parts: Decoder<DecoderConfig> = {
  layer: (config) => ({
    self_attn: attention(config),
    mlp: gatedMlp(config),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
};

/** Mistral (Jiang et al. 2023), initialized as Llama is. */
export const mistral = defineArchitecture({
  model_type: 'mistral',
  config,
  classes: decoderFamily('Mistral', parts, { answers: 'model' }),
});

/** Ministral (Mistral AI 2024): Mistral's tensors; transformers fails without a head_dim. */
export const ministral = defineArchitecture({
  model_type: 'ministral',
  config: z
    .looseObject({ ...mistralKeys, head_dim: size() })
    .refine(...paddingFits)
    .superRefine(headsRotate),
  classes: decoderFamily('Ministral', parts, { answers: 'transformer' }),
});

/** Ministral 3 (Mistral AI 2025): Mistral's tensors. */
export const ministral3 = defineArchitecture({
  model_type: 'ministral3',
  config: z
    .looseObject({
      ...mistralKeys,
      vocab_size: size().default(131072),
      num_hidden_layers: layers().default(34),
      head_dim: size().default(128),
      pad_token_id: padding(11),
    })
    .refine(...paddingFits)
    .superRefine(headsRotate),
  classes: decoderFamily('Ministral3', parts, { answers: 'model' }),
});
