import { InterruptedError } from '../../core/errors.js';
import { type StoredDtype, storedBytes, storedDtypes } from '../../core/stored-dtype.js';
import type { Checkpoint } from '../../formats/reader.js';
import type { Keys } from '../../plan/keys.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { reasonOf } from '../../pool/operation.js';
import type { Pool } from '../../pool/pool.js';
import { pieces, type ReadOptions } from '../read/read.js';
import { checkWhole } from '../virtual/check-whole.js';
import { type Executor, onPool, onThisThread } from '../virtual/executor.js';
import { PlannedValues } from '../virtual/planned-values.js';
import { type Difference, match, type Pair } from './match.js';
import { elementText, hexText, unpacked } from './value.js';

export type { Difference } from './match.js';

export interface VerifyOptions extends ReadOptions {
  /** Who makes what is planned; this thread and its native helpers without one. */
  readonly pool?: Pool | undefined;
  /** Native threads that make what is planned; by default the number of set_num_threads. */
  readonly threads?: number | undefined;
  /** Called with the bytes of tensors that have been read and compared. */
  readonly onProgress?: ((compared: number) => void) | undefined;
}

/** What a comparison found. */
export interface Verified {
  /** Tensors that are planned, and the bytes that were compared. */
  readonly tensors: number;
  readonly bytes: number;
  /** One for each tensor that differs, in the order of the plan's and then the files' tensors. */
  readonly differences: readonly Difference[];
}

/** Bytes of the tensors that a comparison will read. */
export function comparableBytes(checkpoint: Checkpoint, tensors: readonly ResolvedTensor[]): number {
  return match(checkpoint, tensors).pairs.reduce((sum, { planned }) => sum + planned.bytes, 0);
}

/**
 * Compares a checkpoint with its plan, byte for byte: makes the planned values anew, a few megabytes at a time, while the files are
 * read. Memory stays bounded, but for orthogonal and sparse tensors, which are made whole.
 *
 * @throws InputError (ERR_NNINIT_READ) where a file cannot be read; InterruptedError after `signal`
 */
export async function compareTensors(
  checkpoint: Checkpoint,
  tensors: readonly ResolvedTensor[],
  options: VerifyOptions & { readonly keys: Keys },
): Promise<Verified> {
  checkWhole(tensors);
  const { pairs, differences } = match(checkpoint, tensors);
  const { pool, threads = 0 } = options;
  const executor = pool === undefined ? onThisThread(threads) : onPool(pool, 'verifyCheckpoint');
  const comparison = new Comparison(options.keys, executor, options.signal);
  let bytes = 0;
  for await (const piece of pieces(pairs, options)) {
    const { signal } = options;
    await comparison.compare(piece.pair, piece.begin, piece.bytes).catch((cause) => {
      throw signal?.aborted ? new InterruptedError(piece.pair.found.file.path, reasonOf(signal)) : cause;
    });
    bytes += piece.bytes.length;
    options.onProgress?.(bytes);
  }
  return { tensors: tensors.length, bytes, differences: [...differences, ...comparison.differences()] };
}

interface Found {
  readonly element: number;
  readonly expected: string;
  readonly found: string;
  differing: number;
}

/** Compares pieces of tensors with what is planned, and keeps the first difference of each. */
export class Comparison {
  readonly #found = new Map<ResolvedTensor, Found>();
  readonly #values: PlannedValues;

  constructor(keys: Keys, executor: Executor, signal?: AbortSignal) {
    this.#values = new PlannedValues(keys, executor, signal);
  }

  async compare({ planned }: Pick<Pair, 'planned'>, begin: number, bytes: Uint8Array): Promise<void> {
    const expected = await this.#values.bytesOf(planned, storedBytes(planned.dtype, begin), bytes.length);
    if (Buffer.compare(bytes, expected) === 0) return;
    const [one, other, size] = separate(bytes, expected, planned.dtype);
    const { first, count } = differingElements(one, other, size);
    const known = this.#found.get(planned);
    if (known !== undefined) {
      known.differing += count;
      return;
    }
    const element = (from: Uint8Array) => from.subarray(first * size, (first + 1) * size);
    const facts = { ...textsOf(element(other), element(one), planned.dtype), differing: count };
    this.#found.set(planned, { element: begin + first, ...facts });
  }

  differences(): Difference[] {
    return Array.from(this.#found, ([{ name, shape, elements }, { element, ...facts }]) => {
      return { tensor: name, problem: 'values', elements, element, index: indexOf(element, shape), ...facts };
    });
  }
}

/** Two elements that differ, as text: their bytes where that is the same, as of two NaNs. */
function textsOf(expected: Uint8Array, found: Uint8Array, dtype: StoredDtype) {
  const texts = [expected, found].map((each) => elementText(each, dtype));
  const [one = '', other = ''] = texts[0] === texts[1] ? [expected, found].map(hexText) : texts;
  return { expected: one, found: other };
}

/** Two pieces of a tensor, and the bytes of an element in them: one where elements of less than a byte had to be unpacked. */
function separate(a: Uint8Array, b: Uint8Array, dtype: StoredDtype): readonly [Uint8Array, Uint8Array, number] {
  const { pack, bytes } = storedDtypes[dtype];
  return pack === 1 ? [a, b, bytes] : [unpacked(a, dtype), unpacked(b, dtype), 1];
}

/** The first element that differs, and how many do. */
function differingElements(a: Uint8Array, b: Uint8Array, size: number): { first: number; count: number } {
  // Copies, which are aligned; elements of eight bytes are two words.
  const [one, other] = [wordsOf(a, size), wordsOf(b, size)];
  const words = Math.max(1, size / 4);
  let first = -1;
  let count = 0;
  let last = -1;
  for (let i = 0; i < one.length; i++) {
    if (one[i] === other[i]) continue;
    const element = Math.floor(i / words);
    if (element === last) continue;
    last = element;
    if (first < 0) first = element;
    count += 1;
  }
  return { first, count };
}

function wordsOf(bytes: Uint8Array, size: number): Uint8Array | Uint16Array | Uint32Array {
  const copy = bytes.slice();
  if (size === 1) return copy;
  return size === 2 ? new Uint16Array(copy.buffer) : new Uint32Array(copy.buffer);
}

/** The index by dimension of an element that is counted from the first. */
export function indexOf(element: number, shape: readonly number[]): number[] {
  let rest = element;
  return shape
    .toReversed()
    .map((size) => {
      const next = Math.floor(rest / size);
      const index = rest - next * size;
      rest = next;
      return index;
    })
    .reverse();
}
