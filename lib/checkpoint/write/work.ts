// What a thread of the writer does: takes chunks of a file from a shared counter, fills them, writes them at their places.
import { writeSync } from 'node:fs';
import { type Chunk, cut, fillChunk, type KeyedTensor } from '../virtual/chunks.js';
import { wholeMemory } from '../virtual/whole.js';

/** A file to be written by several threads, each of which gets a copy of this. */
export interface Job {
  readonly id: number;
  readonly fd: number;
  /** Where the tensors begin in the file. */
  readonly headBytes: number;
  readonly tensors: readonly KeyedTensor[];
  readonly chunkBytes: number;
  /** Chunks that end here or before are in the file already. */
  readonly from: number;
  /** Native threads for a tensor that is made whole. */
  readonly threads: number;
  readonly shared: Shared;
}

/** What the threads of a job and the one that started it tell one another. */
export interface Shared {
  /** Words at the indices below. */
  readonly control: Int32Array<SharedArrayBuffer>;
  /** For each thread that has begun, where its chunk begins: all chunks before the least of these are written. */
  readonly positions: BigInt64Array<SharedArrayBuffer>;
  /** For each thread, the bytes it has written. */
  readonly written: BigInt64Array<SharedArrayBuffer>;
  /** [0]: not 0 while a thread holds a whole tensor. One for all jobs: large tensors are alone in memory. */
  readonly whole: Int32Array<SharedArrayBuffer>;
}

/** The number of the next chunk. */
const nextChunk = 0;
/** Not 0 when everyone should stop. */
const stop = 1;
/** Not 0 when no chunk is left to begin. */
const exhausted = 2;
/** How many threads have begun. */
const active = 3;
const controlWords = 4;
/** The position of a thread that has done its share. */
const end = BigInt(Number.MAX_SAFE_INTEGER);
/** The position of a thread that has not begun. */
const absent = end + 1n;

export function share(threads: number, whole: Shared['whole']): Shared {
  const control = new Int32Array(new SharedArrayBuffer(4 * controlWords));
  const positions = new BigInt64Array(new SharedArrayBuffer(8 * threads)).fill(absent);
  return { control, positions, written: new BigInt64Array(new SharedArrayBuffer(8 * threads)), whole };
}

export function askToStop({ control }: Shared): void {
  Atomics.store(control, stop, 1);
}

/** Data up to here is written without a gap; 0 if nobody has begun. */
export function writtenUpTo({ positions }: Shared): number {
  let least = absent;
  for (let i = 0; i < positions.length; i++) {
    const position = Atomics.load(positions, i);
    if (position < least) least = position;
  }
  return least === absent ? 0 : Number(least);
}

/**
 * Of several jobs, the one for a thread to do next: one with nothing left, to be done with it, or else the one that the fewest are
 * at. Systems let only one thread at a time write to a file: two that write to two files are up to twice as fast.
 */
export function nextJob(jobs: readonly Job[]): Job | undefined {
  let best: Job | undefined;
  let fewest = Number.POSITIVE_INFINITY;
  for (const job of jobs) {
    const { control } = job.shared;
    if (Atomics.load(control, exhausted) !== 0 || Atomics.load(control, stop) !== 0) return job;
    const threads = Atomics.load(control, active);
    if (threads < fewest) {
      fewest = threads;
      best = job;
    }
  }
  return best;
}

/** Whether all threads have done their share. */
export function isComplete({ positions }: Shared): boolean {
  return positions.every((_, i) => Atomics.load(positions, i) === end);
}

export function bytesWritten({ written }: Shared): number {
  let sum = 0;
  for (let i = 0; i < written.length; i++) sum += Number(Atomics.load(written, i));
  return sum;
}

/**
 * A thread's share of a job; yields after every chunk. All threads cut the file alike, and go to the chunk whose number they drew.
 *
 * @param thread its number, from 0
 * @param buffer the memory of a chunk, kept from job to job
 */
export function* workOn(job: Job, thread: number, buffer: ArrayBuffer): Generator<void, void> {
  const { control, positions, written, whole } = job.shared;
  // Lower than any chunk that it may draw.
  Atomics.store(positions, thread, BigInt(job.from));
  Atomics.add(control, active, 1);
  const chunks = cut(job.tensors, job.chunkBytes);
  let at = -1;
  let done = 0;
  for (;;) {
    // Whoever draws a chunk keeps its old, lower position until it knows the new one.
    const drawn = Atomics.add(control, nextChunk, 1);
    let chunk: Chunk<KeyedTensor> | undefined;
    for (; at < drawn; at++) chunk = nextOf(chunks);
    if (chunk === undefined) {
      Atomics.store(control, exhausted, 1);
      break;
    }
    Atomics.store(positions, thread, BigInt(chunk.position));
    if (chunk.position + chunk.bytes <= job.from) continue;
    if (Atomics.load(control, stop) !== 0) return;
    if (chunk.bytes <= buffer.byteLength) {
      writeChunk(job, chunk, buffer, 1);
    } else {
      lock(whole);
      try {
        writeChunk(job, chunk, wholeMemory(chunk.segments[0]?.tensor.name ?? '', chunk.bytes), job.threads);
      } finally {
        unlock(whole);
      }
    }
    done += chunk.bytes;
    Atomics.store(written, thread, BigInt(done));
    yield;
  }
  Atomics.store(positions, thread, end);
}

function nextOf(chunks: Iterator<Chunk<KeyedTensor>>): Chunk<KeyedTensor> | undefined {
  const { done, value } = chunks.next();
  return done ? undefined : value;
}

function writeChunk(job: Job, chunk: Chunk<KeyedTensor>, memory: ArrayBuffer, threads: number): void {
  fillChunk(chunk, memory, threads);
  writeAll(job.fd, new Uint8Array(memory, 0, chunk.bytes), job.headBytes + chunk.position);
}

/** Writes all bytes at a position, however short the system's single writes are. */
function writeAll(fd: number, bytes: Uint8Array, position: number): void {
  for (let done = 0; done < bytes.length; ) {
    // A single write takes less than 2^31 bytes.
    const written = writeSync(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), position + done);
    if (written === 0) throw new Error('the system takes no more bytes');
    done += written;
  }
}

function lock(word: Int32Array<SharedArrayBuffer>): void {
  while (Atomics.compareExchange(word, 0, 0, 1) !== 0) Atomics.wait(word, 0, 1);
}

function unlock(word: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(word, 0, 0);
  Atomics.notify(word, 0, 1);
}
