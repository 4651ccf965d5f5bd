import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, headsDivide, labelCount, paddingFits, size } from './architecture.js';
import { classificationHead, encoderKeys, feedForward } from './bert-layers.js';
import { lmHead } from './roberta.js';
import { headed, transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...encoderKeys({ vocab_size: 30527, pad_token_id: 1 }),
    relative_attention_num_buckets: size().default(32),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(({ max_position_embeddings }) => max_position_embeddings >= 2, {
    path: ['max_position_embeddings'],
    error: 'at least 2, since row 1 is the padding',
  });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, { LMHead: () => ({ bias: 'zeros' }) });

function layer(config: Config): Module {
  const { hidden_size: width } = config;
  const square = () => linear(width, width);
  return container('Layer', {
    attention: container('Attention', {
      attn: container('SelfAttention', { q: square(), k: square(), v: square(), o: square() }),
      LayerNorm: layerNorm(width),
    }),
    ...feedForward(config),
  });
}

/** The padding's row is 1, of words and positions, whatever pad_token_id says. */
function body(config: Config, pooler = false): Module {
  const { vocab_size, hidden_size: width, max_position_embeddings, num_attention_heads } = config;
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, width, 1),
      position_embeddings: embedding(max_position_embeddings, width, 1),
      LayerNorm: layerNorm(width),
    }),
    encoder: container('Encoder', {
      layer: repeat(config.num_hidden_layers, () => layer(config)),
      relative_attention_bias: embedding(config.relative_attention_num_buckets, num_attention_heads),
    }),
    ...(pooler && { pooler: container('Pooler', { dense: linear(width, width) }) }),
  };
  return container('MPNetModel', children, { initialize: rule(config) });
}

const withHead =
  (head: (config: Config) => Record<string, Module>, pooler = false) =>
  (config: Config) =>
    headed({ mpnet: body(config, pooler) }, head(config), rule(config));

/** MPNet (Song et al. 2020): BERT with relative positions. */
export const mpnet = defineArchitecture({
  model_type: 'mpnet',
  config,
  classes: {
    MPNetForMaskedLM: (config) => {
      const tied = {
        'lm_head.decoder.weight': 'mpnet.embeddings.word_embeddings.weight',
        'lm_head.decoder.bias': 'lm_head.bias',
      };
      const ties = config.tie_word_embeddings ? tied : undefined;
      return headed({ mpnet: body(config) }, { lm_head: lmHead(config) }, rule(config), ties);
    },
    MPNetModel: (config) => body(config, true),
    MPNetForSequenceClassification: withHead((config) => ({
      classifier: classificationHead(config.hidden_size, labelCount(config)),
    })),
    MPNetForMultipleChoice: withHead(({ hidden_size }) => ({ classifier: linear(hidden_size, 1) }), true),
    MPNetForTokenClassification: withHead((config) => ({
      classifier: linear(config.hidden_size, labelCount(config)),
    })),
    MPNetForQuestionAnswering: withHead((config) => ({
      qa_outputs: linear(config.hidden_size, labelCount(config)),
    })),
  },
});
