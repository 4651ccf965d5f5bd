import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
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
import { headed, transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(30522),
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(12),
    intermediate_size: size().default(3072),
    max_position_embeddings: size().default(512),
    type_vocab_size: size().default(2),
    initializer_range: std().default(0.02),
    pad_token_id: padding(0),
    is_decoder: flag().default(false),
    add_cross_attention: flag().default(false),
    tie_word_embeddings: flag().default(true),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(({ is_decoder, add_cross_attention }) => is_decoder || !add_cross_attention, {
    path: ['is_decoder'],
    error: 'true, since add_cross_attention is true',
  });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, { LMPredictionHead: () => ({ bias: 'zeros' }) });

/** A linear layer, and the norm after the residual that it is added to. */
function output(inputs: number, width: number): Module {
  return container('Output', { dense: linear(inputs, width), LayerNorm: layerNorm(width) });
}

function attention({ hidden_size: width }: Config): Module {
  const self = { query: linear(width, width), key: linear(width, width), value: linear(width, width) };
  return container('Attention', { self: container('SelfAttention', self), output: output(width, width) });
}

function layer(config: Config): Module {
  const { hidden_size, intermediate_size, add_cross_attention } = config;
  return container('Layer', {
    attention: attention(config),
    ...(add_cross_attention && { crossattention: attention(config) }),
    intermediate: container('Intermediate', { dense: linear(hidden_size, intermediate_size) }),
    output: output(intermediate_size, hidden_size),
  });
}

function body(config: Config, pooler = true): Module {
  const { vocab_size, hidden_size: width, max_position_embeddings, type_vocab_size, pad_token_id } = config;
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, width, pad_token_id),
      position_embeddings: embedding(max_position_embeddings, width),
      token_type_embeddings: embedding(type_vocab_size, width),
      LayerNorm: layerNorm(width),
    }),
    encoder: container('Encoder', { layer: repeat(config.num_hidden_layers, () => layer(config)) }),
    ...(pooler && { pooler: container('Pooler', { dense: linear(width, width) }) }),
  };
  return container('BertModel', children, { initialize: rule(config) });
}

/** The head over the vocabulary: the decoder's bias is another name for the head's own. */
function predictions({ hidden_size, vocab_size }: Config): Module {
  return {
    kind: 'LMPredictionHead',
    own: { bias: parameter([vocab_size], 'zeros') },
    children: {
      transform: container('Transform', {
        dense: linear(hidden_size, hidden_size),
        LayerNorm: layerNorm(hidden_size),
      }),
      decoder: linear(hidden_size, vocab_size),
    },
  };
}

const withHead = (pooler: boolean, head: (config: Config) => Record<string, Module>) => (config: Config) => {
  return headed({ bert: body(config, pooler) }, head(config), rule(config));
};

const tied = {
  'cls.predictions.decoder.weight': 'bert.embeddings.word_embeddings.weight',
  'cls.predictions.decoder.bias': 'cls.predictions.bias',
};

/** A head over the vocabulary, tied to the embedding unless the config says no. */
const withPredictions = (pooler: boolean, others: (config: Config) => Record<string, Module>) => (config: Config) => {
  const cls = container('Heads', { predictions: predictions(config), ...others(config) });
  const ties = config.tie_word_embeddings ? tied : undefined;
  return headed({ bert: body(config, pooler) }, { cls }, rule(config), ties);
};

const nextSentence = ({ hidden_size }: Config) => ({ seq_relationship: linear(hidden_size, 2) });
const maskedLm = withPredictions(false, () => ({}));

/** BERT (Devlin et al. 2018) as transformers has it: N(0, initializer_range²), not truncated; biases 0, the padding's row 0. */
export const bert = defineArchitecture({
  model_type: 'bert',
  config,
  classes: {
    BertForMaskedLM: maskedLm,
    BertModel: (config) => body(config),
    BertForPreTraining: withPredictions(true, nextSentence),
    BertLMHeadModel: maskedLm,
    BertForNextSentencePrediction: withHead(true, (config) => ({ cls: container('Heads', nextSentence(config)) })),
    BertForSequenceClassification: withHead(true, (config) => ({
      classifier: linear(config.hidden_size, labelCount(config)),
    })),
    BertForMultipleChoice: withHead(true, ({ hidden_size }) => ({ classifier: linear(hidden_size, 1) })),
    BertForTokenClassification: withHead(false, (config) => ({
      classifier: linear(config.hidden_size, labelCount(config)),
    })),
    BertForQuestionAnswering: withHead(false, (config) => ({
      qa_outputs: linear(config.hidden_size, labelCount(config)),
    })),
  },
});
