import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, headsDivide, labelCount, paddingFits, size } from './architecture.js';
import { encoderKeys } from './bert-layers.js';
import { headed, transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...encoderKeys({ vocab_size: 30000, pad_token_id: 0 }),
    embedding_size: size().default(128),
    hidden_size: size().default(4096),
    num_hidden_groups: size().default(1),
    num_attention_heads: size().default(64),
    intermediate_size: size().default(16384),
    inner_group_num: size().default(1),
  })
  .refine(...headsDivide)
  .refine(...paddingFits);

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, { MLMHead: () => ({ bias: 'zeros' }) });

function layer({ hidden_size: width, intermediate_size }: Config): Module {
  return container('Layer', {
    full_layer_layer_norm: layerNorm(width),
    attention: container('Attention', {
      query: linear(width, width),
      key: linear(width, width),
      value: linear(width, width),
      dense: linear(width, width),
      LayerNorm: layerNorm(width),
    }),
    ffn: linear(width, intermediate_size),
    ffn_output: linear(intermediate_size, width),
  });
}

/** All layers of a group are one, whatever num_hidden_layers says. */
function body(config: Config, pooler = true): Module {
  const { vocab_size, embedding_size, hidden_size: width, max_position_embeddings, type_vocab_size } = config;
  const group = () => container('LayerGroup', { albert_layers: repeat(config.inner_group_num, () => layer(config)) });
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, embedding_size, config.pad_token_id),
      position_embeddings: embedding(max_position_embeddings, embedding_size),
      token_type_embeddings: embedding(type_vocab_size, embedding_size),
      LayerNorm: layerNorm(embedding_size),
    }),
    encoder: container('Transformer', {
      embedding_hidden_mapping_in: linear(embedding_size, width),
      albert_layer_groups: repeat(config.num_hidden_groups, group),
    }),
    ...(pooler && { pooler: linear(width, width) }),
  };
  return container('AlbertModel', children, { initialize: rule(config) });
}

function predictions({ embedding_size, hidden_size, vocab_size }: Config): Module {
  return {
    kind: 'MLMHead',
    own: { bias: parameter([vocab_size], 'zeros') },
    children: {
      LayerNorm: layerNorm(embedding_size),
      dense: linear(hidden_size, embedding_size),
      decoder: linear(embedding_size, vocab_size),
    },
  };
}

const withHead = (pooler: boolean, head: (config: Config) => Record<string, Module>) => (config: Config) =>
  headed({ albert: body(config, pooler) }, head(config), rule(config));

const tied = {
  'predictions.decoder.weight': 'albert.embeddings.word_embeddings.weight',
  'predictions.decoder.bias': 'predictions.bias',
};

const withPredictions = (pooler: boolean, others: (config: Config) => Record<string, Module>) => (config: Config) => {
  const head = { predictions: predictions(config), ...others(config) };
  return headed({ albert: body(config, pooler) }, head, rule(config), config.tie_word_embeddings ? tied : undefined);
};

const classifier = (config: Config) => ({ classifier: linear(config.hidden_size, labelCount(config)) });

/** ALBERT (Lan et al. 2019): BERT with narrow embeddings and layers that share their weights. */
export const albert = defineArchitecture({
  model_type: 'albert',
  config,
  classes: {
    AlbertForMaskedLM: withPredictions(false, () => ({})),
    AlbertModel: (config) => body(config),
    AlbertForPreTraining: withPredictions(true, (config) => ({
      sop_classifier: container('SOPHead', classifier(config)),
    })),
    AlbertForSequenceClassification: withHead(true, classifier),
    AlbertForMultipleChoice: withHead(true, ({ hidden_size }) => ({ classifier: linear(hidden_size, 1) })),
    AlbertForTokenClassification: withHead(false, classifier),
    AlbertForQuestionAnswering: withHead(false, (config) => ({
      qa_outputs: linear(config.hidden_size, labelCount(config)),
    })),
  },
});
