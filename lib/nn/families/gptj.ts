import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import {
  aliases,
  defineArchitecture,
  flag,
  labelCount,
  labels,
  layers,
  optionalSize,
  size,
  std,
} from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(50400),
    n_embd: size().default(4096),
    n_layer: layers().default(28),
    n_head: size().default(16),
    n_inner: optionalSize(),
    initializer_range: std().default(0.02),
    tie_word_embeddings: flag().default(false),
  })
  .refine(({ n_embd, n_head }) => n_embd % n_head === 0, { path: ['n_embd'], error: 'a multiple of n_head' });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) => transformersInit(initializer_range);

function block({ n_embd: width, n_inner }: Config): Module {
  const inner = n_inner ?? 4 * width;
  const square = () => linear(width, width, false);
  return container('GPTJBlock', {
    ln_1: layerNorm(width),
    attn: container('Attention', { k_proj: square(), v_proj: square(), q_proj: square(), out_proj: square() }),
    mlp: container('MLP', { fc_in: linear(width, inner), fc_out: linear(inner, width) }),
  });
}

function body(config: Config): Module {
  const children = {
    wte: embedding(config.vocab_size, config.n_embd),
    h: repeat(config.n_layer, () => block(config)),
    ln_f: layerNorm(config.n_embd),
  };
  return container('GPTJModel', children, { initialize: rule(config) });
}

const { withHead, causalLm, sequences } = headsOf({
  body,
  rule,
  width: ({ n_embd }: Config) => n_embd,
  name: 'transformer',
  embedding: 'wte',
  lmBias: true,
});

/** GPT-J (Wang and Komatsuzaki 2021): one norm a block; the head over the vocabulary has a bias. */
export const gptj = defineArchitecture({
  model_type: 'gptj',
  config,
  prepare: aliases({
    max_position_embeddings: 'n_positions',
    hidden_size: 'n_embd',
    num_attention_heads: 'n_head',
    num_hidden_layers: 'n_layer',
  }),
  classes: {
    GPTJForCausalLM: causalLm,
    GPTJModel: body,
    GPTJForSequenceClassification: sequences,
    GPTJForQuestionAnswering: withHead((config) => ({ qa_outputs: linear(config.n_embd, labelCount(config)) })),
  },
});
