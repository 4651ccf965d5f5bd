import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, headsDivide, labelCount, paddingFits } from './architecture.js';
import {
  classificationHead,
  crossFits,
  type EncoderConfig,
  encoder,
  encoderKeys,
  normedEncoder,
} from './bert-layers.js';
import { headed, transformersInit } from './transformers.js';

type Config = EncoderConfig;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, { LMHead: () => ({ bias: 'zeros' }) });

/** Positions count from the padding's row on, which is zero in their table too. */
function body(config: Config, pooler = false, normsFirst = false): Module {
  const { vocab_size, hidden_size: width, max_position_embeddings, type_vocab_size, pad_token_id } = config;
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, width, pad_token_id),
      token_type_embeddings: embedding(type_vocab_size, width),
      LayerNorm: layerNorm(width),
      position_embeddings: embedding(max_position_embeddings, width, pad_token_id),
    }),
    ...(normsFirst ? { encoder: normedEncoder(config), LayerNorm: layerNorm(width) } : { encoder: encoder(config) }),
    ...(pooler && { pooler: container('Pooler', { dense: linear(width, width) }) }),
  };
  return container('RobertaModel', children, { initialize: rule(config) });
}

/** The head over the vocabulary: the decoder's bias is another name for the head's own. */
export function lmHead({ hidden_size: width, vocab_size }: Pick<Config, 'hidden_size' | 'vocab_size'>): Module {
  return {
    kind: 'LMHead',
    own: { bias: parameter([vocab_size], 'zeros') },
    children: { dense: linear(width, width), layer_norm: layerNorm(width), decoder: linear(width, vocab_size) },
  };
}

interface Variant {
  /** Whether the constructors make the head before the body. */
  readonly headFirst?: boolean;
  /** Whether norms come before the blocks. */
  readonly normsFirst?: boolean;
  /** The body's name in the whole. */
  readonly prefix?: string;
}

function family(model_type: string, name: string, vocab_size: number, variant: Variant = {}) {
  const { headFirst = false, normsFirst = false, prefix = 'roberta' } = variant;
  const tied = {
    'lm_head.decoder.weight': `${prefix}.embeddings.word_embeddings.weight`,
    'lm_head.decoder.bias': 'lm_head.bias',
  };
  const config = z
    .looseObject(encoderKeys({ vocab_size, pad_token_id: 1 }))
    .refine(...headsDivide)
    .refine(...paddingFits)
    .refine(...crossFits)
    .refine(({ pad_token_id: id, max_position_embeddings: rows }) => id === null || (id >= -rows && id < rows), {
      path: ['max_position_embeddings'],
      error: 'more than pad_token_id, which is a row of the positions too',
    });
  const join = (config: Config, pooler: boolean, head: Record<string, Module>, ties?: Module['tied']) => {
    const parts = { [prefix]: body(config, pooler, normsFirst) };
    return headFirst ? headed(head, parts, rule(config), ties) : headed(parts, head, rule(config), ties);
  };
  const withHead = (head: (config: Config) => Record<string, Module>, pooler = false) => {
    return (config: Config) => join(config, pooler, head(config));
  };
  const withLmHead = (config: Config): Module => {
    return join(config, false, { lm_head: lmHead(config) }, config.tie_word_embeddings ? tied : undefined);
  };
  return defineArchitecture<Config>({
    model_type,
    config,
    classes: {
      [`${name}ForMaskedLM`]: withLmHead,
      [`${name}Model`]: (config) => body(config, true, normsFirst),
      [`${name}ForCausalLM`]: withLmHead,
      [`${name}ForSequenceClassification`]: withHead((config) => ({
        classifier: classificationHead(config.hidden_size, labelCount(config)),
      })),
      [`${name}ForMultipleChoice`]: withHead(({ hidden_size }) => ({ classifier: linear(hidden_size, 1) }), true),
      [`${name}ForTokenClassification`]: withHead((config) => ({
        classifier: linear(config.hidden_size, labelCount(config)),
      })),
      [`${name}ForQuestionAnswering`]: withHead((config) => ({
        qa_outputs: linear(config.hidden_size, labelCount(config)),
      })),
    },
  });
}

/** RoBERTa (Liu et al. 2019): BERT with other embeddings and heads. */
export const roberta = family('roberta', 'Roberta', 50265);

/** XLM-RoBERTa (Conneau et al. 2019). */
export const xlmRoberta = family('xlm-roberta', 'XLMRoberta', 30522, { headFirst: true });

/** CamemBERT (Martin et al. 2019). */
export const camembert = family('camembert', 'Camembert', 30522, { headFirst: true });

/** data2vec's model of text (Baevski et al. 2022): RoBERTa under another name. */
export const data2vecText = family('data2vec-text', 'Data2VecText', 30522, { prefix: 'data2vec_text' });

/** RoBERTa with norms before each block (Ott et al. 2019), and one after the last. */
export const robertaPreLayerNorm = family('roberta-prelayernorm', 'RobertaPreLayerNorm', 50265, {
  normsFirst: true,
  prefix: 'roberta_prelayernorm',
});
