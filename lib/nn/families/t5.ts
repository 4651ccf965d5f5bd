// Longer than others: T5, mT5 and UMT5 with all their heads.

import { z } from 'zod';
import { inverseRoot } from '../../core/inverse-root.js';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, type Rule, repeat } from '../module.js';
import { embedding, linear, rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labelCount, labels, layers, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';

const feedForward = "a name such as 'relu', or one after 'gated-', such as 'gated-gelu'";

/** Which of the T5s, by what differs between them. */
interface Variant {
  readonly vocab_size: number;
  readonly d_ff: number;
  readonly num_layers: number;
  readonly num_heads: number;
  readonly feed_forward_proj: string;
  /** Whether every layer knows positions, not the first alone. */
  readonly everyLayer: boolean;
}

const configOf = (variant: Variant) =>
  z
    .looseObject({
      ...labels,
      vocab_size: size().default(variant.vocab_size),
      d_model: size().default(512),
      d_kv: size().default(64),
      d_ff: size().default(variant.d_ff),
      num_layers: layers().default(variant.num_layers),
      num_decoder_layers: layers(),
      num_heads: size().default(variant.num_heads),
      relative_attention_num_buckets: size().default(32),
      initializer_factor: std().default(1),
      feed_forward_proj: z
        .string({ error: feedForward })
        .regex(/^(gated-(?=.)|(?!gated$))[^-]*$/, { error: feedForward })
        .default(variant.feed_forward_proj),
      is_gated_act: z.unknown().optional(),
      is_decoder: flag().default(false),
    })
    .transform((read) => ({ ...read, everyLayer: variant.everyLayer }));

type Config = z.output<ReturnType<typeof configOf>>;

const generalNames = aliases({
  hidden_size: 'd_model',
  num_attention_heads: 'num_heads',
  num_hidden_layers: 'num_layers',
  head_dim: 'd_kv',
});

/** Mesh TensorFlow's scales: each projection by its own inputs, queries by the width of a head besides. */
function rule({ initializer_factor: factor, d_model, d_kv, d_ff, num_heads }: Config): Rule {
  const normal = (std: number): Initializer => ({ init: 'normal', std: factor * std });
  const byWidth = normal(inverseRoot(d_model, 2));
  const shared = { 'shared.weight': normal(1) };
  return transformersInit(
    factor,
    {
      T5LayerNorm: () => ({ weight: { init: 'constant', val: factor } }),
      T5Model: () => shared,
      T5ForQuestionAnswering: () => ({ ...shared, 'qa_outputs.weight': byWidth, 'qa_outputs.bias': 'zeros' }),
      T5ForTokenClassification: () => ({ 'classifier.weight': normal(1), 'classifier.bias': 'zeros' }),
      T5ClassificationHead: () => ({
        'dense.weight': byWidth,
        'dense.bias': 'zeros',
        'out_proj.weight': byWidth,
        'out_proj.bias': 'zeros',
      }),
      T5DenseActDense: () => ({ 'wi.weight': byWidth, 'wo.weight': normal(inverseRoot(d_ff, 2)) }),
      T5DenseGatedActDense: () => ({
        'wi_0.weight': byWidth,
        'wi_1.weight': byWidth,
        'wo.weight': normal(inverseRoot(d_ff, 2)),
      }),
      T5Attention: ({ children }) => ({
        'q.weight': normal(inverseRoot(d_model * d_kv, 2)),
        'k.weight': byWidth,
        'v.weight': byWidth,
        'o.weight': normal(inverseRoot(num_heads * d_kv, 2)),
        ...('relative_attention_bias' in (children ?? {}) && { 'relative_attention_bias.weight': byWidth }),
      }),
    },
    0,
  );
}

const norm = (width: number): Module => ({ ...rmsNorm(width), kind: 'T5LayerNorm' });

function attention({ d_model, d_kv, num_heads, relative_attention_num_buckets }: Config, positions: boolean): Module {
  const inner = num_heads * d_kv;
  return container('T5Attention', {
    q: linear(d_model, inner, false),
    k: linear(d_model, inner, false),
    v: linear(d_model, inner, false),
    o: linear(inner, d_model, false),
    ...(positions && { relative_attention_bias: embedding(relative_attention_num_buckets, num_heads) }),
  });
}

/** `is_gated_act` has the last word, as in transformers, where it is set after what `feed_forward_proj` says; any value is true or false there. */
function isGated(config: Config): boolean {
  const { is_gated_act: given, feed_forward_proj } = config;
  if (given === undefined) return feed_forward_proj.startsWith('gated-');
  const isEmpty = typeof given === 'object' && given !== null && Object.keys(given).length === 0;
  return Boolean(given) && !isEmpty;
}

function dense(config: Config): Module {
  const { d_model, d_ff } = config;
  const wo = linear(d_ff, d_model, false);
  if (!isGated(config)) {
    return container('T5DenseActDense', { wi: linear(d_model, d_ff, false), wo });
  }
  const wi_0 = linear(d_model, d_ff, false);
  return container('T5DenseGatedActDense', { wi_0, wi_1: linear(d_model, d_ff, false), wo });
}

/** The encoder, or the decoder: only its first layer knows positions, but in UMT5. Its embedding is the shared one in the end. */
function stack(config: Config, count: number, decoder: boolean): Module {
  const { vocab_size, d_model } = config;
  const block = (index: number) => {
    const self = { SelfAttention: attention(config, config.everyLayer || index === 0), layer_norm: norm(d_model) };
    const cross = { EncDecAttention: attention(config, false), layer_norm: norm(d_model) };
    const last = { DenseReluDense: dense(config), layer_norm: norm(d_model) };
    const parts = decoder ? [self, cross, last] : [self, last];
    return container('T5Block', { layer: repeat(parts.length, (part) => container('T5Layer', parts[part])) });
  };
  const children = {
    embed_tokens: embedding(vocab_size, d_model),
    block: repeat(count, block),
    final_layer_norm: norm(d_model),
  };
  return container('T5Stack', children, { initialize: rule(config) });
}

/**
 * A model with the shared embedding, and with a head where one is given. Everything is tied, whatever the config says. An encoder alone is
 * what `is_decoder` says, as in transformers, which looks at it only there.
 */
function model(config: Config, kind: string, decoder: boolean, head: Readonly<Record<string, Module>> = {}): Module {
  const { vocab_size, d_model, num_layers, num_decoder_layers, is_decoder } = config;
  const children = {
    shared: embedding(vocab_size, d_model),
    encoder: stack(config, num_layers, !decoder && is_decoder),
    ...(decoder && { decoder: stack(config, num_decoder_layers, true) }),
    ...head,
  };
  const tied = [
    'encoder.embed_tokens',
    ...(decoder ? ['decoder.embed_tokens'] : []),
    ...('lm_head' in head ? ['lm_head'] : []),
  ];
  return container(kind, children, {
    initialize: rule(config),
    tied: Object.fromEntries(tied.map((name) => [`${name}.weight`, 'shared.weight'])),
  });
}

/**
 * Normal, with a standard deviation of initializer_factor (1) over the square root of each projection's inputs, norms
 * initializer_factor. transformers ties embeddings and head whatever `tie_word_embeddings` says.
 */
function family(model_type: string, name: string, variant: Variant) {
  return defineArchitecture<Config>({
    model_type,
    config: configOf(variant),
    // Missing decoder layers are as many as `num_layers` says, whatever its general name says: transformers reads that one later.
    prepare: (config) => {
      return generalNames({
        ...config,
        num_decoder_layers: config.num_decoder_layers ?? config.num_layers ?? variant.num_layers,
      });
    },
    classes: {
      [`${name}ForConditionalGeneration`]: (config) => {
        return model(config, 'T5Model', true, { lm_head: linear(config.d_model, config.vocab_size, false) });
      },
      [`${name}Model`]: (config) => model(config, 'T5Model', true),
      [`${name}EncoderModel`]: (config) => model(config, 'T5Model', false),
      [`${name}ForSequenceClassification`]: (config) => {
        const head = {
          dense: linear(config.d_model, config.d_model),
          out_proj: linear(config.d_model, labelCount(config)),
        };
        const classification_head = container('T5ClassificationHead', head);
        return headed({ transformer: model(config, 'T5Model', true) }, { classification_head }, rule(config));
      },
      [`${name}ForTokenClassification`]: (config) => {
        const classifier = linear(config.d_model, labelCount(config));
        const children = { transformer: model(config, 'T5Model', false), classifier };
        return container('T5ForTokenClassification', children, { initialize: rule(config) });
      },
      [`${name}ForQuestionAnswering`]: (config) => {
        const qa_outputs = linear(config.d_model, labelCount(config));
        return model(config, 'T5ForQuestionAnswering', true, { qa_outputs });
      },
    },
  });
}

/** T5 (Raffel et al. 2019) and T5 1.1. */
export const t5 = family('t5', 'T5', {
  vocab_size: 32128,
  d_ff: 2048,
  num_layers: 6,
  num_heads: 8,
  feed_forward_proj: 'relu',
  everyLayer: false,
});

const multilingual = { vocab_size: 250112, d_ff: 1024, num_layers: 8, num_heads: 6, feed_forward_proj: 'gated-gelu' };

/** mT5 (Xue et al. 2020). */
export const mt5 = family('mt5', 'MT5', { ...multilingual, everyLayer: false });

/** UMT5 (Chung et al. 2023). */
export const umt5 = family('umt5', 'UMT5', { ...multilingual, everyLayer: true });
