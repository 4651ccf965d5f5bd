import { accountMemory } from '../native/addon.js';

/**
 * V8 does not count shared memory: a thread that lets go of a gigabyte of it sees no reason to collect garbage, and keeps it. Two
 * ways to make up for that, one for each side.
 */

/** Smaller buffers are left to themselves. */
export const leastCountedBytes = 64 << 10;
/** V8 begins to collect for each 64 MiB that it counts, which takes milliseconds: a part of the truth is enough. */
export const usualShare = 8;

const collected = new FinalizationRegistry<() => void>((tell) => tell());

/**
 * For the calling thread, whose garbage is its own affair: tells V8 of a part of the buffer's bytes, for as long as its handle lives.
 *
 * @param onCollected called when that is gone
 */
export function count(buffer: SharedArrayBuffer, share = usualShare, onCollected?: () => void): void {
  const counted = Math.floor(buffer.byteLength / share);
  accountMemory(counted, false);
  collected.register(buffer, () => {
    accountMemory(counted, true);
    onCollected?.();
  });
}

/** Shared memory that the calling thread's garbage collector counts. */
export function sharedBytes(length: number, share = usualShare): Uint8Array {
  const buffer = new SharedArrayBuffer(length);
  if (length >= leastCountedBytes) count(buffer, share);
  return new Uint8Array(buffer);
}

/** Workers keep few objects: a small young generation is collected in some ten microseconds. */
export const workerYoungGenerationMb = 1;
const mostBytesHeld = 256 << 20;
/** Together as large as the young generation's half, so that they fill it once: what is alive then is not taken for old. */
const garbageArrays = 24;
const garbageNumbers = 4096;
let bytesHeld = 0;
let garbage: number[] = [];

/**
 * For workers, which allocate next to nothing and would keep each tensor they were sent: after some hundred megabytes, short-lived
 * objects make V8 collect the young generation. (Counting would do too, but starts full collections, of milliseconds each.)
 */
export function letGo(bytes: number): number {
  bytesHeld += bytes;
  if (bytesHeld < mostBytesHeld) return 0;
  bytesHeld = 0;
  for (let i = 0; i < garbageArrays; i++) garbage = new Array<number>(garbageNumbers).fill(i + 0.5);
  return garbage.length;
}
