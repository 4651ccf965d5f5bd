import { createHash } from 'node:crypto';
import { checkInteger, checkOneOf, checkShape, isPlainObject, rangeError, typeError } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { Fill } from '../core/fill.js';
import { isFillable, type StoredDtype, storedBytes, storedNames } from '../core/stored-dtype.js';
import type { Draw } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import { resolve } from '../init/resolve.js';
import { checkSlice, type Slice, shapeOfSlice } from '../tensor/slice.js';

export type { StoredDtype } from '../core/stored-dtype.js';

/** A tensor to be written. */
export interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Types that nninit does not fill (integers, booleans, floats of 8 bits and less, complex numbers) go with 'zeros' only. */
  readonly dtype: StoredDtype;
  readonly initializer: Initializer;
  /** Other names that the model has for the same tensor; they are not written. */
  readonly tied?: readonly string[] | undefined;
  /** The row that is zero whatever the initializer says: an embedding's padding. */
  readonly zeroRow?: number | undefined;
  /** The name of the tensor whose values it has, bit for bit: shape, dtype and initializer are the same. */
  readonly copyOf?: string | undefined;
  /** Where the tensor is a contiguous part of one of the model's, which is drawn as a whole: from which element on. */
  readonly partOf?: { readonly tensor: string; readonly begin: number } | undefined;
  /** The part that is written, where that is not all of the tensor: `shape` is the part's, `slice.shape` the whole's. */
  readonly slice?: Slice | undefined;
}

/** A model to be written: plain data. The order of the tensors is the model's own, and changes no tensor's values. */
export interface Plan {
  readonly tensors: readonly PlannedTensor[];
  /** The text of the config.json that belongs beside the weights, where there is one. */
  readonly config?: string | undefined;
  /** What is odd about the input without being an error. */
  readonly warnings?: readonly string[] | undefined;
  /** All random draws in order, where they are not simply those of the tensors in theirs. */
  readonly draws?: readonly Draw[] | undefined;
  /** What it was made from, which checkpoints carry. */
  readonly source?: PlanSource | undefined;
}

/** What makes a plan again: plain data. */
export interface PlanSource {
  /** A model's name; or 'config.json', the one beside the weights; or 'like', the checkpoint's own names, shapes and dtypes. */
  readonly input?: string | undefined;
  /** A recipe; what it names by path is in it. */
  readonly recipe?: unknown;
  readonly dtype?: Dtype | undefined;
  /** From globs to initializers, dtypes or both, in order; they come after the input's own. */
  readonly rules?: readonly (readonly [glob: string, change: unknown])[] | undefined;
  readonly tp?: { readonly ranks: number; readonly rank: number } | undefined;
}

/** A planned tensor with all that a writer needs. */
export interface ResolvedTensor extends PlannedTensor {
  /** Of what is written: the slice's, where there is one. */
  readonly shape: readonly number[];
  /** Resolved on the whole tensor's shape, `slice.shape` where there is a slice. */
  readonly fill: Fill;
  /** Of what is written. */
  readonly elements: number;
  /** Of what is written. */
  readonly bytes: number;
  readonly stream: bigint;
}

/**
 * The stream of a named tensor: 2^63 | (the first 8 bytes of SHA-256 of the name in UTF-8, read little-endian, modulo 2^63).
 *
 * A tensor's values so depend on the seed and its own name alone: reordering, adding or dropping tensors changes no other.
 * The streams below 2^63 are those of a Generator's successive fills, so the two never meet.
 */
export function streamOfName(name: string): bigint {
  const digest = createHash('sha256').update(name, 'utf8').digest();
  return (1n << 63n) | digest.readBigUInt64LE(0);
}

/**
 * Checks a plan and resolves each initializer on its tensor's shape.
 *
 * @param source the file the plan came from, for messages
 * @param place names a tensor's place in that file, for messages
 * @throws InputError naming the tensor: a name twice, or unfit for a file; a shape too large; an initializer that does not
 *   suit the shape
 */
