import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labels, layers, optionalSize, size, std } from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const kinds = z.tuple([z.array(z.enum(['global', 'local'], { error: 'global or local' })), z.int()], {
  error: "an array such as [[['global', 'local'], 12]]",
});

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(50257),
    max_position_embeddings: size().default(2048),
    hidden_size: size().default(2048),
    num_layers: layers().default(24),
    attention_types: z.array(kinds, { error: "an array such as [[['global', 'local'], 12]]" }).nullish(),
    // Of a saved config: what attention_types comes to, which does not count then.
    attention_layers: z.array(z.enum(['global', 'local'], { error: 'global or local' })).optional(),
    num_heads: size().default(16),
    intermediate_size: optionalSize(),
    initializer_range: std().default(0.02),
    tie_word_embeddings: flag().default(true),
  })
  .refine(({ hidden_size, num_heads }) => hidden_size % num_heads === 0, {
    path: ['hidden_size'],
    error: 'a multiple of num_heads',
  })
  .refine(
    ({ attention_layers, num_layers }) => attention_layers === undefined || attention_layers.length === num_layers,
    { path: ['attention_layers'], error: 'as many kinds of attention as num_layers says' },
  )
  .refine(
    ({ attention_layers, attention_types, num_layers }) => {
      if (attention_layers !== undefined) return true;
      const lengths = (attention_types ?? [[['global', 'local'], 12]]).map(([types, times]) => {
        return (types as readonly string[]).length * Math.max(0, times as number);
      });
      return lengths.reduce((sum, length) => sum + length, 0) === num_layers;
    },
    { path: ['attention_types'], error: 'as many kinds of attention as num_layers says; without it there are 24' },
  );

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) => transformersInit(initializer_range);

function block({ hidden_size: width, intermediate_size }: Config): Module {
  const inner = intermediate_size ?? 4 * width;
  const attention = {
    k_proj: linear(width, width, false),
    v_proj: linear(width, width, false),
    q_proj: linear(width, width, false),
    out_proj: linear(width, width),
  };
  return container('GPTNeoBlock', {
    ln_1: layerNorm(width),
    attn: container('Attention', { attention: container('SelfAttention', attention) }),
    ln_2: layerNorm(width),
    mlp: container('MLP', { c_fc: linear(width, inner), c_proj: linear(inner, width) }),
  });
}

function body(config: Config): Module {
  const { vocab_size, hidden_size, max_position_embeddings, num_layers } = config;
  const children = {
    wte: embedding(vocab_size, hidden_size),
    wpe: embedding(max_position_embeddings, hidden_size),
    h: repeat(num_layers, () => block(config)),
    ln_f: layerNorm(hidden_size),
  };
  return container('GPTNeoModel', children, { initialize: rule(config) });
}

const { causalLm, sequences, tokens, answers } = headsOf({
  body,
  rule,
  width: ({ hidden_size }: Config) => hidden_size,
  name: 'transformer',
  embedding: 'wte',
});

/** GPT-Neo (Black et al. 2021): GPT-2 with linear layers; local attention changes no tensor. */
export const gptNeo = defineArchitecture({
  model_type: 'gpt_neo',
  config,
  prepare: aliases({ num_attention_heads: 'num_heads', num_hidden_layers: 'num_layers' }),
  classes: {
    GPTNeoForCausalLM: causalLm,
    GPTNeoModel: body,
    GPTNeoForSequenceClassification: sequences,
    GPTNeoForTokenClassification: tokens,
    GPTNeoForQuestionAnswering: answers(),
  },
});
