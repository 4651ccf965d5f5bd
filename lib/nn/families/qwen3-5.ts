import { z } from 'zod';
import { defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { decoderClasses, decoderKeys, gatedMlp } from './decoder.js';
import { deltaDecoder, deltaKeys, sharedMixture } from './delta.js';
import { expertCount, expertsApart, expertsFit } from './experts.js';

const keys = (hidden_size: number, num_hidden_layers: number, keyHeads: number) => ({
  ...decoderKeys({
    vocab_size: 248320,
    hidden_size,
    intermediate_size: 12288,
    num_hidden_layers,
    num_attention_heads: 16,
    pad_token_id: null,
    tie_word_embeddings: false,
  }),
  ...deltaKeys,
  num_key_value_heads: size().default(keyHeads),
});

const config = z
  .looseObject(keys(4096, 32, 4))
  .refine(...paddingFits)
  .superRefine(headsRotate);

const dense = decoderClasses<z.output<typeof config>>(deltaDecoder((config) => gatedMlp(config), false));

/** The text models of Qwen3.5 (Qwen Team 2026): gated delta networks in three of four layers. */
export const qwen35Text = defineArchitecture({
  model_type: 'qwen3_5_text',
  config,
  classes: {
    Qwen3_5ForCausalLM: dense.causalLm,
    Qwen3_5TextModel: dense.body,
    Qwen3_5TextForSequenceClassification: dense.sequences,
  },
});

const sparseConfig = z
  .looseObject({
    ...keys(2048, 40, 2),
    num_experts: expertCount().default(256),
    moe_intermediate_size: size().default(512),
    shared_expert_intermediate_size: size().default(512),
  })
  .refine(...expertsFit('num_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

const sparse = decoderClasses<z.output<typeof sparseConfig>>(
  deltaDecoder<z.output<typeof sparseConfig>>(sharedMixture, false),
);

/** The text models of Qwen3.5-MoE: as Qwen3.5, with experts in every layer. */
export const qwen35MoeText = defineArchitecture({
  model_type: 'qwen3_5_moe_text',
  config: sparseConfig,
  classes: { Qwen3_5MoeForCausalLM: sparse.causalLm, Qwen3_5MoeTextModel: sparse.body },
  saved: expertsApart(),
});
