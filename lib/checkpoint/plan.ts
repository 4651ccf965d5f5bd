import { createHash } from 'node:crypto';
import { check_shape } from '../check.js';
import { type Dtype, dtypes } from '../dtype.js';
import type { Fill } from '../fill.js';
import type { Initializer } from '../initializers.js';
import { resolve } from '../resolve.js';
import { InputError } from './errors.js';

/** A tensor to be written. */
export interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: Dtype;
  readonly initializer: Initializer;
}

/** A model to be written: plain data. The order of the tensors is the model's own, and changes no tensor's values. */
export interface Plan {
  readonly tensors: readonly PlannedTensor[];
}

/** A planned tensor with all that a writer needs. */
export interface ResolvedTensor extends PlannedTensor {
  readonly fill: Fill;
  readonly elements: number;
  readonly bytes: number;
  readonly stream: bigint;
}

/**
 * The stream of a named tensor: 2^63 | (the first 8 bytes of SHA-256 of the name in UTF-8, read little-endian, modulo 2^63).
 *
 * A tensor's values so depend on the seed and its own name alone: reordering, adding or dropping tensors changes no other.
 * The streams below 2^63 are those of a Generator's successive fills, so the two never meet.
 */
export function stream_of_name(name: string): bigint {
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
export function resolve_plan(
  plan: Plan,
  source = 'plan',
  place = (name: string): string => `tensor ${JSON.stringify(name)}`,
): ResolvedTensor[] {
  const names = new Set<string>();
  return plan.tensors.map((tensor) => {
    const { name, shape, dtype, initializer } = tensor;
    try {
      check_name(name, names);
      const elements = check_shape('shape', shape);
      const bytes = elements * dtypes[dtype].bytes;
      if (!Number.isSafeInteger(bytes))
        throw new RangeError(`expected at most 2^53 - 1 bytes, but [${shape}] takes ${bytes}`);
      const fill = resolve(initializer, shape, { dtype });
      return { name, shape, dtype, initializer, fill, elements, bytes, stream: stream_of_name(name) };
    } catch (cause) {
      if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
      throw new InputError(`${source}: ${place(name)}: ${cause.message}`, { path: source, cause });
    }
  });
}

function check_name(name: string, names: Set<string>): void {
  if (name === '__metadata__') throw new RangeError("expected another name: '__metadata__' is safetensors' own");
  // A lone half of a surrogate pair has no UTF-8: it would be written as U+FFFD, the same for all of them.
  if (/\p{Surrogate}/u.test(name)) throw new RangeError('expected a name in well-formed Unicode');
  if (names.has(name)) throw new RangeError('expected each name once, but this one is there twice');
  names.add(name);
}
