// Longer than others: both Mamba and Mamba-2, whose mixers other families have too.

import { z } from 'zod';
import { inverseRoot } from '../../core/inverse-root.js';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, parameter, type Rule, repeat } from '../module.js';
import { conv1d, embedding, linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, layers, size, std } from './architecture.js';
import { headsOf } from './heads.js';
import { stateSpaceRules, timeSteps } from './state-space.js';
import { transformersInit } from './transformers.js';

function keys(defaults: { vocab: number; width: number; layers: number; state: number; tied: boolean }) {
  return {
    vocab_size: size().default(defaults.vocab),
    hidden_size: size().default(defaults.width),
    num_hidden_layers: layers().default(defaults.layers),
    state_size: size().default(defaults.state),
    expand: size().default(2),
    conv_kernel: size().default(4),
    use_bias: flag().default(false),
    use_conv_bias: flag().default(true),
    initializer_range: std().default(0.1),
    rescale_prenorm_residual: flag().default(false),
    tie_word_embeddings: flag().default(defaults.tied),
    ...timeSteps(),
  };
}

const config1 = z.looseObject({
  ...keys({ vocab: 50280, width: 768, layers: 32, state: 16, tied: true }),
  time_step_rank: z
    .union(
      [
        size(),
        z
          .string()
          .regex(/^\s*\+?\d+\s*$/)
          .transform(Number),
        z.literal('auto'),
      ],
      {
        error: "a whole number ≥ 1, or 'auto'",
      },
    )
    .default('auto'),
  // Of a saved config: it counts, whatever expand and hidden_size have become since.
  intermediate_size: size().optional(),
  time_step_scale: std().default(1),
  time_step_init_scheme: z.string().default('random'),
});

type Config1 = z.output<typeof config1>;

/** What both have. */
type Config = z.output<z.ZodObject<ReturnType<typeof keys>>>;

const rankOf = ({ time_step_rank: rank, hidden_size }: Config1) =>
  rank === 'auto' ? Math.ceil(hidden_size / 16) : rank;

function mixer1(config: Config1): Module {
  const { hidden_size: width, state_size: state, use_bias: bias } = config;
  const inner = config.intermediate_size ?? config.expand * width;
  const rank = rankOf(config);
  return {
    kind: 'Mixer',
    own: { A_log: parameter([inner, state]), D: parameter([inner]) },
    children: {
      conv1d: conv1d(inner, inner, config.conv_kernel, { groups: inner, bias: config.use_conv_bias }),
      in_proj: linear(width, 2 * inner, bias),
      x_proj: linear(inner, rank + 2 * state, false),
      dt_proj: linear(rank, inner),
      out_proj: linear(inner, width, bias),
    },
  };
}

/** Weights of the steps by their rank; schemes of other names leave what the linear layer had. */
function dtWeight(config: Config1): Readonly<Record<string, Initializer>> {
  const bound = inverseRoot(rankOf(config), 2) * config.time_step_scale;
  if (config.time_step_init_scheme === 'constant') return { 'dt_proj.weight': { init: 'constant', val: bound } };
  return config.time_step_init_scheme === 'random'
    ? { 'dt_proj.weight': { init: 'uniform', a: -bound, b: bound } }
    : {};
}

const rule1 = (config: Config1) =>
  transformersInit(config.initializer_range, {
    Mixer: stateSpaceRules(config, 'dt_proj.bias', dtWeight(config)),
  });

const config2 = z
  .looseObject({
    ...keys({ vocab: 32768, width: 4096, layers: 64, state: 128, tied: false }),
    num_heads: size().default(128),
    head_dim: size().default(64),
    n_groups: size().default(8),
  })
  .refine(({ hidden_size, expand, num_heads, head_dim }) => hidden_size * expand === num_heads * head_dim, {
    path: ['num_heads'],
    error: 'hidden_size · expand / head_dim',
  });

type Config2 = z.output<typeof config2>;

/** The mixer of Mamba-2, as other families have it too. */
export function mixer2(
  sizes: { width: number; inner: number; heads: number; groups: number; state: number; kernel: number },
  bias: boolean,
  convBias: boolean,
): Module {
  const { width, inner, heads } = sizes;
  const conv = inner + 2 * sizes.groups * sizes.state;
  return {
    kind: 'Mixer',
    own: { dt_bias: parameter([heads]), A_log: parameter([heads]), D: parameter([heads]) },
    children: {
      conv1d: conv1d(conv, conv, sizes.kernel, { groups: conv, bias: convBias }),
      in_proj: linear(width, inner + conv + heads, bias),
      norm: rmsNorm(inner),
      out_proj: linear(inner, width, bias),
    },
  };
}

const rule2 = (config: Config2) =>
  transformersInit(config.initializer_range, { Mixer: stateSpaceRules(config, 'dt_bias') });

function family<C extends Config>(name: string, mixer: (config: C) => Module, rule: (config: C) => Rule) {
  const body = (config: C): Module => {
    const { vocab_size, hidden_size: width, num_hidden_layers } = config;
    const block = () => container('Block', { norm: rmsNorm(width), mixer: mixer(config) });
    const children = {
      embeddings: embedding(vocab_size, width),
      layers: repeat(num_hidden_layers, block),
      norm_f: rmsNorm(width),
    };
    return container('Mamba', children, { initialize: rule(config) });
  };
  const width = ({ hidden_size }: C) => hidden_size;
  const { causalLm } = headsOf({ body, rule, width, name: 'backbone', embedding: 'embeddings' });
  return { [`${name}ForCausalLM`]: causalLm, [`${name}Model`]: body };
}

/** Mamba (Gu and Dao 2023): A = −1 … −n by S4D-Real, D 1, steps log-uniform; convolutions and projections back as PyTorch has them. */
export const mamba = defineArchitecture<Config1>({
  model_type: 'mamba',
  config: config1,
  classes: family('Mamba', mixer1, rule1),
});

/** Mamba-2 (Dao and Gu 2024): a step and an A for each head. */
export const mamba2 = defineArchitecture<Config2>({
  model_type: 'mamba2',
  config: config2,
  classes: family(
    'Mamba2',
    ({
      hidden_size: width,
      expand,
      num_heads: heads,
      n_groups: groups,
      state_size: state,
      conv_kernel: kernel,
      ...rest
    }) => mixer2({ width, inner: expand * width, heads, groups, state, kernel }, rest.use_bias, rest.use_conv_bias),
    rule2,
  ),
});
