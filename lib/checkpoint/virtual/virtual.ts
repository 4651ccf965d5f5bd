import { checkInteger, checkOptions, rangeError } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import type { Format } from '../../formats/names.js';
import type { Keys } from '../../plan/keys.js';
import { sharedBytes } from '../../pool/memory.js';
import { throwIfAborted } from '../../pool/operation.js';
import type { Pool } from '../../pool/pool.js';
import type { Engine } from '../../random/generator.js';
import { checkProgressing } from '../progressing.js';
import { ChunkMemory } from './chunk-memory.js';
import { onPool, onThisThread } from './executor.js';
import { makeSpan, spansOf, type VirtualFile } from './file.js';
import type { Document, FileSet } from './layout.js';
import { keyed } from './range.js';
import { WholeTensors } from './whole-tensors.js';

/** How a range is read; none of it changes a byte. */
export interface ReadOptions {
  /** Worker threads that make the bytes, so that this thread goes on; this thread makes them otherwise, a piece at a time. */
  readonly pool?: Pool | undefined;
  /** Stops: the promise rejects with the signal's reason once nothing writes any more. */
  readonly signal?: AbortSignal | undefined;
}

/** What a piece of work makes at a time. The engine torch takes up to a millisecond to find its place, which small pieces feel. */
export const pieceBytesOf = { philox: 2 ** 20, torch: 2 ** 22 } as const;

/** Ranges up to this size are made in memory that goes round, and copied. */
const copiedBytes = 2 ** 22;

/** Bytes of a task. */
export const spanBytes = 2 ** 25;

/** What a checkpoint is made of: plain data, which goes from thread to thread. */
export interface LaidFiles {
  /** In the order in which they are written. */
  readonly files: readonly VirtualFile[];
  readonly format: Format;
  readonly engine: Engine;
  /** In [0, 2^64). */
  readonly seed: bigint;
  readonly digest: string;
}

/** The files of a set under keys. */
export function laidFiles(set: FileSet, keys: Keys): LaidFiles {
  const documents = [set.config, set.index].filter((document) => document !== undefined);
  const files = [...set.files.map((file) => keyedFile(file, keys)), ...documents.map(textFile)];
  const { engine, seed } = keys;
  return { files, format: set.format, engine, seed, digest: set.digest };
}

/**
 * A checkpoint that exists before it is written: names and sizes of its files, and a function from a range of bytes to bytes. All else
 * that is done with a plan (a folder, a stream, an answer to a request) is a loop over it.
 */
export class VirtualCheckpoint {
  /** The files in the order in which they are written: tensors, then config.json and the index where there are any. */
  readonly files: readonly { readonly name: string; readonly size: number }[];
  readonly format: Format;
  readonly engine: Engine;
  /** In [0, 2^64). */
  readonly seed: bigint;
  /** 64 hexadecimal digits, the same for the same bytes: of the plan, the seed, the layout and nninit's versions. */
  readonly digest: string;
  readonly #files: ReadonlyMap<string, VirtualFile>;
  readonly #wholes: WholeTensors;

  /** @internal */
  constructor({ files, format, engine, seed, digest }: LaidFiles, wholes = new WholeTensors()) {
    this.#files = new Map(files.map((file) => [file.name, file]));
    this.files = files.map(({ name, size }) => ({ name, size }));
    this.format = format;
    this.engine = engine;
    this.seed = seed;
    this.digest = digest;
    this.#wholes = wholes;
  }

  /** @internal */
  static of(set: FileSet, keys: Keys): VirtualCheckpoint {
    return new VirtualCheckpoint(laidFiles(set, keys));
  }

  /**
   * Bytes [begin, end) of a file: header, padding and tensors, as they would be written.
   *
   *     await virtual.read('model.safetensors', 0, 8)
   *
   * Orthogonal and sparse tensors, which can only be made whole, are kept for the ranges that follow, up to 1 GiB of them in all.
   *
   * @param name one of `files`
   * @param begin 0 by default
   * @param end the file's size by default
   * @param options.pool worker threads; this thread otherwise
   * @param options.signal stops it
   * @returns the bytes, in shared memory where a pool made more than 4 MiB of them
   * @throws InputError (ERR_NNINIT_NO_FILE) for another name; RangeError for a range beyond the file; the signal's reason
   */
  async read(name: string, begin = 0, end?: number, options?: ReadOptions): Promise<Uint8Array> {
    const file = this.file(name);
    const to = end === undefined ? file.size : checkInteger('read', 'end', end, 0, file.size);
    const from = checkInteger('read', 'begin', begin, 0, to);
    const { pool, signal } = checkProgressing('read', checkOptions('read', options, ['pool', 'signal']));
    throwIfAborted(signal);
    using _call = pool?.enter('read');
    const shared = pool !== undefined && to - from <= copiedBytes ? ChunkMemory.of(pool) : undefined;
    const out = shared?.take(to - from) ?? memoryFor(to - from, pool !== undefined);
    try {
      await this.#make(file, from, out, pool, signal);
      return shared === undefined ? out : out.slice();
    } finally {
      shared?.give(out);
    }
  }

  /** Bytes of a file from `from` on, as many as fit. */
  async #make(file: VirtualFile, from: number, out: Uint8Array, pool?: Pool, signal?: AbortSignal): Promise<void> {
    const to = from + out.length;
    const { head } = file;
    if (from < head.length) out.set(head.subarray(from, Math.min(to, head.length)));
    const start = Math.max(from - head.length, 0);
    const executor = pool === undefined ? onThisThread(0) : onPool(pool, 'read');
    const pieceBytes = pieceBytesOf[this.engine];
    const options = { executor, wholes: this.#wholes, pieceBytes, signal };
    for (const span of spansOf(file, start, Math.max(start, to - head.length), spanBytes)) {
      const at = span.begin + head.length - from;
      await makeSpan(file, span, { memory: out.subarray(at, at + span.end - span.begin) }, options);
    }
  }

  /**
   * One of the files, every byte of it defined.
   *
   * @internal
   */
  file(name: string): VirtualFile {
    const file = this.#files.get(name);
    if (file !== undefined) return file;
    const names = this.files.slice(0, 5).map((each) => `'${each.name}'`);
    const more = this.files.length > 5 ? ', …' : '';
    throw new InputError(
      `read: expected one of ${names.join(', ')}${more} for name, but received ${JSON.stringify(name)}`,
      {
        code: 'ERR_NNINIT_NO_FILE',
      },
    );
  }

  /** @internal */
  get wholes(): WholeTensors {
    return this.#wholes;
  }
}

function memoryFor(bytes: number, shared: boolean): Uint8Array {
  try {
    return shared ? sharedBytes(bytes) : new Uint8Array(bytes);
  } catch (cause) {
    const what = 'bytes that fit into memory';
    throw Object.assign(rangeError('read', 'end - begin', what, bytes), { cause });
  }
}

function keyedFile(file: FileSet['files'][number], keys: Keys): VirtualFile {
  const { name, head, fileBytes, tensors } = file;
  return {
    name,
    size: fileBytes,
    head,
    tensors: tensors.flatMap((tensor) => keyed(tensor, keys)),
  };
}

function textFile({ name, text }: Document): VirtualFile {
  const head = Buffer.from(text);
  return { name, size: head.length, head, tensors: [] };
}
