// Longer than others: the layers of three families.

import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { conv1d, linear, rmsNorm } from '../modules/index.js';
import { flag, interval, size } from './architecture.js';
import { attention, type Decoder, type DecoderConfig, gatedMlp, headDim } from './decoder.js';
import { expertMlps, router } from './experts.js';

/** The keys of linear attention, and of what layers have it. */
export const deltaKeys = {
  head_dim: size().default(256),
  attention_bias: flag().default(false),
  linear_conv_kernel_dim: size().default(4),
  linear_key_head_dim: size().default(128),
  linear_value_head_dim: size().default(128),
  linear_num_key_heads: size().default(16),
  linear_num_value_heads: size().default(32),
  layer_types: z
    .array(z.enum(['linear_attention', 'full_attention'], { error: 'linear_attention or full_attention' }))
    .nullish(),
  full_attention_interval: interval().optional(),
};

/** What the layers read of a config. */
export type DeltaConfig = DecoderConfig & z.output<z.ZodObject<typeof deltaKeys>>;

const isLinear = ({ layer_types, full_attention_interval: every = 4 }: DeltaConfig, index: number): boolean =>
  layer_types == null ? (index + 1) % every !== 0 : layer_types[index] === 'linear_attention';

const decay = { init: 'log_of_uniform', a: 0.01, b: 16 } as const;
/** A norm that multiplies by 1 + weight. */
const norm = (width: number) => rmsNorm(width, 'zeros');

/** A gated delta network: `projections` from the sizes of keys, values and heads. */
function linearAttention(
  config: DeltaConfig,
  projections: (width: number, keys: number, values: number, heads: number) => Readonly<Record<string, Module>>,
  early: boolean,
): Module {
  const { hidden_size: width, linear_num_value_heads: heads, linear_value_head_dim, linear_conv_kernel_dim } = config;
  const keys = config.linear_key_head_dim * config.linear_num_key_heads;
  const values = linear_value_head_dim * heads;
  const channels = 2 * keys + values;
  const before = projections(width, keys, values, heads);
  const children = {
    conv1d: conv1d(channels, channels, linear_conv_kernel_dim, { groups: channels, bias: false }),
    ...(early && before),
    norm: { kind: 'GatedNorm', own: { weight: parameter([linear_value_head_dim], 'ones') } },
    out_proj: linear(values, width, false),
    ...(!early && before),
  };
  const [conv = '', ...others] = Object.keys(children);
  const first = early ? [conv, ...Object.keys(before)] : [conv];
  return {
    kind: 'GatedDeltaNet',
    own: { dt_bias: parameter([heads], 'ones'), A_log: parameter([heads], decay) },
    children,
    construction: [...first, 'dt_bias', 'A_log', ...others.filter((name) => !first.includes(name))],
  };
}

/** Attention whose queries come with gates: twice as many. */
function gatedAttention(config: DeltaConfig): Module {
  const queries = 2 * config.num_attention_heads * headDim(config);
  const plain = attention(config, { bias: config.attention_bias, norms: () => norm(headDim(config)) });
  const q_proj = linear(config.hidden_size, queries, config.attention_bias);
  return { ...plain, children: { ...(plain.children as Readonly<Record<string, Module>>), q_proj } };
}

/** Experts, and one that every token goes to, behind a gate. */
export function sharedMixture(
  config: { hidden_size: number; num_experts: number } & Record<
    'moe_intermediate_size' | 'shared_expert_intermediate_size',
    number
  >,
): Module {
  const { hidden_size: width, num_experts: experts, moe_intermediate_size: inner } = config;
  return container('SparseMoeBlock', {
    gate: router(experts, width),
    experts: expertMlps(experts, width, inner),
    shared_expert: gatedMlp({ hidden_size: width, intermediate_size: config.shared_expert_intermediate_size }),
    shared_expert_gate: linear(width, 1, false),
  });
}

/**
 * Decoders of which most layers are gated delta networks (Yang et al. 2024, arXiv:2412.06464): norms that begin at 0, A = −U[0.01, 16).
 *
 * @param mlp a layer's
 * @param joined whether queries, keys, values and gates come of one matrix
 */
export function deltaDecoder<C extends DeltaConfig>(
  mlp: (config: C, index: number) => Module,
  joined: boolean,
): Decoder<C> {
  return {
    layer: (config, index) => ({
      ...(isLinear(config, index)
        ? {
            linear_attn: linearAttention(
              config,
              (width, keys, values, heads) =>
                joined
                  ? {
                      in_proj_qkvz: linear(width, 2 * keys + 2 * values, false),
                      in_proj_ba: linear(width, 2 * heads, false),
                    }
                  : {
                      in_proj_qkv: linear(width, 2 * keys + values, false),
                      in_proj_z: linear(width, values, false),
                      in_proj_b: linear(width, heads, false),
                      in_proj_a: linear(width, heads, false),
                    },
              joined,
            ),
          }
        : { self_attn: gatedAttention(config) }),
      mlp: mlp(config, index),
      input_layernorm: norm(config.hidden_size),
      post_attention_layernorm: norm(config.hidden_size),
    }),
    norm,
    rules: ({ initializer_range: std }) => ({
      RMSNorm: () => ({ weight: 'zeros' }),
      GatedDeltaNet: () => ({ dt_bias: 'ones', A_log: decay }),
      Experts: () => ({ gate_up_proj: { init: 'normal', std }, down_proj: { init: 'normal', std } }),
      SparseMoeBlock: () => ({ 'gate.weight': { init: 'normal', std } }),
    }),
  };
}
