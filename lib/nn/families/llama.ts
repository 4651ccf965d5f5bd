import { z } from 'zod';
import { rms_norm } from '../modules.js';
import { define_architecture, flag, heads_divide, heads_rotate, padding_fits } from './architecture.js';
import { attention, decoder_classes, decoder_keys, gated_mlp } from './decoder.js';

const config = z
  .looseObject({
    ...decoder_keys({
      vocab_size: 32000,
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(...heads_divide)
  .refine(...padding_fits)
  .superRefine(heads_rotate);

const { body, causal_lm, sequences, tokens, answers } = decoder_classes<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config, { bias: config.attention_bias }),
    mlp: gated_mlp(config, config.mlp_bias),
    input_layernorm: rms_norm(config.hidden_size),
    post_attention_layernorm: rms_norm(config.hidden_size),
  }),
  norm: rms_norm,
});

/** Llama (Touvron et al. 2023): N(0, initializer_range²), norms 1, the padding's row 0; no scaling of residual projections. */
export const llama = define_architecture({
  model_type: 'llama',
  config,
  classes: {
    LlamaForCausalLM: causal_lm,
    LlamaModel: body,
    LlamaForSequenceClassification: sequences,
    LlamaForTokenClassification: tokens,
    LlamaForQuestionAnswering: answers('transformer'),
  },
});
