import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labels, layers, size, std } from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(250880),
    hidden_size: size().default(64),
    n_layer: layers().default(2),
    n_head: size().default(8),
    initializer_range: std().default(0.02),
    tie_word_embeddings: flag().default(true),
  })
  .refine(({ hidden_size, n_head }) => hidden_size % n_head === 0, {
    path: ['hidden_size'],
    error: 'a multiple of n_head',
  });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) => transformersInit(initializer_range);

function block(width: number): Module {
  return container('BloomBlock', {
    input_layernorm: layerNorm(width),
    self_attention: container('Attention', {
      query_key_value: linear(width, 3 * width),
      dense: linear(width, width),
    }),
    post_attention_layernorm: layerNorm(width),
    mlp: container('MLP', { dense_h_to_4h: linear(width, 4 * width), dense_4h_to_h: linear(4 * width, width) }),
  });
}

function body(config: Config): Module {
  const { vocab_size, hidden_size: width, n_layer } = config;
  const children = {
    word_embeddings: embedding(vocab_size, width),
    word_embeddings_layernorm: layerNorm(width),
    h: repeat(n_layer, () => block(width)),
    ln_f: layerNorm(width),
  };
  return container('BloomModel', children, { initialize: rule(config) });
}

const { causalLm, sequences, tokens, answers } = headsOf({
  body,
  rule,
  width: ({ hidden_size }: Config) => hidden_size,
  name: 'transformer',
  embedding: 'word_embeddings',
});

const general = aliases({ num_hidden_layers: 'n_layer', num_attention_heads: 'n_head' });

/** BLOOM (BigScience 2022): biases everywhere, a norm after the embedding, no positions to learn. */
export const bloom = defineArchitecture({
  model_type: 'bloom',
  config,
  // `n_embed` is the old name of the width, and wins.
  prepare: ({ n_embed, ...config }) => general(n_embed == null ? config : { ...config, hidden_size: n_embed }),
  classes: {
    BloomForCausalLM: causalLm,
    BloomModel: body,
    BloomForSequenceClassification: sequences,
    BloomForTokenClassification: tokens,
    BloomForQuestionAnswering: answers(),
  },
});
