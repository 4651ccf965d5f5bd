// Longer than others: four kinds of layers, and the keys of three generations of configs.

import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, parameter, repeat } from '../module.js';
import { embedding, linear, rmsNorm } from '../modules/index.js';
import { splitExperts } from '../saved.js';
import { aliases, defineArchitecture, flag, optionalSize, size, std } from './architecture.js';
import { renamedLayerTypes } from './config-values.js';
import { expertCount } from './experts.js';
import { headsOf } from './heads.js';
import { mixer2 } from './mamba.js';
import { rescaled, stepBiases, timeSteps } from './state-space.js';
import { transformersInit } from './transformers.js';

const types = ['linear_attention', 'moe', 'full_attention', 'mlp'] as const;
const letters: Readonly<Record<string, string>> = { M: types[0], E: types[1], '*': types[2], '-': types[3] };

const keys = z.looseObject({
  vocab_size: size().default(131072),
  hidden_size: size().default(4096),
  layers_block_type: z
    .array(z.enum(types, { error: types.join(', ') }))
    .max(10_000)
    .default([...types]),
  num_attention_heads: size().default(32),
  num_key_value_heads: size().default(8),
  head_dim: size().default(128),
  intermediate_size: size().default(21504),
  mlp_bias: flag().default(false),
  ssm_state_size: size().default(128),
  mamba_num_heads: size().default(128),
  mamba_head_dim: size().default(64),
  n_groups: size().default(8),
  conv_kernel: size().default(4),
  use_conv_bias: flag().default(true),
  use_bias: flag().default(false),
  ...timeSteps(),
  n_routed_experts: expertCount(0).default(8),
  moe_intermediate_size: size().default(7688),
  moe_shared_expert_intermediate_size: size().default(7688),
  moe_latent_size: optionalSize(),
  initializer_range: std().default(0.02),
  rescale_prenorm_residual: flag().default(true),
  tie_word_embeddings: flag().default(false),
});

const config = keys.refine((given) => given.n_routed_experts > 0 || !given.layers_block_type.includes('moe'), {
  path: ['n_routed_experts'],
  error: 'a whole number ≥ 1',
});

type Config = z.output<typeof config>;

function rule(config: Config) {
  const { initializer_range, rescale_prenorm_residual, layers_block_type } = config;
  const normal: Initializer = { init: 'normal', std: initializer_range };
  const general: Initializer = { init: 'normal', std: initializer_range === 0 ? 0.02 : initializer_range };
  return transformersInit(initializer_range, {
    // Its own code draws the embedding again.
    Embedding: () => ({ weight: [general, normal] }),
    Mixer: ({ children }) => {
      const { out_proj } = children as Readonly<Record<string, Module>>;
      const inputs = out_proj?.own?.weight?.shape[1] ?? 1;
      return {
        A_log: 'log_arange',
        D: 'ones',
        dt_bias: stepBiases(config),
        ...(rescale_prenorm_residual && { 'out_proj.weight': rescaled(inputs, layers_block_type.length) }),
      };
    },
    Router: () => ({ weight: normal, e_score_correction_bias: 'zeros' }),
    Experts: () => ({ up_proj: normal, down_proj: normal }),
  });
}

function mlp(width: number, inner: number, bias: boolean): Module {
  return container('MLP', { up_proj: linear(width, inner, bias), down_proj: linear(inner, width, bias) });
}

function attention({ hidden_size: width, num_attention_heads, num_key_value_heads, head_dim }: Config): Module {
  const [queries, keys] = [num_attention_heads * head_dim, num_key_value_heads * head_dim];
  return container('Attention', {
    q_proj: linear(width, queries, false),
    k_proj: linear(width, keys, false),
    v_proj: linear(width, keys, false),
    o_proj: linear(queries, width, false),
  });
}

/** Experts may work in fewer dimensions, between two projections. */
function mixture(config: Config): Module {
  const {
    hidden_size: width,
    n_routed_experts: experts,
    moe_intermediate_size: inner,
    moe_latent_size: latent,
  } = config;
  const { mlp_bias } = config;
  const inputs = latent ?? width;
  return container('MoE', {
    experts: {
      kind: 'Experts',
      own: { up_proj: parameter([experts, inner, inputs]), down_proj: parameter([experts, inputs, inner]) },
    },
    gate: {
      kind: 'Router',
      own: {
        weight: parameter([experts, width], 'zeros'),
        e_score_correction_bias: { shape: [experts], initial: 'zeros', buffer: true },
      },
    },
    shared_experts: mlp(width, config.moe_shared_expert_intermediate_size, mlp_bias),
    ...(latent != null && {
      fc1_latent_proj: linear(width, latent, mlp_bias),
      fc2_latent_proj: linear(latent, width, mlp_bias),
    }),
  });
}

function mixer(config: Config, type: string | undefined): Module {
  const { hidden_size: width, mamba_num_heads: heads, n_groups: groups, ssm_state_size: state } = config;
  if (type === 'moe') return mixture(config);
  if (type === 'mlp') return mlp(width, config.intermediate_size, config.mlp_bias);
  if (type === 'full_attention') return attention(config);
  const sizes = { width, inner: heads * config.mamba_head_dim, heads, groups, state, kernel: config.conv_kernel };
  return mixer2(sizes, config.use_bias, config.use_conv_bias);
}

function body(config: Config): Module {
  const { vocab_size, hidden_size: width, layers_block_type: kinds } = config;
  const block = (index: number) => container('Block', { norm: rmsNorm(width), mixer: mixer(config, kinds[index]) });
  const children = {
    embeddings: embedding(vocab_size, width),
    layers: repeat(kinds.length, block),
    norm_f: rmsNorm(width),
  };
  return container('NemotronH', children, { initialize: rule(config) });
}

const width = ({ hidden_size }: Config) => hidden_size;
const { causalLm } = headsOf<Config>({ body, rule, width, name: 'model', embedding: 'embeddings' });
const general = aliases({
  layer_types: 'layers_block_type',
  num_local_experts: 'n_routed_experts',
  mamba_n_groups: 'n_groups',
  mamba_d_conv: 'conv_kernel',
  mamba_dt_min: 'time_step_min',
  mamba_dt_max: 'time_step_max',
  mamba_dt_init_floor: 'time_step_floor',
  mamba_conv_bias: 'use_conv_bias',
});

/** Nemotron-H and Nemotron 3 (Nvidia 2025): Mamba-2, attention, MLPs and experts, one a layer. Heads are never tied. */
export const nemotronH = defineArchitecture<Config>({
  model_type: 'nemotron_h',
  config,
  prepare: ({ hybrid_override_pattern: pattern, ...given }) => {
    const { layers_block_type, ...config } = general(given);
    if (layers_block_type != null) return { ...config, layers_block_type: renamedLayerTypes(layers_block_type) };
    if (pattern === undefined) return config;
    const kinds = typeof pattern === 'string' ? [...pattern].map((letter) => letters[letter]) : pattern;
    return { ...config, layers_block_type: kinds };
  },
  classes: {
    NemotronHForCausalLM: (config) => causalLm({ ...config, tie_word_embeddings: false }),
    NemotronHModel: body,
  },
  saved: {
    rename: [[/(^|\.)model\./, '$1backbone.']],
    split(tensor) {
      const [, experts = '', matrix] = /^(.*\.experts)\.(up_proj|down_proj)$/.exec(tensor.name) ?? [];
      return matrix === undefined ? undefined : splitExperts(tensor, experts, [`${matrix}.weight`]);
    },
  },
});
