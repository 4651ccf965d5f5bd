import type { Dtype } from '../../../lib/core/dtype.js';
import * as layers from '../../../lib/nn/layers/index.js';
import type { Tensor } from '../../../lib/tensor/tensor.js';
import recorded from '../../fixtures/torch/layers.json' with { type: 'json' };
import modules from '../../fixtures/torch/modules.json' with { type: 'json' };

/** What a constructor of torch.nn made under a seed. */
export interface Case {
  readonly kind: layers.LayerKind;
  readonly args: Readonly<Record<string, unknown>>;
  readonly dtype: Dtype;
  readonly seed: number;
  /** [name, shape], or [name, 'int64', shape]. */
  readonly tensors: readonly (readonly [string, readonly number[]] | readonly [string, 'int64', readonly number[]])[];
  /** Of all bytes, one tensor after the other. */
  readonly sha256: string;
  /** Of torch.get_rng_state() afterwards. */
  readonly state_sha256: string;
}

export const cases = recorded.cases as unknown as readonly Case[];

export const title = ({ kind, args, dtype }: Case) => `${kind}(${JSON.stringify(args)}) ${dtype}`;

export const signatures: Readonly<Record<string, { arguments: unknown[][]; by_name: string[] }>> = recorded.signatures;

type Make = (...args: readonly unknown[]) => Record<string, layers.Counter | Tensor<Float32Array>>;

/** A layer's function, its arguments' types forgotten. */
export const functionOf = (kind: string) => (layers as unknown as Readonly<Record<string, Make>>)[kind] as Make;

/** Calls a layer's function as Python calls its constructor: `Conv2d(4, 8, (3, 5), groups=2)`. */
export function call(python: string, options: object) {
  const [, kind = '', list = ''] = /^(\w+)\((.*)\)$/.exec(python) ?? [];
  const json = list
    .replace(/\bTrue\b/g, 'true')
    .replace(/\bFalse\b/g, 'false')
    .replace(/\(/g, '[')
    .replace(/\)/g, ']');
  const given = json.split(/, (?![^[]*\])/).map((each) => each.split('='));
  const parse = (text = '') => JSON.parse(text) as unknown;
  const positional = given.filter((each) => each.length === 1).map(([value]) => parse(value));
  const keywords = given.filter((each) => each.length === 2).map(([name = '', value]) => [name, parse(value)] as const);
  return functionOf(kind)(...positional, { ...Object.fromEntries(keywords), ...options });
}

export const moduleCases = modules.cases;
