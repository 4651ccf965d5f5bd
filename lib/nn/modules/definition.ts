import type { Parameter, ValuesOf } from '../../core/parameter.js';
import type { Module } from '../module.js';

/** Checked arguments, the layers among them built. */
export type LayerValues<As extends readonly Parameter[]> = ValuesOf<As, { readonly layer: Module }>;

/** One row of the table of layers: what the class of that name in `torch.nn` constructs. */
export interface LayerDefinition<As extends readonly Parameter[] = readonly Parameter[], M extends Module = Module> {
  readonly summary: string;
  /** How PyTorch initializes it, in one line. */
  readonly initialization: string;
  /** The constructor's arguments in PyTorch's order, `device` and `dtype` aside. */
  readonly arguments: As;
  /**
   * The module that checked arguments make. Throws a TypeError or RangeError, in the name of `kind`, its own, for combinations
   * that make no sense.
   */
  build(values: LayerValues<As>, kind: string): M;
}

export function define<const As extends readonly Parameter[], M extends Module>(
  definition: LayerDefinition<As, M>,
): LayerDefinition<As, M> {
  return definition;
}

// ---- arguments that recur ----

/** A size that must be given. */
export function size<const N extends string>(name: N, doc: string, min = 0) {
  return { name, kind: 'integer', min, required: true, positional: true, doc } as const;
}

/** A boolean. */
export function flag<const N extends string, const V extends boolean>(name: N, value: V, doc: string) {
  return { name, kind: 'boolean', default: value, positional: true, doc } as const;
}

/** A boolean that matters to the forward pass only. */
export function unusedFlag<const N extends string>(name: N, value: boolean, doc: string) {
  return { ...flag(name, value, doc), unused: true } as const;
}

/** A number that matters to the forward pass only. */
export function unusedNumber<const N extends string>(name: N, value: number, doc: string) {
  return { name, kind: 'number', default: value, positional: true, unused: true, doc } as const;
}

export const bias = flag('bias', true, 'whether there is a bias');

/** For those that PyTorch takes by name only, or after arguments that nninit does not have. */
export function byName<const A extends Parameter>(argument: A): Omit<A, 'positional'> & { readonly positional: false } {
  return { ...argument, positional: false };
}

export const dropout = {
  ...unusedNumber('dropout', 0, 'the share of activations set to zero'),
  min: 0,
  max: 1,
} as const;
export const eps = unusedNumber('eps', 1e-5, 'what is added to the variance');
export const batchFirst = unusedFlag('batch_first', false, 'whether inputs are (batch, sequence, feature)');
