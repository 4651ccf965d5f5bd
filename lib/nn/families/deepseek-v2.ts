import { z } from 'zod';
import { container, type Module } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, headsDivide, paddingFits, size } from './architecture.js';
import { decoderFamily, decoderKeys, gatedMlp } from './decoder.js';
import { attention, latentKeys } from './deepseek-v3.js';
import { expertCount, expertMlps, expertRules, expertsApart, expertsFit, router } from './experts.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 102400,
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    ...latentKeys,
    moe_intermediate_size: size().default(1407),
    n_shared_experts: size().default(2),
    n_routed_experts: expertCount().default(64),
    first_k_dense_replace: z.int({ error: 'a whole number' }).default(0),
    mlp_bias: flag().default(false),
  })
  .refine(...headsDivide)
  .refine(...expertsFit('n_routed_experts'))
  .refine(...paddingFits);

type Config = z.output<typeof config>;

function mixture(config: Config): Module {
  const { hidden_size, n_routed_experts: experts, moe_intermediate_size: inner, n_shared_experts, mlp_bias } = config;
  return container('MoE', {
    experts: expertMlps(experts, hidden_size, inner),
    gate: router(experts, hidden_size),
    shared_experts: gatedMlp({ hidden_size, intermediate_size: inner * n_shared_experts }, mlp_bias),
  });
}

/** DeepSeek-V2 (DeepSeek-AI 2024): latent attention, and experts beside shared ones. */
export const deepseekV2 = defineArchitecture({
  model_type: 'deepseek_v2',
  config,
  prepare: aliases({ num_experts: 'n_routed_experts' }),
  classes: decoderFamily<Config>(
    'DeepseekV2',
    {
      layer: (config, index) => ({
        self_attn: attention(config),
        mlp: index >= config.first_k_dense_replace ? mixture(config) : gatedMlp(config, config.mlp_bias),
        input_layernorm: rmsNorm(config.hidden_size),
        post_attention_layernorm: rmsNorm(config.hidden_size),
      }),
      norm: rmsNorm,
      rules: expertRules,
    },
    { tokens: false },
  ),
  saved: expertsApart(),
});
