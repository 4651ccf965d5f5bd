import { z } from 'zod';
import { rms_norm } from '../modules.js';
import { define_architecture, flag, heads_divide, heads_rotate, padding_fits, size } from './architecture.js';
import { attention, type Decoder, type DecoderConfig, decoder_classes, decoder_keys, gated_mlp } from './decoder.js';

interface GemmaConfig extends DecoderConfig {
  readonly attention_bias: boolean;
}

/** A norm that multiplies by 1 + weight, and so starts at 0. */
const norm = (width: number) => rms_norm(width, 'zeros');

/**
 * The Gemma family: N(0, initializer_range²), norms 0, the padding's row 0, the head tied.
 *
 * @param norms of a layer, by name
 * @param head_norms whether queries and keys have norms, one head wide
 */
function gemma_classes(norms: readonly string[], head_norms = false) {
  const parts: Decoder<GemmaConfig> = {
    layer: (config) => ({
      self_attn: attention(config, {
        bias: config.attention_bias,
        ...(head_norms && { norms: () => norm(config.head_dim ?? 0) }),
      }),
      mlp: gated_mlp(config),
      ...Object.fromEntries(norms.map((name) => [name, norm(config.hidden_size)])),
    }),
    norm,
    rules: () => ({ RMSNorm: () => ({ weight: 'zeros' }) }),
  };
  return decoder_classes<GemmaConfig>(parts);
}

const two_norms = ['input_layernorm', 'post_attention_layernorm'];
const four_norms = [...two_norms, 'pre_feedforward_layernorm', 'post_feedforward_layernorm'];

const common = {
  head_dim: size().default(256),
  attention_bias: flag().default(false),
};

const config = z
  .looseObject({
    ...decoder_keys({
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
  .refine(...padding_fits)
  .superRefine(heads_rotate);

const one = gemma_classes(two_norms);

/** Gemma (Gemma Team 2024, arXiv:2403.08295). */
export const gemma = define_architecture({
  model_type: 'gemma',
  config,
  classes: {
    GemmaForCausalLM: one.causal_lm,
    GemmaModel: one.body,
    GemmaForSequenceClassification: one.sequences,
    GemmaForTokenClassification: one.tokens,
  },
});

/** Gemma 2's and 3's keys differ in the size of the vocabulary only. */
const later_config = (vocab_size: number) =>
  z
    .looseObject({
      ...decoder_keys({
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
    .refine(...heads_divide)
    .refine(...padding_fits)
    .superRefine(heads_rotate);

const two = gemma_classes(four_norms);

/** Gemma 2 (Gemma Team 2024, arXiv:2408.00118): norms before and after each block. */
export const gemma2 = define_architecture({
  model_type: 'gemma2',
  config: later_config(256000),
  classes: {
    Gemma2ForCausalLM: two.causal_lm,
    Gemma2Model: two.body,
    Gemma2ForSequenceClassification: two.sequences,
    Gemma2ForTokenClassification: two.tokens,
  },
});

const three = gemma_classes(four_norms, true);

/** Gemma 3's text models (Gemma Team 2025, arXiv:2503.19786): norms of queries and keys besides. */
export const gemma3_text = define_architecture({
  model_type: 'gemma3_text',
  config: later_config(262_208),
  classes: {
    Gemma3ForCausalLM: three.causal_lm,
    Gemma3TextModel: three.body,
    Gemma3TextForSequenceClassification: three.sequences,
  },
});
