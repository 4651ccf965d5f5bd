import { z } from 'zod';
import { embedding } from '../modules/index.js';
import { defineArchitecture, headsDivide, paddingFits, size } from './architecture.js';
import { bertLike } from './bert.js';
import { encoderKeys } from './bert-layers.js';

const { is_decoder: _, add_cross_attention: __, ...keys } = encoderKeys({ vocab_size: 30522, pad_token_id: 0 });

const config = z
  .looseObject({ ...keys, max_2d_position_embeddings: size().default(1024) })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .transform((given) => ({ ...given, is_decoder: false, add_cross_attention: false }));

type Config = z.output<typeof config>;

const { body, withHead, withPredictions, classifier, answers } = bertLike<Config>('layoutlm', (config) => {
  const table = () => embedding(config.max_2d_position_embeddings, config.hidden_size);
  const names = ['x', 'y', 'h', 'w'].map((side) => `${side}_position_embeddings`);
  return { positions: Object.fromEntries(names.map((name) => [name, table()])) };
});

/** LayoutLM (Xu et al. 2019): BERT with tables of where words stand on a page. */
export const layoutlm = defineArchitecture<Config>({
  model_type: 'layoutlm',
  config,
  classes: {
    LayoutLMForMaskedLM: withPredictions(true),
    LayoutLMModel: body,
    LayoutLMForSequenceClassification: withHead(true, classifier),
    LayoutLMForTokenClassification: withHead(true, classifier),
    LayoutLMForQuestionAnswering: withHead(true, answers),
  },
});
