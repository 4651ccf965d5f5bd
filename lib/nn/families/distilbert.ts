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
  padding,
  paddingFits,
  size,
  std,
} from './architecture.js';
import { headed, transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(30522),
    max_position_embeddings: size().default(512),
    sinusoidal_pos_embds: flag().default(false),
    n_layers: layers().default(6),
    n_heads: size().default(12),
    dim: size().default(768),
    hidden_dim: size().default(3072),
    initializer_range: std().default(0.02),
    pad_token_id: padding(0),
    tie_word_embeddings: flag().default(true),
  })
  .refine(({ dim, n_heads }) => dim % n_heads === 0, { path: ['dim'], error: 'a multiple of n_heads' })
  .refine(...paddingFits);

type Config = z.output<typeof config>;

const rule = ({ initializer_range, sinusoidal_pos_embds }: Config) =>
  transformersInit(initializer_range, {
    Embeddings: () =>
      sinusoidal_pos_embds ? { 'position_embeddings.weight': { init: 'sinusoidal', order: 'pairs' } } : undefined,
  });

function layer({ dim, hidden_dim }: Config): Module {
  const square = () => linear(dim, dim);
  return container('TransformerBlock', {
    attention: container('Attention', { q_lin: square(), k_lin: square(), v_lin: square(), out_lin: square() }),
    sa_layer_norm: layerNorm(dim),
    ffn: container('FFN', { lin1: linear(dim, hidden_dim), lin2: linear(hidden_dim, dim) }),
    output_layer_norm: layerNorm(dim),
  });
}

function body(config: Config): Module {
  const { vocab_size, dim, pad_token_id, max_position_embeddings } = config;
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, dim, pad_token_id),
      position_embeddings: embedding(max_position_embeddings, dim),
      LayerNorm: layerNorm(dim),
    }),
    transformer: container('Transformer', { layer: repeat(config.n_layers, () => layer(config)) }),
  };
  return container('DistilBertModel', children, { initialize: rule(config) });
}

const withHead = (head: (config: Config) => Record<string, Module>) => (config: Config) =>
  headed({ distilbert: body(config) }, head(config), rule(config));

/** DistilBERT (Sanh et al. 2019): half of BERT's layers, no token types, no pooler. */
export const distilbert = defineArchitecture({
  model_type: 'distilbert',
  config,
  prepare: aliases({ hidden_size: 'dim', num_attention_heads: 'n_heads', num_hidden_layers: 'n_layers' }),
  classes: {
    DistilBertForMaskedLM: (config) => {
      const { dim, vocab_size } = config;
      const head = {
        vocab_transform: linear(dim, dim),
        vocab_layer_norm: layerNorm(dim),
        vocab_projector: linear(dim, vocab_size),
      };
      const tied = { 'vocab_projector.weight': 'distilbert.embeddings.word_embeddings.weight' };
      const ties = config.tie_word_embeddings ? tied : undefined;
      return headed({ distilbert: body(config) }, head, rule(config), ties);
    },
    DistilBertModel: body,
    DistilBertForSequenceClassification: withHead((config) => ({
      pre_classifier: linear(config.dim, config.dim),
      classifier: linear(config.dim, labelCount(config)),
    })),
    DistilBertForMultipleChoice: withHead(({ dim }) => ({
      pre_classifier: linear(dim, dim),
      classifier: linear(dim, 1),
    })),
    DistilBertForTokenClassification: withHead((config) => ({ classifier: linear(config.dim, labelCount(config)) })),
    DistilBertForQuestionAnswering: withHead((config) => {
      const count = labelCount(config);
      if (count !== 2)
        throw new RangeError(`num_labels: expected 2 for this class, a beginning and an end, but received ${count}`);
      return { qa_outputs: linear(config.dim, 2) };
    }),
  },
});
