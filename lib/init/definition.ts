import type { Fill } from '../core/fill.js';
import type { Parameter, ValuesOf } from '../core/parameter.js';
import { nonlinearities } from './gain.js';
import type { Site } from './site.js';

/** One row of the table of initializers. */
export interface Definition<Ps extends readonly Parameter[] = readonly Parameter[], R extends boolean = boolean> {
  readonly summary: string;
  readonly formula: string;
  /** Where it was published. */
  readonly paper?: string;
  readonly parameters: Ps;
  /** Whether it draws from a generator. */
  readonly random: R;
  /** Whether integers of two bytes and more can be filled too: zero has the same bits in all dtypes. */
  readonly integers?: true;
  /** From a shape to numbers; pure. Throws for shapes and combinations of values that make no sense. */
  resolve(site: Site, values: ValuesOf<Ps>): Fill;
  /** What is worth a warning, once everything is checked. */
  warning?(site: Site, values: ValuesOf<Ps>): string | undefined;
}

/** Keeps a row's own types: those of its parameters are those of its `resolve`'s values. */
export function define<const Ps extends readonly Parameter[], const R extends boolean>(
  definition: Definition<Ps, R>,
): Definition<Ps, R> {
  return definition;
}

// ---- parameters that recur ----

export const mean = { name: 'mean', kind: 'number', default: 0, positional: true, doc: 'the mean' } as const;
export const std = {
  name: 'std',
  kind: 'number',
  default: 1,
  min: 0,
  positional: true,
  doc: 'the standard deviation',
} as const;
/** For what turns as well as scales: it may be negative. */
export const factor = {
  name: 'gain',
  kind: 'number',
  default: 1,
  positional: true,
  doc: 'a factor, such as a calculate_gain',
} as const;
/** For what is a standard deviation or a bound: at least 0. */
export const positiveFactor = { ...factor, min: 0 } as const;

/** Where a weight's outputs are. */
export const outAxis = {
  name: 'out_axis',
  kind: 'sizes',
  default: 0,
  positional: false,
  doc: 'the axis of the outputs, or several; negative from the end',
} as const satisfies Parameter;

/** Where a weight's inputs and outputs are, for what looks at fans. */
export const layout = [
  {
    name: 'in_axis',
    kind: 'sizes',
    default: 1,
    positional: false,
    doc: 'the axis of the inputs, or several; negative from the end',
  },
  outAxis,
  {
    name: 'groups',
    kind: 'integer',
    default: 1,
    min: 1,
    positional: false,
    doc: 'groups of a grouped convolution: divides fan_out',
  },
] as const satisfies readonly Parameter[];

/** What both of He's initializers take. */
export const kaiming = [
  { name: 'a', kind: 'number', default: 0, positional: true, doc: 'the negative slope, for leaky_relu only' },
  {
    name: 'mode',
    kind: 'word',
    words: ['fan_in', 'fan_out'],
    default: 'fan_in',
    positional: true,
    torchSays: 'Mode % not supported',
    doc: 'fan_in keeps the variance forwards, fan_out backwards',
  },
  {
    name: 'nonlinearity',
    kind: 'word',
    words: nonlinearities,
    default: 'leaky_relu',
    positional: true,
    torchSays: 'Unsupported nonlinearity %',
    doc: 'what follows this layer',
  },
  {
    name: 'gain',
    kind: 'number',
    min: 0,
    positional: false,
    doc: 'the gain as a number, in place of a and nonlinearity',
  },
  ...layout,
] as const satisfies readonly Parameter[];
