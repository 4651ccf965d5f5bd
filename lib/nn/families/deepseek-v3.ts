import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, optionalSize, paddingFits, size } from './architecture.js';
import { type Decoder, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';
import { expertCount, expertMlps, expertRules, expertsApart, expertsFit } from './experts.js';
import { predicting } from './predictors.js';

/** The keys of latent attention. */
export const latentKeys = {
  kv_lora_rank: size().default(512),
  q_lora_rank: optionalSize().default(1536),
  qk_rope_head_dim: size()
    .refine((width) => width <= 4 || width % 2 === 0, { error: 'an even number' })
    .default(64),
  qk_nope_head_dim: size().default(128),
  v_head_dim: size().default(128),
  attention_bias: flag().default(false),
};

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 129280,
      hidden_size: 7168,
      intermediate_size: 18432,
      num_hidden_layers: 61,
      num_attention_heads: 128,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    moe_intermediate_size: size().default(2048),
    n_shared_experts: size().default(1),
    n_routed_experts: expertCount().default(256),
    ...latentKeys,
    first_k_dense_replace: z.int({ error: 'a whole number' }).default(3),
  })
  .refine(...expertsFit('n_routed_experts'))
  .refine(...paddingFits);

type Config = z.output<typeof config>;

/** What attention reads of a config. */
type Latent = Pick<
  Config,
  | 'hidden_size'
  | 'num_attention_heads'
  | 'q_lora_rank'
  | 'kv_lora_rank'
  | 'attention_bias'
  | 'qk_nope_head_dim'
  | 'qk_rope_head_dim'
  | 'v_head_dim'
>;

/** Queries, keys and values by way of few dimensions (multi-head latent attention). */
export function attention(config: Latent): Module {
  const { hidden_size: width, num_attention_heads: heads, q_lora_rank, kv_lora_rank, attention_bias: bias } = config;
  const { qk_nope_head_dim: nope, qk_rope_head_dim: rope, v_head_dim } = config;
  const queries = heads * (nope + rope);
  return container('Attention', {
    ...(q_lora_rank == null
      ? { q_proj: linear(width, queries, false) }
      : {
          q_a_proj: linear(width, q_lora_rank, bias),
          q_a_layernorm: rmsNorm(q_lora_rank),
          q_b_proj: linear(q_lora_rank, queries, false),
        }),
    kv_a_proj_with_mqa: linear(width, kv_lora_rank + rope, bias),
    kv_a_layernorm: rmsNorm(kv_lora_rank),
    kv_b_proj: linear(kv_lora_rank, heads * (nope + v_head_dim), false),
    o_proj: linear(heads * v_head_dim, width, bias),
  });
}

/**
 * Experts, a router that is corrected for balance, and shared experts.
 *
 * @param dtype of the correction; the model's unless given
 */
export function mixture(
  config: Pick<Config, 'hidden_size' | 'n_routed_experts' | 'moe_intermediate_size' | 'n_shared_experts'>,
  dtype?: 'float32',
): Module {
  const { hidden_size, n_routed_experts: experts, moe_intermediate_size: inner, n_shared_experts } = config;
  return container('MoE', {
    experts: expertMlps(experts, hidden_size, inner),
    gate: {
      kind: 'Router',
      own: {
        weight: parameter([experts, hidden_size], 'zeros'),
        e_score_correction_bias: { shape: [experts], initial: 'zeros', buffer: true, dtype },
      },
    },
    shared_experts: gatedMlp({ hidden_size, intermediate_size: inner * n_shared_experts }),
  });
}

const decoder: Decoder<Config> = {
  layer: (config, index) => ({
    self_attn: attention(config),
    mlp: index >= config.first_k_dense_replace ? mixture(config) : gatedMlp(config),
    input_layernorm: rmsNorm(config.hidden_size),
    post_attention_layernorm: rmsNorm(config.hidden_size),
  }),
  norm: rmsNorm,
  rules: expertRules,
};

/** DeepSeek-V3 (DeepSeek-AI 2024), R1 and Kimi K2; the layers that predict further tokens only where they are asked for: transformers makes none. */
export const deepseekV3 = defineArchitecture({
  model_type: 'deepseek_v3',
  config,
  prepare: aliases({ num_local_experts: 'n_routed_experts' }),
  classes: decoderFamily('DeepseekV3', decoder),
  predict: predicting(decoder),
  saved: expertsApart(),
});
