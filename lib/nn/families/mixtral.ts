import { z } from 'zod';
import { container, parameter, rms_norm } from '../modules.js';
import { split_experts } from '../saved.js';
import { aliases, define_architecture, heads_rotate, padding_fits, size } from './architecture.js';
import { attention, decoder_classes } from './decoder.js';
import { mistral_keys } from './mistral.js';

const config = z
  .looseObject({
    ...mistral_keys,
    num_local_experts: size(undefined, 100_000).default(8),
  })
  .refine(...padding_fits)
  .superRefine(heads_rotate);

const { body, causal_lm, sequences, tokens, answers } = decoder_classes<z.output<typeof config>>({
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
      input_layernorm: rms_norm(hidden_size),
      post_attention_layernorm: rms_norm(hidden_size),
    };
  },
  norm: rms_norm,
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
export const mixtral = define_architecture({
  model_type: 'mixtral',
  config,
  prepare: aliases({ num_experts: 'num_local_experts' }),
  classes: {
    MixtralForCausalLM: causal_lm,
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
      return split_experts(tensor, experts, matrix === 'down' ? ['w2.weight'] : ['w1.weight', 'w3.weight']);
    },
  },
});
