import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, headsDivide, labelCount, paddingFits } from './architecture.js';
import { crossFits, type EncoderConfig, encoder, encoderKeys } from './bert-layers.js';
import { headed, transformersInit } from './transformers.js';

const rule = ({ initializer_range }: EncoderConfig) =>
  transformersInit(initializer_range, { LMPredictionHead: () => ({ bias: 'zeros' }) });

/** The head over the vocabulary: the decoder's bias is another name for the head's own. */
function predictions({ hidden_size, vocab_size }: EncoderConfig): Module {
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

type Modules = Readonly<Record<string, Module>>;

/**
 * BERT's body and heads, for families that differ in their embeddings.
 *
 * @param prefix the body's name in the whole
 * @param tables embeddings behind those of the positions, and after the norm
 */
export function bertLike<Config extends EncoderConfig>(
  prefix: string,
  tables: (config: Config) => { positions?: Modules; others?: Modules } = () => ({}),
) {
  const body = (config: Config, pooler = true): Module => {
    const { vocab_size, hidden_size: width, max_position_embeddings, type_vocab_size, pad_token_id } = config;
    const { positions, others } = tables(config);
    const children = {
      embeddings: container('Embeddings', {
        word_embeddings: embedding(vocab_size, width, pad_token_id),
        position_embeddings: embedding(max_position_embeddings, width),
        ...positions,
        token_type_embeddings: embedding(type_vocab_size, width),
        LayerNorm: layerNorm(width),
        ...others,
      }),
      encoder: encoder(config),
      ...(pooler && { pooler: container('Pooler', { dense: linear(width, width) }) }),
    };
    return container('BertModel', children, { initialize: rule(config) });
  };
  const withHead = (pooler: boolean, head: (config: Config) => Modules) => (config: Config) => {
    return headed({ [prefix]: body(config, pooler) }, head(config), rule(config));
  };
  const tied = {
    'cls.predictions.decoder.weight': `${prefix}.embeddings.word_embeddings.weight`,
    'cls.predictions.decoder.bias': 'cls.predictions.bias',
  };
  /** A head over the vocabulary, tied to the embedding unless the config says no. */
  const withPredictions =
    (pooler: boolean, others: (config: Config) => Modules = () => ({})) =>
    (config: Config) => {
      const cls = container('Heads', { predictions: predictions(config), ...others(config) });
      const ties = config.tie_word_embeddings ? tied : undefined;
      return headed({ [prefix]: body(config, pooler) }, { cls }, rule(config), ties);
    };
  const classifier = (config: Config) => ({ classifier: linear(config.hidden_size, labelCount(config)) });
  const answers = (config: Config) => ({ qa_outputs: linear(config.hidden_size, labelCount(config)) });
  return { body: (config: Config) => body(config), withHead, withPredictions, classifier, answers };
}

const nextSentence = ({ hidden_size }: EncoderConfig) => ({ seq_relationship: linear(hidden_size, 2) });

/** All of BERT's classes under another name; `causal` is what the one for generation is called. */
export function bertClasses<Config extends EncoderConfig>(
  name: string,
  causal: string,
  { body, withHead, withPredictions, classifier, answers }: ReturnType<typeof bertLike<Config>>,
) {
  return {
    [`${name}ForMaskedLM`]: withPredictions(false),
    [`${name}Model`]: body,
    [`${name}ForPreTraining`]: withPredictions(true, nextSentence),
    [causal]: withPredictions(false),
    [`${name}ForNextSentencePrediction`]: withHead(true, (config) => ({
      cls: container('Heads', nextSentence(config)),
    })),
    [`${name}ForSequenceClassification`]: withHead(true, classifier),
    [`${name}ForMultipleChoice`]: withHead(true, ({ hidden_size }) => ({ classifier: linear(hidden_size, 1) })),
    [`${name}ForTokenClassification`]: withHead(false, classifier),
    [`${name}ForQuestionAnswering`]: withHead(false, answers),
  };
}

const config = z
  .looseObject(encoderKeys({ vocab_size: 30522, pad_token_id: 0 }))
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(...crossFits);

/** BERT (Devlin et al. 2018) as transformers has it: N(0, initializer_range²), not truncated; biases 0, the padding's row 0. */
export const bert = defineArchitecture<z.output<typeof config>>({
  model_type: 'bert',
  config,
  classes: bertClasses('Bert', 'BertLMHeadModel', bertLike('bert')),
});
