// Longer than others: attention by distances has tables and convolutions of its own, and heads three shapes.

import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv1d, embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, labelCount, layers, paddingFits, size } from './architecture.js';
import { encoderKeys, feedForward, output } from './bert-layers.js';
import { headed, transformersInit } from './transformers.js';

const int = () => z.int({ error: 'a whole number' });
const words = (text: string) =>
  text
    .toLowerCase()
    .split('|')
    .map((word) => word.trim());
const text = { error: "a text such as 'c2p|p2c', or an array" };

const config = z
  .looseObject({
    ...encoderKeys({ vocab_size: 128100, pad_token_id: 0 }),
    hidden_size: size().default(1536),
    num_hidden_layers: layers().default(24),
    num_attention_heads: size().default(24),
    intermediate_size: size().default(6144),
    type_vocab_size: int().default(0),
    relative_attention: flag().default(false),
    max_relative_positions: int().default(-1),
    position_buckets: int().default(-1),
    position_biased_input: flag().default(true),
    pos_att_type: z.union([z.string(), z.array(z.string())], text).nullish(),
    share_att_key: flag().default(false),
    norm_rel_ebd: z.string({ error: "'none' or 'layer_norm'" }).default('none'),
    conv_kernel_size: int().default(0),
    conv_groups: size().default(1),
    embedding_size: size().optional(),
    attention_head_size: size().optional(),
    pooler_hidden_size: size().optional(),
    legacy: flag().default(true),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(({ hidden_size, conv_groups }) => hidden_size % conv_groups === 0, {
    path: ['conv_groups'],
    error: 'a divisor of hidden_size',
  });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, { LMPredictionHead: () => ({ bias: 'zeros' }) });

const embeddingWidth = ({ embedding_size, hidden_size }: Config) => embedding_size ?? hidden_size;

/** Content and positions apart: projections of positions of their own, unless they share those of the content. */
function attention(config: Config): Module {
  const { hidden_size: width, num_attention_heads: heads, attention_head_size, pos_att_type } = config;
  const inner = heads * (attention_head_size ?? width / heads);
  const types = typeof pos_att_type === 'string' ? words(pos_att_type) : (pos_att_type ?? []);
  const apart = config.relative_attention && !config.share_att_key;
  const self = {
    query_proj: linear(width, inner),
    key_proj: linear(width, inner),
    value_proj: linear(width, inner),
    ...(apart && types.includes('c2p') && { pos_key_proj: linear(width, inner) }),
    ...(apart && types.includes('p2c') && { pos_query_proj: linear(width, inner) }),
  };
  return container('Attention', { self: container('SelfAttention', self), output: output(width, width) });
}

function encoder(config: Config): Module {
  const { hidden_size: width, max_position_embeddings, max_relative_positions, position_buckets } = config;
  const { conv_kernel_size, conv_groups: groups } = config;
  const positions = max_relative_positions < 1 ? max_position_embeddings : max_relative_positions;
  const rows = 2 * (position_buckets > 0 ? position_buckets : positions);
  const layer = () => container('Layer', { attention: attention(config), ...feedForward(config) });
  return container('Encoder', {
    layer: repeat(config.num_hidden_layers, layer),
    ...(config.relative_attention && { rel_embeddings: embedding(rows, width) }),
    ...(words(config.norm_rel_ebd).includes('layer_norm') && { LayerNorm: layerNorm(width) }),
    ...(conv_kernel_size > 0 && {
      conv: container('ConvLayer', {
        conv: conv1d(width, width, conv_kernel_size, { groups }),
        LayerNorm: layerNorm(width),
      }),
    }),
  });
}

function body(config: Config): Module {
  const { vocab_size, hidden_size: width, type_vocab_size, pad_token_id } = config;
  const inner = embeddingWidth(config);
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, inner, pad_token_id),
      ...(config.position_biased_input && { position_embeddings: embedding(config.max_position_embeddings, inner) }),
      ...(type_vocab_size > 0 && { token_type_embeddings: embedding(type_vocab_size, inner) }),
      ...(inner !== width && { embed_proj: linear(inner, width, false) }),
      LayerNorm: layerNorm(width),
    }),
    encoder: encoder(config),
  };
  return container('DebertaV2Model', children, { initialize: rule(config) });
}

function maskedLm(config: Config): Module {
  const { hidden_size: width, vocab_size, tie_word_embeddings } = config;
  if (!config.legacy) {
    throw new RangeError('legacy: expected true for DebertaV2ForMaskedLM, since the other head is not planned');
  }
  const inner = embeddingWidth(config);
  const predictions: Module = {
    kind: 'LMPredictionHead',
    own: { bias: parameter([vocab_size], 'zeros') },
    children: {
      transform: container('Transform', { dense: linear(width, inner), LayerNorm: layerNorm(inner) }),
      decoder: linear(inner, vocab_size),
    },
  };
  const tied = {
    'cls.predictions.decoder.weight': 'deberta.embeddings.word_embeddings.weight',
    'cls.predictions.decoder.bias': 'cls.predictions.bias',
  };
  const cls = container('Heads', { predictions });
  return headed({ deberta: body(config) }, { cls }, rule(config), tie_word_embeddings ? tied : undefined);
}

const withHead = (head: (config: Config) => Record<string, Module>) => (config: Config) =>
  headed({ deberta: body(config) }, head(config), rule(config));

const pooled = (classes: (config: Config) => number) =>
  withHead((config) => {
    const width = config.pooler_hidden_size ?? config.hidden_size;
    return {
      pooler: container('ContextPooler', { dense: linear(width, width) }),
      // Of the model's width there, not the pooler's.
      classifier: linear(config.hidden_size, classes(config)),
    };
  });

/** DeBERTa v2 and v3 (He et al. 2020, 2021): attention to content and relative positions apart. */
export const debertaV2 = defineArchitecture({
  model_type: 'deberta-v2',
  config,
  classes: {
    DebertaV2ForMaskedLM: maskedLm,
    DebertaV2Model: body,
    DebertaV2ForSequenceClassification: pooled(labelCount),
    DebertaV2ForMultipleChoice: pooled(() => 1),
    DebertaV2ForTokenClassification: withHead((config) => ({
      classifier: linear(config.hidden_size, labelCount(config)),
    })),
    DebertaV2ForQuestionAnswering: withHead((config) => ({
      qa_outputs: linear(config.hidden_size, labelCount(config)),
    })),
  },
});
