import { checkOneOf, rangeError, typeError } from '../core/check.js';
import { normalIntegral } from '../core/quadrature.js';

/** One row of the table of gains. */
export interface Gain {
  /** The name of the function, as in torch.nn.functional. */
  readonly name: string;
  /** What calculate_gain returns (for leaky_relu at its default slope). */
  readonly value: number;
  /** How the value comes about. */
  readonly formula: string;
  /** Who says so. */
  readonly source: string;
  /**
   * 1 / sqrt(E[f(z)²]) with z ~ N(0, 1): the factor that keeps the second moment through this function, whatever custom
   * says. Computed with 60 digits.
   */
  readonly moment: number;
  /** The parameter of the function, for those that have one. */
  readonly param?: { readonly name: string; readonly default: number };
}

const torch = 'PyTorch 2.14, torch.nn.init.calculate_gain';
const he = `He et al. 2015, arXiv:1502.01852; ${torch}`;
const byMoment = '1 / sqrt(E[f(z)²]), z ~ N(0, 1)';
const identity = { value: 1, formula: '1', source: torch, moment: 1 } as const;

/**
 * The gains, as data. The first twelve are PyTorch's, to the last bit; the others, which PyTorch lacks, are the `moment`.
 * Where custom and moment differ (sigmoid, tanh, selu) calculate_gain keeps to PyTorch: pass the moment as a number
 * if that is what you want, `init.kaiming_normal_(w, { gain: 1 })` for a self-normalizing SELU network.
 */
export const gains = [
  { name: 'linear', ...identity },
  { name: 'conv1d', ...identity },
  { name: 'conv2d', ...identity },
  { name: 'conv3d', ...identity },
  { name: 'conv_transpose1d', ...identity },
  { name: 'conv_transpose2d', ...identity },
  { name: 'conv_transpose3d', ...identity },
  { name: 'sigmoid', value: 1, formula: '1', source: `${torch} (custom)`, moment: 1.8462285453386054 },
  { name: 'tanh', value: 5 / 3, formula: '5 / 3', source: `${torch} (custom)`, moment: 1.5925374197228315 },
  { name: 'relu', value: Math.SQRT2, formula: 'sqrt(2)', source: he, moment: Math.SQRT2 },
  {
    name: 'leaky_relu',
    value: 1.4141428569978354,
    formula: 'sqrt(2 / (1 + negative_slope²))',
    source: he,
    moment: 1.4141428569978354,
    param: { name: 'negative_slope', default: 0.01 },
  },
  {
    name: 'selu',
    value: 3 / 4,
    formula: '3 / 4',
    source: `${torch}; found empirically, pytorch/pytorch#50664`,
    moment: 1, // the fixed point of Klambauer et al. 2017, arXiv:1706.02515
  },
  {
    name: 'gelu',
    value: 1.5335304411955353,
    formula: byMoment,
    source: 'nninit; f of Hendrycks & Gimpel 2016, arXiv:1606.08415, the exact one',
    moment: 1.5335304411955353,
  },
  {
    name: 'silu',
    value: 1.676532470331091,
    formula: byMoment,
    source: 'nninit; f of Elfwing et al. 2017, arXiv:1702.03118',
    moment: 1.676532470331091,
  },
  {
    name: 'elu',
    value: 1.2451983007007066,
    formula: `${byMoment}, α = 1`,
    source: 'nninit; f of Clevert et al. 2015, arXiv:1511.07289',
    moment: 1.2451983007007066,
  },
  {
    name: 'mish',
    value: 1.486847581273208,
    formula: byMoment,
    source: 'nninit; f of Misra 2019, arXiv:1908.08681',
    moment: 1.486847581273208,
  },
  {
    name: 'softplus',
    value: 1.0418668355353018,
    formula: `${byMoment}, β = 1`,
    source: 'nninit; f of Dugas et al. 2000 (NIPS 13)',
    moment: 1.0418668355353018,
  },
] as const satisfies readonly Gain[];

/** A function that the table of gains knows. */
export type Nonlinearity = (typeof gains)[number]['name'];

/** The names in the table of gains. */
export const nonlinearities: readonly Nonlinearity[] = gains.map((gain) => gain.name);

const values = new Map<string, number>(gains.map((gain) => [gain.name, gain.value]));

/**
 * The gain recommended for a nonlinearity: `torch.nn.init.calculate_gain`, with gelu, silu, elu, mish and softplus beside
 * PyTorch's twelve. The `gains` table says where each comes from.
 *
 * @param nonlinearity the function's name
 * @param param the negative slope of leaky_relu, 0.01 by default; the other functions have none and ignore it
 * @throws RangeError for an unknown name and a slope that is not finite; TypeError for wrong types
 */
export function calculate_gain(nonlinearity: Nonlinearity, param?: number): number {
  return gainFor('calculate_gain', nonlinearity, 'param', param);
}

/** calculate_gain in the name of another function, whose argument `argument` is the negative slope. */
export function gainFor(fn: string, nonlinearity: unknown, argument: string, param: number | undefined): number {
  const gain = values.get(nonlinearity as string);
  if (gain === undefined) {
    const why = typeof nonlinearity === 'string' ? `Unsupported nonlinearity ${nonlinearity}` : undefined;
    checkOneOf(fn, 'nonlinearity', nonlinearity, nonlinearities, why);
  }
  if (param === undefined) return gain as number;
  const why = `negative_slope ${String(param)} not a valid number`;
  if (typeof param !== 'number') throw typeError(fn, argument, 'a finite number', param, why);
  // A slope whose square overflows is an error in PyTorch too (OverflowError).
  if (!Number.isFinite(param * param)) throw rangeError(fn, argument, 'a finite number', param, why);
  // x·x, which is correctly rounded; V8's x ** 2 need not be.
  return nonlinearity === 'leaky_relu' ? Math.sqrt(2 / (1 + param * param)) : (gain as number);
}

/**
 * The gain of any function: 1 / sqrt(E[f(z)²]) with z ~ N(0, 1), the factor that keeps the second moment through it.
 *
 *     gainOf(Math.tanh)                       // 1.592537419722…
 *     gainOf((z) => Math.max(0, z))           // 1.414213562373…
 *
 * The integral has 12 digits and more, kinks and jumps anywhere included. `f` is called some 10,000 times, for |z| ≤ 36; one that
 * is rounded to fewer digits than double has, or random, some 10 million times, and the digits are fewer.
 *
 * @param f from a number to a number
 * @throws TypeError if f is no function or returns no number; RangeError where it returns NaN, or where its second moment
 *   is zero (no gain would help) or infinite
 */
export function gainOf(f: (z: number) => number): number {
  const fn = 'gainOf';
  if (typeof f !== 'function') throw typeError(fn, 'f', 'a function', f);
  const integrand = (z: number): number => {
    const y: unknown = f(z);
    if (typeof y !== 'number') throw typeError(fn, `f(${z})`, 'a number', y);
    if (Number.isNaN(y)) throw rangeError(fn, `f(${z})`, 'a number', y);
    return y * y;
  };
  const { value: moment, tails } = normalIntegral(integrand);
  if (!Number.isFinite(moment) || tails > 1e-9 * moment) {
    throw rangeError(fn, 'f', 'a function with a finite second moment', moment, 'E[f(z)²] does not converge');
  }
  if (moment === 0) throw rangeError(fn, 'f', 'a function with a second moment above zero', moment);
  return 1 / Math.sqrt(moment);
}
