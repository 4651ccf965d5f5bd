import { z } from 'zod';
import { embedding } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, paddingFits, size } from './architecture.js';
import { bertClasses, bertLike } from './bert.js';
import { crossFits, encoderKeys } from './bert-layers.js';

const config = z
  .looseObject({
    ...encoderKeys({ vocab_size: 30522, pad_token_id: 0 }),
    use_task_id: flag().default(false),
    task_type_vocab_size: size().default(3),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(...crossFits);

type Config = z.output<typeof config>;

/** ERNIE (Baidu 2019): BERT, with an embedding of tasks where `use_task_id` says so. */
export const ernie = defineArchitecture<Config>({
  model_type: 'ernie',
  config,
  classes: bertClasses(
    'Ernie',
    'ErnieForCausalLM',
    bertLike('ernie', ({ use_task_id, task_type_vocab_size, hidden_size }) =>
      use_task_id ? { others: { task_type_embeddings: embedding(task_type_vocab_size, hidden_size) } } : {},
    ),
  ),
});
