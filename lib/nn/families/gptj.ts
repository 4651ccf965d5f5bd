import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labelCount, labels, layers, optionalSize, size, std } from './architecture.js';
import { gptAliases } from './gpt2.js';
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

type Projections = (width: number) => Readonly<Record<string, Module>>;

const square = (width: number) => linear(width, width, false);

function block({ n_embd: width, n_inner }: Config, projections: Projections): Module {
  const inner = n_inner ?? 4 * width;
  return container('GPTJBlock', {
    ln_1: layerNorm(width),
    attn: container('Attention', { ...projections(width), out_proj: square(width) }),
    mlp: container('MLP', { fc_in: linear(width, inner), fc_out: linear(inner, width) }),
  });
}

/** @param projections from which queries, keys and values come */
function classesOf(projections: Projections) {
  const body = (config: Config): Module => {
    const children = {
      wte: embedding(config.vocab_size, config.n_embd),
      h: repeat(config.n_layer, () => block(config, projections)),
      ln_f: layerNorm(config.n_embd),
    };
    return container('GPTJModel', children, { initialize: rule(config) });
  };
  const width = ({ n_embd }: Config) => n_embd;
  return { body, ...headsOf({ body, rule, width, name: 'transformer', embedding: 'wte', lmBias: true }) };
}

const j = classesOf((width) => ({ k_proj: square(width), v_proj: square(width), q_proj: square(width) }));

/** GPT-J (Wang and Komatsuzaki 2021): one norm a block; the head over the vocabulary has a bias. */
export const gptj = defineArchitecture({
  model_type: 'gptj',
  config,
  prepare: gptAliases,
  classes: {
    GPTJForCausalLM: j.causalLm,
    GPTJModel: j.body,
    GPTJForSequenceClassification: j.sequences,
    GPTJForQuestionAnswering: j.withHead((config) => ({ qa_outputs: linear(config.n_embd, labelCount(config)) })),
  },
});

const gen = classesOf((width) => ({ qkv_proj: linear(width, 3 * width, false) }));

const codegenConfig = config.safeExtend({
  n_positions: size().default(2048),
  rotary_dim: z.int({ error: 'a whole number ≥ 0' }).min(0, { error: 'a whole number ≥ 0' }).default(64),
});

/** CodeGen (Nijkamp et al. 2022): GPT-J with queries, keys and values in one matrix. */
export const codegen = defineArchitecture({
  model_type: 'codegen',
  config: codegenConfig,
  prepare: gptAliases,
  classes: { CodeGenForCausalLM: gen.causalLm, CodeGenModel: gen.body },
});
