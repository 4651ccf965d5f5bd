import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { mostTensors } from '../flatten.js';
import { container, type Module, parameter, type Rule } from '../module.js';
import { type Saved, splitExperts } from '../saved.js';

/** How many experts a layer has. */
export function expertCount(min: 0 | 1 = 1): z.ZodNumber {
  const error = `a whole number from ${min} to 100000`;
  return z.int({ error }).min(min, { error }).max(100_000, { error });
}

type Refinement<Config> = [fits: (config: Config) => boolean, { path: string[]; error: string }];

/** For refine: that the experts' tensors, saved apart, are not too many; `key` says how many experts a layer has. */
export function expertsFit<K extends string>(key: K): Refinement<Record<K | 'num_hidden_layers', number>> {
  return [
    (config) => 3 * config.num_hidden_layers * config[key] <= mostTensors,
    { path: [key], error: `at most ${mostTensors} tensors of experts, three a layer and expert` },
  ];
}

/** A router: which experts a token goes to. */
export function router(experts: number, width: number): Module {
  return { kind: 'Router', own: { weight: parameter([experts, width], 'zeros') } };
}

/** A layer's gated MLPs in two tensors. */
export function expertMlps(experts: number, width: number, inner: number): Module {
  const own = {
    gate_up_proj: parameter([experts, 2 * inner, width]),
    down_proj: parameter([experts, width, inner]),
  };
  return { kind: 'Experts', own };
}

/** A layer's mixture of experts; what else it has, a shared expert say, comes after these. */
export function mixture(
  experts: number,
  width: number,
  inner: number,
  others: Readonly<Record<string, Module>> = {},
): Module {
  const parts = { gate: router(experts, width), experts: expertMlps(experts, width, inner) };
  return container('SparseMoeBlock', { ...parts, ...others });
}

/** Routers and experts are normal with just the config's deviation, 0 too. */
export function expertRules({ initializer_range: std }: { initializer_range: number }): Readonly<Record<string, Rule>> {
  const normal: Initializer = { init: 'normal', std };
  return {
    Router: () => ({ weight: normal }),
    Experts: () => ({ gate_up_proj: normal, down_proj: normal }),
  };
}

/** Each expert's matrices are saved apart: `experts.0.gate_proj.weight`, and so on. */
export function expertsApart(
  [gate, up, down] = ['gate_proj', 'up_proj', 'down_proj'],
  rename: Saved['rename'] = [],
): Saved {
  return {
    rename,
    split(tensor) {
      const [, experts, matrix] = /^(.*\.experts)\.(gate_up|down)_proj$/.exec(tensor.name) ?? [];
      if (experts === undefined) return undefined;
      const matrices = matrix === 'down' ? [down] : [gate, up];
      return splitExperts(
        tensor,
        experts,
        matrices.map((name) => `${name}.weight`),
      );
    },
  };
}
