import { z } from 'zod';
import { rms_norm } from '../modules.js';
import { define_architecture, heads_rotate, padding_fits, size } from './architecture.js';
import { attention, decoder_classes, decoder_keys, gated_mlp } from './decoder.js';

/** What is read of config.json, with the defaults that Mixtral has too. */
export const mistral_keys = {
  ...decoder_keys({
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
  .looseObject(mistral_keys)
  .refine(...padding_fits)
  .superRefine(heads_rotate);

const { body, causal_lm, sequences, tokens, answers } = decoder_classes<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config),
    mlp: gated_mlp(config),
    input_layernorm: rms_norm(config.hidden_size),
    post_attention_layernorm: rms_norm(config.hidden_size),
  }),
  norm: rms_norm,
});

/** Mistral (Jiang et al. 2023), initialized as Llama is. */
export const mistral = define_architecture({
  model_type: 'mistral',
  config,
  classes: {
    MistralForCausalLM: causal_lm,
    MistralModel: body,
    MistralForSequenceClassification: sequences,
    MistralForTokenClassification: tokens,
    MistralForQuestionAnswering: answers('model'),
  },
});
