import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, headsDivide, labelCount, paddingFits } from './architecture.js';
import { crossFits, encoder, encoderKeys } from './bert-layers.js';
import { headed, transformersInit } from './transformers.js';

const config = z
  .looseObject(encoderKeys({ vocab_size: 30522, pad_token_id: 0 }))
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(...crossFits);

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, { LMPredictionHead: () => ({ bias: 'zeros' }) });

function body(config: Config, pooler = true): Module {
  const { vocab_size, hidden_size: width, max_position_embeddings, type_vocab_size, pad_token_id } = config;
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, width, pad_token_id),
      position_embeddings: embedding(max_position_embeddings, width),
      token_type_embeddings: embedding(type_vocab_size, width),
      LayerNorm: layerNorm(width),
    }),
    encoder: encoder(config),
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
