import { z } from 'zod';
import type { Module } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, headsRotate, paddingFits, size } from './architecture.js';
import { attention, type DecoderConfig, decoderFamily, decoderKeys, headDim } from './decoder.js';
import { expertCount, expertMlps, expertRules, expertsApart, expertsFit, router } from './experts.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 200064,
      hidden_size: 3072,
      intermediate_size: 1536,
      num_hidden_layers: 62,
      num_attention_heads: 48,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(8),
    head_dim: size().default(128),
    num_local_experts: expertCount().default(256),
  })
  .refine(...expertsFit('num_local_experts'))
  .refine(...paddingFits)
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

function mixture({ hidden_size, intermediate_size, num_local_experts: experts }: DecoderConfig & Config): Module {
  return {
    kind: 'SparseMoeBlock',
    own: { e_score_correction_bias: { shape: [experts], initial: 'zeros', buffer: true } },
    children: {
      gate: router(experts, hidden_size),
      experts: expertMlps(experts, hidden_size, intermediate_size),
    },
  };
}

/** MiniMax-M2 (MiniMax 2025): Mixtral's experts, and norms over all queries and all keys. */
export const minimaxM2 = defineArchitecture({
  model_type: 'minimax_m2',
  config,
  prepare: aliases({ num_experts: 'num_local_experts' }),
  classes: decoderFamily<Config>(
    'MiniMaxM2',
    {
      layer: (config) => ({
        self_attn: attention(config, { norms: (heads) => rmsNorm(heads * headDim(config)) }),
        mlp: mixture(config),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
      rules: expertRules,
    },
    { sequences: false, tokens: false },
  ),
  saved: expertsApart(['w1', 'w3', 'w2'], [[/\.mlp\./, '.block_sparse_moe.']]),
});
