import { checkOptions, rangeError, show, typeError } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { elementsOf } from '../../core/shape.js';
import { type StoredDtype, storedBytes, storedDtypes } from '../../core/stored-dtype.js';
import {
  type CheckpointTensor,
  type FileHeader,
  type Checkpoint as Headers,
  readHeaders,
} from '../../formats/reader.js';
import { openAgain, pathOf, type Source } from '../../formats/source/source.js';
import { throwIfAborted, unlessAborted } from '../../pool/operation.js';
import { checkSlice, runsOf, type Slice, type SliceRange, shapeOfSlice } from '../../tensor/slice.js';
import { checkProgressing } from '../progressing.js';

/** The arrays that hold elements in memory. What JavaScript has none for is read as bytes. */
const arrays = {
  float32: Float32Array,
  float64: Float64Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int8: Int8Array,
  int16: Int16Array,
  uint16: Uint16Array,
  int32: Int32Array,
  uint32: Uint32Array,
  int64: BigInt64Array,
  uint64: BigUint64Array,
  complex64: Float32Array, // real and imaginary parts in turn
} as const satisfies { readonly [D in StoredDtype]?: unknown };

type Arrays = typeof arrays;

/** What holds a tensor's elements in memory: 16-bit floats in a Uint16Array, and what JavaScript has no array for as bytes. */
export type StoredData<D extends StoredDtype = StoredDtype> = D extends keyof Arrays
  ? InstanceType<Arrays[D]>
  : Uint8Array;

/** A tensor that was read: `if (tensor.dtype === 'int64')` tells that its data is a BigInt64Array. */
export type ReadTensor = {
  readonly [D in StoredDtype]: {
    readonly data: StoredData<D>;
    readonly shape: readonly number[];
    readonly dtype: D;
  };
}[StoredDtype];

/** What there is to know of a tensor without reading it. */
export interface TensorInfo {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
  readonly bytes: number;
  /** The file that holds it. */
  readonly file: string;
}

/** A checkpoint that can be read, whoever wrote it. Made by openCheckpoint. */
export class OpenCheckpoint implements AsyncDisposable {
  /** The file, the index or the manifest that it was opened by. */
  readonly path: string;
  /** File after file, each in the order of its data. */
  readonly tensors: readonly TensorInfo[];
  /** The metadata of its first file. */
  readonly metadata: ReadonlyMap<string, string>;
  readonly #headers: Headers;
  readonly #sources = new Map<string, Promise<Source>>();
  readonly #reading = new Set<Promise<unknown>>();
  /** Gives up files that a server has not opened yet. */
  readonly #opening = new AbortController();
  #closed = false;

  /** @internal */
  constructor(headers: Headers) {
    this.#headers = headers;
    this.path = headers.path;
    this.metadata = headers.files[0]?.metadata ?? new Map();
    this.tensors = Array.from(headers.tensors.values(), ({ name, shape, dtype, offsets: [begin, end], file }) => {
      return { name, shape, dtype, bytes: end - begin, file: file.path };
    });
  }

