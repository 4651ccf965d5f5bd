import type { Steps } from '../core/codes.js';
import type { Fill } from '../core/fill.js';
import type { Initializer } from '../init/initializers.js';
import type { ResolvedTensor } from './plan.js';

/** The numbers that an initializer came to on a shape. */
export interface FillFacts {
  /** For people: 'std 0.02', 'bound 0.0361', 'value 1'. */
  readonly text: string;
  /** The standard deviation of the values, where they are all of one distribution; the parameter for truncated normals. */
  readonly std?: number;
  /** Values lie within ±bound, where the distribution is symmetric and bounded. */
  readonly bound?: number;
}

/** A number in six digits. */
function digits(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** What a fill is, in a few words and numbers. */
export function factsOfFill(fill: Fill): FillFacts {
  switch (fill.kind) {
    case 'constant':
      return { text: `value ${digits(fill.value)}`, std: 0 };
    case 'normal':
      return {
        text: fill.mean === 0 ? `std ${digits(fill.std)}` : `mean ${digits(fill.mean)}, std ${digits(fill.std)}`,
        std: fill.std,
      };
    case 'uniform': {
      const std = (fill.b - fill.a) / Math.sqrt(12);
      if (fill.a === -fill.b) return { text: `bound ${digits(fill.b)}`, std, bound: fill.b };
      return { text: `from ${digits(fill.a)} to ${digits(fill.b)}`, std };
    }
    case 'trunc_normal': {
      const { mean, std, a, b } = fill;
      const middle = mean === 0 ? '' : `mean ${digits(mean)}, `;
      if (a === -b) return { text: `${middle}std ${digits(std)} within ±${digits(b)}`, std, bound: b };
      return { text: `${middle}std ${digits(std)} from ${digits(a)} to ${digits(b)}`, std };
    }
    case 'diagonal':
      return { text: `diagonal ${digits(fill.value)}` };
    case 'orthogonal':
      return { text: `gain ${digits(fill.gain)}` };
    case 'log_of_uniform':
      return { text: `ln of ${digits(fill.a)} to ${digits(fill.b)}` };
    case 'dt_bias':
      return { text: `softplus⁻¹ of ${digits(fill.min)} to ${digits(fill.max)}` };
    case 'log_arange':
      return { text: `ln of ${digits(fill.start)} to ${digits(fill.start + fill.cols - 1)}` };
    case 'sinusoid':
      return { text: `sines of base ${digits(fill.base)}` };
    case 'sparse':
      return { text: `std ${digits(fill.std)}, ${fill.zeros} of ${fill.rows} zero`, std: fill.std };
  }
}

/** Steps in a few words: 'all 7', 'from 0, 1 more every 128', 'a table of whole numbers from 24'. */
export function stepsText({ start, terms }: Steps): string {
  if (terms.length > 1) return `a table of whole numbers from ${start}`;
  const [{ step, every } = { step: 0, every: 1 }] = terms;
  if (step === 0) return `all ${start}`;
  return every === 1 ? `from ${start} in steps of ${step}` : `from ${start}, ${step} more every ${every}`;
}

/** An initializer on one line: its name, and the parameters that were given. */
export function showInitializer(initializer: Initializer): string {
  if (typeof initializer === 'string') return initializer;
  const { init, ...parameters } = initializer as { readonly init: string } & Readonly<Record<string, unknown>>;
  const given = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'number' ? digits(value) : String(value)}`);
  return given.length === 0 ? init : `${init}(${given.join(', ')})`;
}

/** Sums over tensors. */
export interface Totals {
  readonly tensors: number;
  readonly parameters: number;
  /** Of tensors, without headers. */
  readonly bytes: number;
}

/** Sums over all tensors, and over those of each dtype. */
export function totalsOf(
  tensors: readonly ResolvedTensor[],
): Totals & { readonly dtypes: Readonly<Record<string, Totals>> } {
  const none: Totals = { tensors: 0, parameters: 0, bytes: 0 };
  const add = (sum: Totals, { elements, bytes }: ResolvedTensor): Totals => {
    return { tensors: sum.tensors + 1, parameters: sum.parameters + elements, bytes: sum.bytes + bytes };
  };
  const dtypes: Record<string, Totals> = {};
  for (const tensor of tensors) dtypes[tensor.dtype] = add(dtypes[tensor.dtype] ?? none, tensor);
  return { ...tensors.reduce(add, none), dtypes };
}
