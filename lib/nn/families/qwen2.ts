import { z } from 'zod';
import { rms_norm } from '../modules.js';
import { define_architecture, heads_rotate, optional_size, padding_fits, size } from './architecture.js';
import { attention, decoder_classes, decoder_keys, gated_mlp } from './decoder.js';

/** What is read of config.json, with the defaults that Qwen3 has too. */
export const qwen2_keys = {
  ...decoder_keys({
    vocab_size: 151936,
    hidden_size: 4096,
    intermediate_size: 22016,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    pad_token_id: null,
    tie_word_embeddings: false,
  }),
  num_key_value_heads: optional_size().default(32),
};

const config = z
  .looseObject({
    ...qwen2_keys,
    head_dim: size().optional(),
  })
  .refine(...padding_fits)
  .superRefine(heads_rotate);

const { body, causal_lm, sequences, tokens, answers } = decoder_classes<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config, { bias: true, output_bias: false }),
    mlp: gated_mlp(config),
    input_layernorm: rms_norm(config.hidden_size),
    post_attention_layernorm: rms_norm(config.hidden_size),
  }),
  norm: rms_norm,
});

/** Qwen2 (Yang et al. 2024), initialized as Llama is; queries, keys and values have biases, the projection back has none. */
export const qwen2 = define_architecture({
  model_type: 'qwen2',
  config,
  classes: {
    Qwen2ForCausalLM: causal_lm,
    Qwen2Model: body,
    Qwen2ForSequenceClassification: sequences,
    Qwen2ForTokenClassification: tokens,
    Qwen2ForQuestionAnswering: answers('transformer'),
  },
});
