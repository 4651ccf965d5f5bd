/**
 * V8 does not count shared memory: a thread that lets go of a gigabyte of it sees no reason to collect garbage, and keeps it. Two
 * ways to make up for that, one for each side.
 */

const weight = Symbol('weight');
/** Smaller buffers are left to themselves. */
const leastBytes = 64 << 10;

/**
 * For the calling thread, whose garbage is its own affair: an ordinary ArrayBuffer of the same size, which V8 does count, lives as
 * long as the shared buffer's handle. Nobody touches it, so the system backs it with no memory, only with addresses.
 */
export function weigh(buffer: SharedArrayBuffer): void {
  if (buffer.byteLength < leastBytes) return;
  try {
    Object.defineProperty(buffer, weight, { value: new ArrayBuffer(buffer.byteLength) });
  } catch {
    // No addresses left: collecting late is no reason to fail.
  }
}

/** Shared memory that the calling thread's garbage collector counts. */
export function sharedBytes(length: number): Uint8Array {
  const buffer = new SharedArrayBuffer(length);
  weigh(buffer);
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
 * objects make V8 collect the young generation. (Weighing would do too, but starts full collections, of milliseconds each.)
 */
export function letGo(bytes: number): number {
  bytesHeld += bytes;
  if (bytesHeld < mostBytesHeld) return 0;
  bytesHeld = 0;
  for (let i = 0; i < garbageArrays; i++) garbage = new Array<number>(garbageNumbers).fill(i + 0.5);
  return garbage.length;
}
