import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, headsRotate, paddingFits } from './architecture.js';
import { attention, decoderClasses } from './decoder.js';
import { expertCount, expertRules, expertsApart, expertsFit, mixture } from './experts.js';
import { mistralKeys } from './mistral.js';

const config = z
  .looseObject({ ...mistralKeys, num_local_experts: expertCount().default(8) })
  .refine(...expertsFit('num_local_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

const { body, causalLm, sequences, tokens, answers } = decoderClasses<z.output<typeof config>>({
  layer: (config) => ({
    self_attn: attention(config),
    mlp: mixture(config.num_local_experts, config.hidden_size, config.intermediate_size),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
  rules: expertRules,
});

/**
 * Mixtral (Jiang et al. 2024), initialized as Mistral is. transformers holds a layer's experts in two tensors, but saves each
 * expert's matrices apart, under the names of the first checkpoints.
 */
export const mixtral = defineArchitecture({
  model_type: 'mixtral',
  config,
  prepare: aliases({ num_experts: 'num_local_experts' }),
  classes: {
    MixtralForCausalLM: causalLm,
    MixtralModel: body,
    MixtralForSequenceClassification: sequences,
    MixtralForTokenClassification: tokens,
    MixtralForQuestionAnswering: answers('model'),
  },
  saved: expertsApart(['w1', 'w3', 'w2'], [[/\.mlp\./, '.block_sparse_moe.']]),
});
