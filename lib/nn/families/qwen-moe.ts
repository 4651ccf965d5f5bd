// Longer than others: two generations of Qwen's mixtures of experts.

import { z } from 'zod';
import { container, type Module } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp, headDim } from './decoder.js';
import {
  expertCount,
  expertMlps,
  expertRules,
  expertsApart,
  expertsFit,
  mixture as gatedMixture,
  router,
} from './experts.js';

const wholeNumbers = z.array(z.int({ error: 'a whole number' }), { error: 'an array of whole numbers, or null' });

/** Which layers have experts. */
export const sparseKeys = {
  decoder_sparse_step: size().default(1),
  mlp_only_layers: wholeNumbers.nullish(),
};

function keys(defaults: { heads: number; keyHeads: number; dense: number; inner: number; experts: number }) {
  return {
    ...decoderKeys({
      vocab_size: 151936,
      hidden_size: 2048,
      intermediate_size: defaults.dense,
      num_hidden_layers: 24,
      num_attention_heads: defaults.heads,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(defaults.keyHeads),
    head_dim: size().optional(),
    moe_intermediate_size: size().default(defaults.inner),
    num_experts: expertCount(0).default(defaults.experts),
    ...sparseKeys,
  };
}

interface Sparse {
  readonly num_experts: number;
  readonly decoder_sparse_step: number;
  readonly mlp_only_layers?: readonly number[] | null | undefined;
}

/** Whether a layer has experts. */
export const isSparse = ({ num_experts, decoder_sparse_step, mlp_only_layers }: Sparse, index: number): boolean =>
  num_experts > 0 && (index + 1) % decoder_sparse_step === 0 && !(mlp_only_layers ?? []).includes(index);

const config2 = z
  .looseObject({
    ...keys({ heads: 16, keyHeads: 16, dense: 5632, inner: 1408, experts: 60 }),
    shared_expert_intermediate_size: size().default(5632),
    qkv_bias: flag().default(true),
  })
  .refine(...expertsFit('num_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Qwen1.5-MoE and Qwen2-MoE (Yang et al. 2024): Qwen2 with experts, and one that every token goes to, behind a gate. */
export const qwen2Moe = defineArchitecture({
  model_type: 'qwen2_moe',
  config: config2,
  classes: decoderFamily<z.output<typeof config2>>(
    'Qwen2Moe',
    {
      layer(config, index) {
        const { hidden_size, num_experts, moe_intermediate_size, shared_expert_intermediate_size } = config;
        const shared = () => ({
          shared_expert: gatedMlp({ hidden_size, intermediate_size: shared_expert_intermediate_size }),
          shared_expert_gate: linear(hidden_size, 1, false),
        });
        return {
          self_attn: attention(config, { bias: config.qkv_bias, outputBias: false }),
          mlp: isSparse(config, index)
            ? gatedMixture(num_experts, hidden_size, moe_intermediate_size, shared())
            : gatedMlp(config),
          input_layernorm: rmsNorm(hidden_size),
          post_attention_layernorm: rmsNorm(hidden_size),
        };
      },
      norm: rmsNorm,
      rules: expertRules,
    },
    { answers: 'model' },
  ),
  saved: expertsApart(),
});

/** Qwen3's experts come before their router. */
function mixture(config: Sparse & { hidden_size: number; moe_intermediate_size: number }): Module {
  const { hidden_size, num_experts, moe_intermediate_size } = config;
  return container('SparseMoeBlock', {
    experts: expertMlps(num_experts, hidden_size, moe_intermediate_size),
    gate: router(num_experts, hidden_size),
  });
}

const config3 = z
  .looseObject({
    ...keys({ heads: 32, keyHeads: 4, dense: 6144, inner: 768, experts: 128 }),
    attention_bias: flag().default(false),
  })
  .refine(...expertsFit('num_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** Qwen3-MoE (Yang et al. 2025): Qwen3 with experts, and none that is shared. */
export const qwen3Moe = defineArchitecture({
  model_type: 'qwen3_moe',
  config: config3,
  prepare: aliases({ num_local_experts: 'num_experts' }),
  classes: decoderFamily<z.output<typeof config3>>(
    'Qwen3Moe',
    {
      layer(config, index) {
        const { hidden_size } = config;
        return {
          self_attn: attention(config, { bias: config.attention_bias, norms: () => rmsNorm(headDim(config)) }),
          mlp: isSparse(config, index) ? mixture(config) : gatedMlp(config),
          input_layernorm: rmsNorm(hidden_size),
          post_attention_layernorm: rmsNorm(hidden_size),
        };
      },
      norm: rmsNorm,
      rules: expertRules,
    },
    { answers: 'transformer' },
  ),
  saved: expertsApart(),
});
