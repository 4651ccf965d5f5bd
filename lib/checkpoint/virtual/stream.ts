import { get_num_threads } from '../../native/addon.js';
import { throwIfAborted } from '../../pool/operation.js';
import type { Pool } from '../../pool/pool.js';
import { ChunkMemory } from './chunk-memory.js';
import { onPool, onThisThread } from './executor.js';
import { makeSpan, type Span, spansOf } from './file.js';
import { pieceBytesOf, type VirtualCheckpoint } from './virtual.js';

export interface StreamFileOptions {
  /** The bytes from `begin` to before `end`; the whole file by default. */
  readonly begin?: number | undefined;
  readonly end?: number | undefined;
  /** Worker threads that make the bytes ahead of whoever takes them; this thread makes them otherwise. */
  readonly pool?: Pool | undefined;
  /** Whether the call that this is a part of has entered the pool, which may be closing since then. */
  readonly entered?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** The most bytes of a chunk. Changes no byte of the whole. 4 MiB by default. */
  readonly chunkBytes?: number | undefined;
  /** Native threads, without a pool. */
  readonly threads?: number | undefined;
  /** Whether a chunk's memory may be used again, by other streams too, once the next chunk is asked for or the stream is ended; chunks are copies otherwise. */
  readonly reuse?: boolean | undefined;
  /** Chunks that a pool makes while one is taken; 3 by default. */
  readonly chunksAhead?: number | undefined;
}

/** A chunk, and the memory that it is in. */
interface Made {
  readonly memory: Uint8Array;
  readonly bytes: Uint8Array;
}

/**
 * A file's bytes, or a range of them, in order, made a few chunks ahead of whoever takes them, and no further: the taker sets the pace.
 *
 * @throws the signal's reason
 */
export async function* streamFile(
  virtual: VirtualCheckpoint,
  name: string,
  {
    begin = 0,
    end,
    pool,
    entered = false,
    signal,
    chunkBytes = 2 ** 22,
    threads = get_num_threads(),
    reuse = false,
    chunksAhead = 3,
  }: StreamFileOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = virtual.file(name);
  const headBytes = file.head.length;
  const [first, last] = [Math.max(0, begin - headBytes), Math.max(0, (end ?? file.size) - headBytes)];
  using _call = entered ? undefined : pool?.enter('streamCheckpoint');
  const executor = pool === undefined ? onThisThread(threads) : onPool(pool, 'streamCheckpoint');
  const stop = new AbortController();
  const signals = signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]);
  const size = Math.max(8, Math.ceil(Math.min(chunkBytes, last - first) / 8) * 8);
  const ahead = pool === undefined ? 1 : chunksAhead;
  const shared = pool && ChunkMemory.of(pool);
  const free: Uint8Array[] = []; // without a pool
  const held = new Set<Uint8Array>();
  const take = (): Uint8Array => {
    const memory = shared?.take(size) ?? free.pop() ?? new Uint8Array(size);
    held.add(memory);
    return memory;
  };
  const give = (memory: Uint8Array): void => {
    held.delete(memory);
    if (shared !== undefined) shared.give(memory);
    else if (reuse) free.push(memory);
  };
  const options = { executor, wholes: virtual.wholes, pieceBytes: Math.min(size, pieceBytesOf[virtual.engine]) };
  const make = async (span: Span): Promise<Made> => {
    const memory = take();
    const bytes = memory.subarray(0, span.end - span.begin);
    await makeSpan(file, span, { memory: bytes }, { ...options, signal: signals });
    return { memory, bytes };
  };
  const making: Promise<Made>[] = [];
  try {
    throwIfAborted(signal);
    const spans = spansOf(file, first, last, size);
    const next = (): void => {
      const { done, value } = spans.next();
      if (done) return;
      const made = make(value);
      made.catch(() => {}); // it is looked at when its turn comes
      making.push(made);
    };
    for (let i = 0; i < ahead; i++) next();
    const head = file.head.subarray(begin, end);
    if (head.length > 0) yield head;
    for (let made = making.shift(); made !== undefined; made = making.shift()) {
      const { memory, bytes } = await made;
      next();
      throwIfAborted(signal);
      if (reuse || shared === undefined) {
        yield bytes;
        give(memory);
      } else {
        const copy = bytes.slice(); // it is collected as soon as nobody has it; shared memory would pile up
        give(memory);
        yield copy;
      }
    }
  } finally {
    stop.abort(new Error('the stream was given up'));
    await Promise.allSettled(making); // until then workers write
    for (const memory of held) give(memory);
  }
}
