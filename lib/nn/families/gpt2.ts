import { z } from 'zod';
import { container, type Module, parameter, type Rule, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labels, layers, size, std } from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

// The defaults are those of transformers' GPT2Config: the 124M model.
const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(50257),
    n_positions: size().default(1024),
    n_embd: size().default(768),
    n_layer: layers().default(12),
    n_head: size().default(12),
    n_inner: size('a whole number ≥ 1, or null').nullish(),
    initializer_range: std().default(0.02),
    tie_word_embeddings: flag().default(true),
    add_cross_attention: flag().default(false),
    summary_use_proj: flag().default(true),
    summary_proj_to_labels: flag().default(true),
  })
  .refine(({ n_embd, n_head }) => n_embd % n_head === 0, { path: ['n_embd'], error: 'a multiple of n_head' });

type Config = z.output<typeof config>;

/** transformers' Conv1D: a linear layer whose weight is (in, out), drawn from N(0, 0.02²). */
function conv1d(inputs: number, outputs: number): Module {
  const own = {
    weight: parameter([inputs, outputs], { init: 'normal', std: 0.02 }),
    bias: parameter([outputs], 'zeros'),
  };
  return { kind: 'Conv1D', own };
}

function rule({ initializer_range, n_layer }: Config) {
  const normal = { init: 'normal', std: initializer_range } as const;
  const residual = { init: 'normal', std: initializer_range / Math.sqrt(2 * n_layer) } as const;
  return transformersInit(initializer_range, {
    Conv1D: () => ({ weight: normal, bias: 'zeros' }),
    GPT2Attention: () => ({ 'c_proj.weight': residual }),
    GPT2MLP: () => ({ 'c_proj.weight': residual }),
  });
}

function block({ n_embd, n_inner, add_cross_attention }: Config): Module {
  const inner = n_inner ?? 4 * n_embd;
  const crossattention = container('GPT2Attention', {
    c_attn: conv1d(n_embd, 2 * n_embd),
    q_attn: conv1d(n_embd, n_embd),
    c_proj: conv1d(n_embd, n_embd),
  });
  return container('GPT2Block', {
    ln_1: layerNorm(n_embd),
    attn: container('GPT2Attention', {
      c_attn: conv1d(n_embd, 3 * n_embd),
      c_proj: conv1d(n_embd, n_embd),
    }),
    ln_2: layerNorm(n_embd),
    ...(add_cross_attention && { crossattention, ln_cross_attn: layerNorm(n_embd) }),
    mlp: container('GPT2MLP', { c_fc: conv1d(n_embd, inner), c_proj: conv1d(inner, n_embd) }),
  });
}

interface Sizes {
  readonly vocab_size: number;
  readonly n_positions: number;
  readonly n_embd: number;
  readonly n_layer: number;
}

/** GPT-2's body around whatever blocks. */
export function gptBody({ vocab_size, n_positions, n_embd, n_layer }: Sizes, block: () => Module, initialize: Rule) {
  const children = {
    wte: embedding(vocab_size, n_embd),
    wpe: embedding(n_positions, n_embd),
    h: repeat(n_layer, block),
    ln_f: layerNorm(n_embd),
  };
  return container('GPT2Model', children, { initialize });
}

/** What other families call these. */
export const gptAliases = aliases({
  hidden_size: 'n_embd',
  max_position_embeddings: 'n_positions',
  num_attention_heads: 'n_head',
  num_hidden_layers: 'n_layer',
});

const body = (config: Config): Module => gptBody(config, () => block(config), rule(config));

const { causalLm, languageModel, sequences, tokens, answers } = headsOf({
  body,
  rule,
  width: ({ n_embd }: Config) => n_embd,
  name: 'transformer',
  embedding: 'wte',
});

/** One number for each of several answers; the model sets `num_labels` to 1. */
function sequenceSummary({ n_embd, summary_use_proj, summary_proj_to_labels }: Config): Module {
  const summary = linear(n_embd, summary_proj_to_labels ? 1 : n_embd);
  return container('GPT2SequenceSummary', summary_use_proj ? { summary } : {});
}

/**
 * GPT-2 (Radford et al. 2019): N(0, initializer_range²), biases 0, norms 1 and 0, and the two projections back into the residual
 * stream (`c_proj`) scaled by 1 / sqrt(2 · n_layer). Conv1D weights are (in, out).
 *
 * transformers 5.18, models/gpt2/modeling_gpt2.py, `_init_weights`. Versions before July 2026 lose the scaling
 * (huggingface/transformers#47458).
 */
export const gpt2 = defineArchitecture({
  model_type: 'gpt2',
  config,
  prepare: gptAliases,
  classes: {
    GPT2LMHeadModel: causalLm,
    GPT2DoubleHeadsModel: languageModel((config) => ({ multiple_choice_head: sequenceSummary(config) })),
    GPT2Model: body,
    GPT2ForSequenceClassification: sequences,
    GPT2ForTokenClassification: tokens,
    GPT2ForQuestionAnswering: answers(),
  },
});