export function resolvePlan(
  plan: Plan,
  source = 'plan',
  place = (name: string): string => `tensor ${JSON.stringify(name)}`,
): ResolvedTensor[] {
  const names = new Set<string>();
  const known = new Map(plan.tensors.map((tensor) => [tensor?.name, tensor]));
  return plan.tensors.map((tensor) => {
    if (!isPlainObject(tensor)) throw new InputError(`${source}: expected tensors to be objects`, { path: source });
    const { name, shape, dtype, copyOf } = tensor;
    try {
      checkName(name, names);
      checkFields(tensor, known);
      const elements = checkShape('shape', shape);
      if (tensor.slice !== undefined) checkPart(tensor.slice, shape);
      const bytes = storedBytes(dtype, elements);
      if (bytes > Number.MAX_SAFE_INTEGER)
        throw new RangeError(`expected at most 2^53 - 1 bytes, but [${shape}] takes ${bytes}`);
      if (!Number.isInteger(bytes))
        throw new RangeError(`expected whole bytes, but [${shape}] of ${dtype} takes ${bytes}`);
      return { ...tensor, fill: fillOf(tensor), elements, bytes, stream: streamOfName(copyOf ?? name) };
    } catch (cause) {
      if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
      throw new InputError(`${source}: ${place(name)}: ${cause.message}`, { path: source, cause });
    }
  });
}

/** What a plan out of JSON may have wrong. */
function checkFields(
  { name, dtype, shape, slice, zeroRow, copyOf, partOf }: PlannedTensor,
  known: ReadonlyMap<string, PlannedTensor>,
): void {
  checkOneOf('plan', 'dtype', dtype, storedNames);
  if (slice !== undefined && !isPlainObject(slice)) throw typeError('plan', 'slice', 'an object', slice);
  const rows = (slice?.shape ?? shape)?.[0] ?? 0;
  if (zeroRow !== undefined) checkInteger('plan', 'zeroRow', zeroRow, 0, rows - 1);
  if (partOf !== undefined)
    checkInteger('plan', 'partOf.begin', (partOf as unknown as { begin?: unknown } | null)?.begin, 0);
  if (copyOf === undefined) return;
  const original = known.get(copyOf);
  if (
    original !== undefined &&
    copyOf !== name &&
    original.copyOf === undefined &&
    String(original.shape) === String(shape)
  )
    return;
  throw rangeError('plan', 'copyOf', 'the name of another tensor of the same shape that is no copy itself', copyOf);
}

function checkPart(slice: Slice, shape: readonly number[]): void {
  const part = shapeOfSlice(checkSlice('slice', slice.shape, slice.ranges));
  if (part.length === shape.length && part.every((size, dim) => size === shape[dim])) return;
  throw new RangeError(`expected the shape of its slice, [${part}], but received [${shape}]`);
}

function fillOf({ initializer, shape: written, dtype, slice }: PlannedTensor): Fill {
  const shape = slice?.shape ?? written;
  if (isFillable(dtype)) return resolve(initializer, shape, { dtype });
  const fill = resolve(initializer, shape);
  if (fill.kind === 'constant' && fill.value === 0) return fill;
  throw new RangeError(`expected 'zeros', which is all that nninit writes in ${dtype}`);
}

function checkName(name: string, names: Set<string>): void {
  if (typeof name !== 'string') throw typeError('plan', 'name', 'a string', name);
  if (name === '__metadata__') throw new RangeError("expected another name: '__metadata__' is safetensors' own");
  // A lone half of a surrogate pair has no UTF-8: it would be written as U+FFFD, the same for all of them.
  if (/\p{Surrogate}/u.test(name)) throw new RangeError('expected a name in well-formed Unicode');
  if (names.has(name)) throw new RangeError('expected each name once, but this one is there twice');
  names.add(name);
}
