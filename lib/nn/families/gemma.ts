import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, headsRotate, paddingFits, size } from './architecture.js';
import { attention, type Decoder, type DecoderConfig, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';

interface GemmaConfig extends DecoderConfig {
  readonly attention_bias: boolean;
}

/** A norm that multiplies by 1 + weight, and so starts at 0. */
const norm = (width: number) => rmsNorm(width, 'zeros');

/**
 * The Gemma family: N(0, initializer_range²), norms 0, the padding's row 0, the head tied.
 *
 * @param norms of a layer, by name
 * @param headNorms whether queries and keys have norms, one head wide
 */
function gemmaClasses(norms: readonly string[], headNorms = false) {
  const parts: Decoder<GemmaConfig> = {
    layer: (config) => ({
      self_attn: attention(config, {
        bias: config.attention_bias,
        ...(headNorms && { norms: () => norm(config.head_dim ?? 0) }),
      }),
      mlp: gatedMlp(config),
      ...Object.fromEntries(norms.map((name) => [name, norm(config.hidden_size)])),
    }),
    norm,
    rules: () => ({ RMSNorm: () => ({ weight: 'zeros' }) }),
  };
  return decoderClasses<GemmaConfig>(parts);
}

const twoNorms = ['input_layernorm', 'post_attention_layernorm'];
const fourNorms = [...twoNorms, 'pre_feedforward_layernorm', 'post_feedforward_layernorm'];

const common = {
  head_dim: size().default(256),
  attention_bias: flag().default(false),
};

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 256000,
      hidden_size: 3072,
      intermediate_size: 24576,
      num_hidden_layers: 28,
      num_attention_heads: 16,
      pad_token_id: 0,
      tie_word_embeddings: true,
    }),
    ...common,
    num_key_value_heads: size().default(16),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

const one = gemmaClasses(twoNorms);

/** Gemma (Gemma Team 2024, arXiv:2403.08295). */
export const gemma = defineArchitecture({
  model_type: 'gemma',
  config,
  classes: {
    GemmaForCausalLM: one.causalLm,
    GemmaModel: one.body,
    GemmaForSequenceClassification: one.sequences,
    GemmaForTokenClassification: one.tokens,
  },
});

/** Gemma 2's and 3's keys differ in the size of the vocabulary only. */
const laterConfig = (vocab_size: number) =>
  z
    .looseObject({
      ...decoderKeys({
        vocab_size,
        hidden_size: 2304,
        intermediate_size: 9216,
        num_hidden_layers: 26,
        num_attention_heads: 8,
        pad_token_id: 0,
        tie_word_embeddings: true,
      }),
      ...common,
      num_key_value_heads: size().default(4),
    })
    .refine(...headsDivide)
    .refine(...paddingFits)
    .superRefine(headsRotate);

const two = gemmaClasses(fourNorms);

/** Gemma 2 (Gemma Team 2024, arXiv:2408.00118): norms before and after each block. */
export const gemma2 = defineArchitecture({
  model_type: 'gemma2',
  config: laterConfig(256000),
  classes: {
    Gemma2ForCausalLM: two.causalLm,
    Gemma2Model: two.body,
    Gemma2ForSequenceClassification: two.sequences,
    Gemma2ForTokenClassification: two.tokens,
  },
});

const three = gemmaClasses(fourNorms, true);

/** Gemma 3's text models (Gemma Team 2025, arXiv:2503.19786): norms of queries and keys besides. */
export const gemma3Text = defineArchitecture({
  model_type: 'gemma3_text',
  config: laterConfig(262_208),
  classes: {
    Gemma3ForCausalLM: three.causalLm,
    Gemma3TextModel: three.body,
    Gemma3TextForSequenceClassification: three.sequences,
  },
});
