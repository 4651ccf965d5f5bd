import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import type { Module, Rule } from '../module.js';

const step = (initial: number) =>
  z
    .number({ error: 'a number' })
    .min(1e-300, { error: 'a number > 0' })
    .max(1e4, { error: 'a number ≤ 10000' })
    .default(initial);

/** The keys of a config that say between which sizes Mamba's steps begin. */
export function timeSteps() {
  return {
    time_step_min: step(0.001),
    time_step_max: step(0.1),
    time_step_floor: z.number({ error: 'a number' }).min(0, { error: 'a number ≥ 0' }).max(1e4).default(1e-4),
  };
}

type Steps = z.output<z.ZodObject<ReturnType<typeof timeSteps>>>;

/** Biases whose softplus is log-uniform between the config's steps. */
export function stepBiases({ time_step_min, time_step_max, time_step_floor }: Steps): Initializer {
  return { init: 'dt_bias', min: time_step_min, max: time_step_max, floor: time_step_floor };
}

/** PyTorch's own initialization of a linear layer with so many inputs, over √layers: what is added to the residual stream. */
export function rescaled(inputs: number, layers: number): Initializer {
  const bound = (Math.sqrt(3) * (Math.sqrt(2 / 6) / Math.sqrt(inputs))) / Math.sqrt(layers);
  return { init: 'uniform', a: -bound, b: bound };
}

interface Config extends Steps {
  readonly num_hidden_layers: number;
  readonly rescale_prenorm_residual: boolean;
}

const torchs: Initializer = { init: 'kaiming_uniform', a: Math.sqrt(5) };

/**
 * What Mamba's mixers write, in its order.
 *
 * @param bias the tensor of the steps' biases
 * @param before what is written before that
 */
export function stateSpaceRules(
  config: Config,
  bias: string,
  before: Readonly<Record<string, Initializer>> = {},
): Rule {
  return (mixer) => {
    const parts = new Map<string, Module>(Object.entries(mixer.children ?? {}));
    const inputs = parts.get('out_proj')?.own?.weight?.shape[1] ?? 1;
    const out = config.rescale_prenorm_residual ? rescaled(inputs, config.num_hidden_layers) : torchs;
    return {
      A_log: 'log_arange',
      D: 'ones',
      ...before,
      [bias]: stepBiases(config),
      'conv1d.weight': torchs,
      ...(parts.get('conv1d')?.own?.bias !== undefined && { 'conv1d.bias': 'zeros' as const }),
      'out_proj.weight': out,
    };
  };
}
