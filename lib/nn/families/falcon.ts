import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import {
  defineArchitecture,
  flag,
  headsDivide,
  headsRotate,
  labels,
  layers,
  optionalSize,
  size,
  std,
} from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const maybe = (initial: boolean) => flag().nullable().default(initial);

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(65024),
    hidden_size: size().default(4544),
    num_hidden_layers: layers().default(32),
    num_attention_heads: size().default(71),
    num_kv_heads: optionalSize(),
    num_ln_in_parallel_attn: z.int({ error: 'a whole number, or null' }).nullish(),
    ffn_hidden_size: optionalSize(),
    new_decoder_architecture: maybe(false),
    multi_query: maybe(true),
    parallel_attn: maybe(true),
    bias: maybe(false),
    initializer_range: std().default(0.02),
    tie_word_embeddings: flag().default(true),
  })
  .refine(...headsDivide)
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

/** Falcon's own linear layers are drawn twice, by the general rule and by one that takes 0 as it is. */
function rule({ initializer_range: std }: Config) {
  const twice: Initializer[] = [
    { init: 'normal', std: std || 0.02 },
    { init: 'normal', std },
  ];
  return transformersInit(std, {
    FalconLinear: ({ own }) => ({ weight: twice, ...(own?.bias && { bias: 'zeros' }) }),
  });
}

const falconLinear = (inputs: number, outputs: number, bias: boolean | null): Module => ({
  ...linear(inputs, outputs, bias ?? false),
  kind: 'FalconLinear',
});

/** Norms before the block: one, or one each for its two halves, side by side or one after another. */
function norms({ hidden_size, parallel_attn, num_ln_in_parallel_attn, new_decoder_architecture }: Config) {
  const norm = () => layerNorm(hidden_size);
  if (!parallel_attn) return { post_attention_layernorm: norm(), input_layernorm: norm() };
  const count = num_ln_in_parallel_attn ?? (new_decoder_architecture ? 2 : 1);
  return count === 2 ? { ln_attn: norm(), ln_mlp: norm() } : { input_layernorm: norm() };
}

function layer(config: Config): Module {
  const { hidden_size: width, num_attention_heads: heads, bias } = config;
  const head = width / heads;
  const inner = config.ffn_hidden_size ?? 4 * width;
  const grouped = (2 * (config.num_kv_heads ?? heads) + heads) * head;
  const single = config.multi_query ? width + 2 * head : 3 * width;
  return container('DecoderLayer', {
    self_attention: container('Attention', {
      query_key_value: falconLinear(width, config.new_decoder_architecture ? grouped : single, bias),
      dense: falconLinear(width, width, bias),
    }),
    mlp: container('MLP', {
      dense_h_to_4h: falconLinear(width, inner, bias),
      dense_4h_to_h: falconLinear(inner, width, bias),
    }),
    ...norms(config),
  });
}

function body(config: Config): Module {
  const children = {
    word_embeddings: embedding(config.vocab_size, config.hidden_size),
    h: repeat(config.num_hidden_layers, () => layer(config)),
    ln_f: layerNorm(config.hidden_size),
  };
  return container('FalconModel', children, { initialize: rule(config) });
}

const { causalLm, sequences, tokens, answers } = headsOf({
  body,
  rule,
  width: ({ hidden_size }: Config) => hidden_size,
  name: 'transformer',
  embedding: 'word_embeddings',
});

/** Falcon (Almazrouei et al. 2023): one key and one value for all heads of the 7B model, groups of them in the later ones. */
export const falcon = defineArchitecture({
  model_type: 'falcon',
  config,
  // `n_embed` is the old name of the width, and wins.
  prepare: ({ n_embed, ...config }) => (n_embed == null ? config : { ...config, hidden_size: n_embed }),
  classes: {
    FalconForCausalLM: causalLm,
    FalconModel: body,
    FalconForSequenceClassification: sequences,
    FalconForTokenClassification: tokens,
    FalconForQuestionAnswering: answers(),
  },
});
