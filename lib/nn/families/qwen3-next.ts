import { z } from 'zod';
import { defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { decoderFamily, decoderKeys, gatedMlp } from './decoder.js';
import { deltaDecoder, deltaKeys, sharedMixture } from './delta.js';
import { expertCount, expertsApart, expertsFit } from './experts.js';
import { isSparse, sparseKeys } from './qwen-moe.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 151936,
      hidden_size: 2048,
      intermediate_size: 5632,
      num_hidden_layers: 48,
      num_attention_heads: 16,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    ...deltaKeys,
    ...sparseKeys,
    num_key_value_heads: size().default(2),
    num_experts: expertCount(0).default(512),
    moe_intermediate_size: size().default(512),
    shared_expert_intermediate_size: size().default(512),
  })
  .refine(...expertsFit('num_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Qwen3-Next (Qwen Team 2025): gated delta networks in three of four layers, and Qwen2-MoE's experts. */
export const qwen3Next = defineArchitecture({
  model_type: 'qwen3_next',
  config,
  classes: decoderFamily<z.output<typeof config>>(
    'Qwen3Next',
    deltaDecoder((config, index) => (isSparse(config, index) ? sharedMixture(config) : gatedMlp(config)), true),
    { answers: 'transformer' },
  ),
  saved: expertsApart(),
});
