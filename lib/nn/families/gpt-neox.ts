import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, headsRotate } from './architecture.js';
import { decoderKeys } from './decoder.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 50432,
      hidden_size: 6144,
      intermediate_size: 24576,
      num_hidden_layers: 44,
      num_attention_heads: 64,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    attention_bias: flag().default(true),
  })
  .refine(...headsDivide)
  .superRefine((config, issues) => headsRotate({ ...config, head_dim: undefined }, issues));

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) => transformersInit(initializer_range);

function layer({ hidden_size: width, intermediate_size, attention_bias }: Config): Module {
  return container('Layer', {
    input_layernorm: layerNorm(width),
    post_attention_layernorm: layerNorm(width),
    attention: container('Attention', {
      query_key_value: linear(width, 3 * width, attention_bias),
      dense: linear(width, width, attention_bias),
    }),
    mlp: container('MLP', {
      dense_h_to_4h: linear(width, intermediate_size),
      dense_4h_to_h: linear(intermediate_size, width),
    }),
  });
}

function body(config: Config): Module {
  const children = {
    embed_in: embedding(config.vocab_size, config.hidden_size),
    layers: repeat(config.num_hidden_layers, () => layer(config)),
    final_layer_norm: layerNorm(config.hidden_size),
  };
  return container('GPTNeoXModel', children, { initialize: rule(config) });
}

const { causalLm, sequences, tokens, answers } = headsOf({
  body,
  rule,
  width: ({ hidden_size }: Config) => hidden_size,
  name: 'gpt_neox',
  embedding: 'embed_in',
});

/** GPT-NeoX and Pythia (Black et al. 2022, Biderman et al. 2023). The head over the vocabulary is saved as `embed_out`. */
export const gptNeox = defineArchitecture({
  model_type: 'gpt_neox',
  config,
  classes: {
    GPTNeoXForCausalLM: causalLm,
    GPTNeoXModel: body,
    GPTNeoXForSequenceClassification: sequences,
    GPTNeoXForTokenClassification: tokens,
    GPTNeoXForQuestionAnswering: answers(),
  },
  saved: { rename: [[/^lm_head\./, 'embed_out.']], of: ['GPTNeoXForCausalLM'] },
});
