import { type FileHandle, open } from 'node:fs/promises';
import { checkOptions, show, typeError } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { elementsOf } from '../../core/shape.js';
import { type StoredDtype, storedBytes, storedDtypes } from '../../core/stored-dtype.js';
import { type CheckpointTensor, type Checkpoint as Headers, readHeaders } from '../../formats/reader.js';
import { unreadable } from '../../formats/safetensors/read-header.js';
import { checkSlice, runsOf, type Slice, type SliceRange, shapeOfSlice } from '../../tensor/slice.js';

/** What holds a tensor's elements in memory: 16-bit floats in a Uint16Array, and what JavaScript has no array for as bytes. */
export type StoredData =
  | Float32Array
  | Float64Array
  | Uint16Array
  | Int16Array
  | Uint32Array
  | Int32Array
  | BigUint64Array
  | BigInt64Array
  | Int8Array
  | Uint8Array;

/** A tensor that was read. */
export interface ReadTensor {
  readonly data: StoredData;
  readonly shape: readonly number[];
  readonly dtype: StoredDtype;
}

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
  readonly #handles = new Map<string, Promise<FileHandle>>();
  #closed = false;

  /** Use openCheckpoint. */
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
   * @throws InputError (ERR_NNINIT_NO_TENSOR, ERR_NNINIT_READ); TypeError and RangeError for options
   */
  async read(name: string, options?: { readonly slice?: readonly SliceRange[] | undefined }): Promise<ReadTensor> {
    if (this.#closed) throw new Error('read: the checkpoint is closed');
    const { slice: ranges } = checkOptions('read', options, ['slice']);
    const tensor = this.#headers.tensors.get(name);
    if (tensor === undefined) {
      const what = `read: expected the name of one of its ${this.tensors.length} tensors, but received ${show(name)}`;
      throw new InputError(`${what} (${this.path})`, { path: this.path, code: 'ERR_NNINIT_NO_TENSOR' });
    }
    const { dtype } = tensor;
    const slice = checkSlice('read', tensor.shape, ranges ?? []);
    if (ranges !== undefined && storedDtypes[dtype].pack !== 1) {
      throw typeError('read', 'slice', `no slice of ${dtype}, whose elements are less than a byte`, ranges);
    }
    const shape = shapeOfSlice(slice);
    const bytes = new Uint8Array(storedBytes(dtype, elementsOf(shape)));
    await this.#readSlice(tensor, slice, bytes, ranges === undefined);
    return { data: viewAs(dtype, bytes.buffer), shape, dtype };
  }

  /** Closes its files. Reads from now on are refused. */
  async close(): Promise<void> {
    this.#closed = true;
    const handles = await Promise.allSettled(this.#handles.values());
    this.#handles.clear();
    for (const handle of handles) if (handle.status === 'fulfilled') await handle.value.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #readSlice(tensor: CheckpointTensor, slice: Slice, bytes: Uint8Array, all: boolean): Promise<void> {
    const { file, dtype, offsets } = tensor;
    if (bytes.length === 0) return;
    const handle = await this.#open(file.path);
    const begin = file.dataOffset + offsets[0];
    if (all) return readFully(handle, file.path, bytes, begin);
    const size = storedDtypes[dtype].bytes;
    for (const run of runsOf(slice, 0, bytes.length / size)) {
      const part = bytes.subarray(run.at * size, (run.at + run.length) * size);
      await readFully(handle, file.path, part, begin + run.begin * size);
    }
  }

  async #open(path: string): Promise<FileHandle> {
    const known = this.#handles.get(path);
    if (known !== undefined) return known;
    const opening = open(path, 'r').catch((cause: unknown) => {
      this.#handles.delete(path);
      throw unreadable(path, cause);
    });
    this.#handles.set(path, opening);
    return opening;
  }
}

/**
 * Opens a checkpoint, whoever wrote it: a safetensors file, an index of several, nninit's manifest, or a folder that holds one of these. Only
 * headers are read, strictly; no tensor is.
 *
 *     await using checkpoint = await openCheckpoint('out');
 *     checkpoint.tensors;                                     // [{ name, shape, dtype, bytes, file }]
 *
 * @param path a file or a folder
 * @throws InputError with the path for what cannot be read or is not as the format says
 */
export async function openCheckpoint(path: string): Promise<OpenCheckpoint> {
  if (typeof path !== 'string' || path === '') throw typeError('openCheckpoint', 'path', 'a path', path);
  return new OpenCheckpoint(await readHeaders(path));
}

async function readFully(handle: FileHandle, path: string, bytes: Uint8Array, position: number): Promise<void> {
  try {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, 2 ** 30);
      const { bytesRead } = await handle.read(bytes, done, length, position + done);
      if (bytesRead === 0) throw new Error('it has become shorter');
      done += bytesRead;
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

function viewAs(dtype: StoredDtype, buffer: ArrayBuffer): StoredData {
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer);
    case 'float64':
      return new Float64Array(buffer);
    case 'float16':
    case 'bfloat16':
    case 'uint16':
      return new Uint16Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'uint32':
      return new Uint32Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'uint64':
      return new BigUint64Array(buffer);
    case 'int64':
      return new BigInt64Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    case 'complex64': // real and imaginary parts in turn
      return new Float32Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}
