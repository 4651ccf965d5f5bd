// Longer than others: each kind of matrix has a deviation of its own.

import { z } from 'zod';
import { inverseRoot } from '../../core/inverse-root.js';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, type Rule, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import {
  defineArchitecture,
  flag,
  headsDivide,
  labelCount,
  labels,
  layers,
  padding,
  paddingFits,
  size,
  std,
} from './architecture.js';
import { transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(50368),
    hidden_size: size().default(768),
    intermediate_size: size().default(1152),
    num_hidden_layers: layers().min(1, { error: 'a whole number ≥ 1' }).default(22),
    num_attention_heads: size().default(12),
    initializer_range: std().positive({ error: 'a finite number > 0' }).default(0.02),
    initializer_cutoff_factor: std().positive({ error: 'a finite number > 0' }).default(2),
    norm_bias: flag().default(false),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
    decoder_bias: flag().default(true),
    classifier_bias: flag().default(false),
    pad_token_id: padding(50283),
    tie_word_embeddings: flag().default(true),
  })
  .refine(...headsDivide)
  .refine(...paddingFits);

type Config = z.output<typeof config>;

/** Truncated at `initializer_cutoff_factor` deviations; projections back into the residual stream by depth, classifiers by width. */
function rule(config: Config): Rule {
  const { initializer_range: range, initializer_cutoff_factor: cutoff, num_hidden_layers, hidden_size } = config;
  const truncated = (std: number): Initializer => ({ init: 'trunc_normal', std, a: -cutoff * std, b: cutoff * std });
  const inward = truncated(range);
  const outward = truncated(range / Math.sqrt(2 * num_hidden_layers));
  /** The children's weights by name, and their biases, where they have one. */
  const write = (weights: Readonly<Record<string, Initializer>>): Rule => {
    return ({ children }) => {
      const parts = new Map<string, Module>(Object.entries(children ?? {}));
      const written = Object.entries(weights).flatMap(([name, initializer]) => [
        [`${name}.weight`, initializer] as const,
        ...(parts.get(name)?.own?.bias === undefined ? [] : [[`${name}.bias`, 'zeros'] as const]),
      ]);
      return Object.fromEntries(written);
    };
  };
  return transformersInit(range, {
    Embeddings: write({ tok_embeddings: inward }),
    MLP: write({ Wi: inward, Wo: outward }),
    Attention: write({ Wqkv: inward, Wo: outward }),
    PredictionHead: write({ dense: outward }),
    MaskedLM: write({ decoder: outward }),
    Classification: write({ classifier: truncated(inverseRoot(hidden_size, 2)) }),
  });
}

function layer(config: Config, index: number): Module {
  const { hidden_size: width, intermediate_size, norm_bias, attention_bias, mlp_bias } = config;
  return container('EncoderLayer', {
    ...(index > 0 && { attn_norm: layerNorm(width, norm_bias) }),
    attn: container('Attention', {
      Wqkv: linear(width, 3 * width, attention_bias),
      Wo: linear(width, width, attention_bias),
    }),
    mlp_norm: layerNorm(width, norm_bias),
    mlp: container('MLP', {
      Wi: linear(width, 2 * intermediate_size, mlp_bias),
      Wo: linear(intermediate_size, width, mlp_bias),
    }),
  });
}

function body(config: Config): Module {
  const { vocab_size, hidden_size: width, pad_token_id, norm_bias } = config;
  const children = {
    embeddings: container('Embeddings', {
      tok_embeddings: embedding(vocab_size, width, pad_token_id),
      norm: layerNorm(width, norm_bias),
    }),
    layers: repeat(config.num_hidden_layers, (index) => layer(config, index)),
    final_norm: layerNorm(width, norm_bias),
  };
  return container('ModernBertModel', children, { initialize: rule(config) });
}

function head({ hidden_size: width, classifier_bias, norm_bias }: Config): Module {
  return container('PredictionHead', {
    dense: linear(width, width, classifier_bias),
    norm: layerNorm(width, norm_bias),
  });
}

const classification = (classes: (config: Config) => number) => (config: Config) => {
  const classifier = linear(config.hidden_size, classes(config));
  const children = { model: body(config), head: head(config), classifier };
  return container('Classification', children, { initialize: rule(config) });
};

/** ModernBERT (Warner et al. 2024), initialized as Megatron is, truncated. */
export const modernbert = defineArchitecture({
  model_type: 'modernbert',
  config,
  classes: {
    ModernBertForMaskedLM: (config) => {
      const decoder = linear(config.hidden_size, config.vocab_size, config.decoder_bias);
      const tied = { 'decoder.weight': 'model.embeddings.tok_embeddings.weight' };
      const children = { model: body(config), head: head(config), decoder };
      return container('MaskedLM', children, {
        initialize: rule(config),
        tied: config.tie_word_embeddings ? tied : undefined,
      });
    },
    ModernBertModel: body,
    ModernBertForSequenceClassification: classification(labelCount),
    ModernBertForTokenClassification: classification(labelCount),
    ModernBertForQuestionAnswering: classification(labelCount),
    ModernBertForMultipleChoice: classification(() => 1),
  },
});
