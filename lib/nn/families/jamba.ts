import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { conv1d, linear, rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, interval, paddingFits, size } from './architecture.js';
import { attention, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';
import { expertCount, expertMlps, expertRules, expertsApart, expertsFit } from './experts.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 65536,
      hidden_size: 4096,
      intermediate_size: 14336,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: 0,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(8),
    num_experts: expertCount().default(16),
    expert_layer_period: interval().default(2),
    expert_layer_offset: z.int().default(1),
    attn_layer_period: interval().default(8),
    attn_layer_offset: z.int().default(4),
    mamba_d_state: size().default(16),
    mamba_d_conv: size().default(4),
    mamba_expand: size().default(2),
    mamba_dt_rank: z.union([size(), z.literal('auto')], { error: "a whole number ≥ 1, or 'auto'" }).default('auto'),
    mamba_conv_bias: flag().default(true),
    mamba_proj_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .refine(...expertsFit('num_experts'))
  .refine(({ hidden_size, num_attention_heads }) => hidden_size >= num_attention_heads, {
    path: ['hidden_size'],
    error: 'at least num_attention_heads',
  })
  .refine(({ attn_layer_offset, attn_layer_period }) => attn_layer_offset < attn_layer_period, {
    path: ['attn_layer_offset'],
    error: 'less than attn_layer_period',
  })
  .refine(({ expert_layer_offset, expert_layer_period }) => expert_layer_offset < expert_layer_period, {
    path: ['expert_layer_offset'],
    error: 'less than expert_layer_period',
  });

type Config = z.output<typeof config>;

/** Mamba's mixer, with norms of what the steps and the state are made of. */
function mixer(config: Config): Module {
  const { hidden_size: width, mamba_d_state: state, mamba_dt_rank, mamba_proj_bias: bias } = config;
  const inner = config.mamba_expand * width;
  const rank = mamba_dt_rank === 'auto' ? Math.ceil(width / 16) : mamba_dt_rank;
  return {
    kind: 'Mixer',
    own: { A_log: parameter([inner, state]), D: parameter([inner]) },
    children: {
      conv1d: conv1d(inner, inner, config.mamba_d_conv, { groups: inner, bias: config.mamba_conv_bias }),
      in_proj: linear(width, 2 * inner, bias),
      x_proj: linear(inner, rank + 2 * state, false),
      dt_proj: linear(rank, inner),
      out_proj: linear(inner, width, bias),
      dt_layernorm: rmsNorm(rank),
      b_layernorm: rmsNorm(state),
      c_layernorm: rmsNorm(state),
    },
  };
}

function feedForward({ num_experts, hidden_size, intermediate_size }: Config): Module {
  return container('SparseMoeBlock', {
    router: linear(hidden_size, num_experts, false),
    experts: expertMlps(num_experts, hidden_size, intermediate_size),
  });
}

const { causalLm, body, sequences } = decoderClasses<Config>({
  layer: (config, index) => {
    const isAt = (offset: number, period: number) => index % period === offset;
    const attends = isAt(config.attn_layer_offset, config.attn_layer_period);
    const mixes = config.num_experts > 1 && isAt(config.expert_layer_offset, config.expert_layer_period);
    return {
      ...(attends ? { self_attn: attention(config) } : { mamba: mixer(config) }),
      feed_forward: mixes ? feedForward(config) : gatedMlp(config),
      input_layernorm: rmsNorm(config.hidden_size),
      pre_ff_layernorm: rmsNorm(config.hidden_size),
    };
  },
  norm: rmsNorm,
  normName: 'final_layernorm',
  rules: (config) => ({ ...expertRules(config), Mixer: () => ({ A_log: 'log_arange', D: 'ones' }) }),
});

/** Jamba (Lieber et al. 2024): Mamba's mixers, attention every few layers, mixtures of experts every other: N(0, initializer_range²). */
export const jamba = defineArchitecture<Config>({
  model_type: 'jamba',
  config,
  prepare: aliases({ num_local_experts: 'num_experts' }),
  classes: { JambaForCausalLM: causalLm, JambaModel: body, JambaForSequenceClassification: sequences },
  saved: expertsApart(),
});