  /**
   * Reads a tensor, or a rectangular part of it.
   *
   *     const wte = await checkpoint.read('transformer.wte.weight', { slice: [{ dim: 0, start: 0, length: 100 }] });
   *
   * @param name one of `tensors`
   * @param options.slice indices start … start + length - 1 of each dimension named; all of the others
   * @param options.signal stops it, at a server
   * @throws InputError (ERR_NNINIT_NO_TENSOR, ERR_NNINIT_READ); TypeError and RangeError for options
   */
  async read(
    name: string,
    options?: { readonly slice?: readonly SliceRange[] | undefined; readonly signal?: AbortSignal | undefined },
  ): Promise<ReadTensor> {
    if (this.#closed) throw new Error('read: the checkpoint is closed');
    const { slice: ranges, ...given } = checkOptions('read', options, ['slice', 'signal']);
    const { signal } = checkProgressing('read', given);
    throwIfAborted(signal);
    const tensor = this.#headers.tensors.get(name);
    if (tensor === undefined) {
      const what = `read: expected the name of one of its ${this.tensors.length} tensors, but received ${show(name)}`;
      throw new InputError(`${what} (${this.path})`, { path: this.path, code: 'ERR_NNINIT_NO_TENSOR' });
    }
    const { dtype } = tensor;
    const slice = checkSlice('read', tensor.shape, ranges ?? []);
    if (ranges !== undefined && storedDtypes[dtype].pack !== 1) {
      throw typeError('read', 'slice', `no slice of ${dtype}, whose elements are less than a byte,`, ranges);
    }
    const shape = shapeOfSlice(slice);
    const bytes = memoryFor(name, storedBytes(dtype, elementsOf(shape)));
    const reading = this.#readSlice(tensor, slice, bytes, { all: ranges === undefined, signal });
    this.#reading.add(reading);
    try {
      await reading;
    } finally {
      this.#reading.delete(reading);
    }
    return { data: viewAs(dtype, bytes.buffer), shape, dtype } as ReadTensor;
  }

  /** Closes its files, when the reads under way are done. Reads from now on are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#reading);
    this.#opening.abort(new Error('the checkpoint is closed'));
    const sources = await Promise.allSettled(this.#sources.values());
    this.#sources.clear();
    for (const source of sources) if (source.status === 'fulfilled') await source.value.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #readSlice(
    tensor: CheckpointTensor,
    slice: Slice,
    bytes: Uint8Array,
    { all, signal }: { readonly all: boolean; readonly signal: AbortSignal | undefined },
  ): Promise<void> {
    const { file, dtype, offsets } = tensor;
    if (bytes.length === 0) return;
    const source = await unlessAborted(this.#open(file), signal);
    const begin = file.dataOffset + offsets[0];
    if (all) return source.read(bytes, begin, signal);
    const size = storedDtypes[dtype].bytes;
    for (const run of runsOf(slice, 0, bytes.length / size)) {
      const part = bytes.subarray(run.at * size, (run.at + run.length) * size);
      await source.read(part, begin + run.begin * size, signal);
    }
  }

  async #open(file: FileHeader): Promise<Source> {
    const { path } = file;
    const known = this.#sources.get(path);
    if (known !== undefined) return known;
    const opening = openAgain(file, this.#opening.signal);
    opening.catch(() => this.#sources.delete(path)); // the next one who asks tries again
    this.#sources.set(path, opening);
    return opening;
  }
}

/**
 * Opens a checkpoint, whoever wrote it: a safetensors file, an index of several, nninit's manifest, or a folder that holds one of these. Only
 * headers are read, strictly; no tensor is.
 *
 *     const checkpoint = await openCheckpoint('out');
 *     checkpoint.tensors;                                     // [{ name, shape, dtype, bytes, file }]
 *
 * @param path a file or a folder, or the address of one: http and https are read by range requests, so only what is asked for comes; `hf:org/name`
 *   or `hf:org/name@revision` for a repository of the Hub, at `HF_ENDPOINT` and with `HF_TOKEN` where they are set
 * @param options.signal stops it, at a server
 * @throws InputError with the path for what cannot be read or is not as the format says
 */
export async function openCheckpoint(
  path: string | URL,
  options?: { readonly signal?: AbortSignal | undefined },
): Promise<OpenCheckpoint> {
  if (!(typeof path === 'string' || path instanceof URL) || path === '') {
    throw typeError('openCheckpoint', 'path', 'a path or a URL', path);
  }
  const { signal } = checkProgressing('openCheckpoint', checkOptions('openCheckpoint', options, ['signal']));
  return new OpenCheckpoint(await readHeaders(pathOf(path), { signal }));
}

function memoryFor(name: string, bytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(bytes);
  } catch (cause) {
    const what = 'a tensor, or a slice of one, that fits into memory in one piece';
    throw Object.assign(rangeError('read', 'name', what, name, `${bytes} bytes`), { cause });
  }
}

function viewAs(dtype: StoredDtype, buffer: ArrayBuffer): StoredData {
  return new (Object.hasOwn(arrays, dtype) ? arrays[dtype as keyof Arrays] : Uint8Array)(buffer);
}
