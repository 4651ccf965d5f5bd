import { z } from 'zod';
import { container, parameter } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { splitExperts } from '../saved.js';
import { aliases, defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderClasses } from './decoder.js';
import { mistralKeys } from './mistral.js';

const config = z
  .looseObject({
    ...mistralKeys,
    num_local_experts: size(undefined, 100_000).default(8),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

const { body, causalLm, sequences, tokens, answers } = decoderClasses<z.output<typeof config>>({
  layer: (config) => {
    const { hidden_size, intermediate_size, num_local_experts: experts } = config;
    return {
      self_attn: attention(config),
      mlp: container('SparseMoeBlock', {
        gate: { kind: 'Router', own: { weight: parameter([experts, hidden_size]) } },
        experts: {
          kind: 'Experts',
          own: {
            gate_up_proj: parameter([experts, 2 * intermediate_size, hidden_size]),
            down_proj: parameter([experts, hidden_size, intermediate_size]),
          },
        },
      }),
      input_layernorm: rmsNorm(hidden_size),
      post_attention_layernorm: rmsNorm(hidden_size),
    };
  },
  norm: rmsNorm,
  rules: ({ initializer_range }) => {
    const normal = { init: 'normal', std: initializer_range } as const;
    return {
      Router: () => ({ weight: normal }),
      Experts: () => ({ gate_up_proj: normal, down_proj: normal }),
    };
  },
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
  saved: {
    rename: [[/\.mlp\./, '.block_sparse_moe.']],
    split(tensor) {
      const [, experts, matrix] = /^(.*\.experts)\.(gate_up|down)_proj$/.exec(tensor.name) ?? [];
      if (experts === undefined) return undefined;
      return splitExperts(tensor, experts, matrix === 'down' ? ['w2.weight'] : ['w1.weight', 'w3.weight']);
    },
  },
});
