/**
 * The shared memory by which the pool and the workers speak of one job: some words, then a byte for each of its ranges, 1 when it
 * is done. Many lie in one buffer, since each buffer costs some microseconds in every message that names it.
 */
export interface Control {
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  /** How many ranges there are. */
  readonly count: number;
}

/** The words, as indices of an Int32Array; each has a cache line of its own, but for those that change seldom. */
export const controlWords = {
  /** Not 0: stop. The native loop polls it too. */
  cancel: 0,
  /** Thousandths of what is made whole that are done; the native side finds it beside cancel. */
  part: 1,
  /** The next range that nobody has claimed. */
  claim: 16,
  /** How many ranges are filled. */
  done: 32,
  /** How many workers are in a turn. A worker enters before it looks at cancel, so: cancelled and 0 here means none will write. */
  active: 48,
  /** In the engine torch: how often values were drawn, the most over the ranges. */
  rounds: 64,
} as const;

/** Where the bytes of the ranges begin. */
const wordBytes = 320;
const cacheLine = 64;
const bufferBytes = 64 << 10;

let buffer: SharedArrayBuffer | undefined;
let used = 0;

/** A new one: all zeros. */
export function newControl(count: number): Control {
  const bytes = Math.ceil((wordBytes + count) / cacheLine) * cacheLine;
  if (bytes > bufferBytes) return { buffer: new SharedArrayBuffer(bytes), byteOffset: 0, count };
  if (buffer === undefined || used + bytes > bufferBytes) {
    buffer = new SharedArrayBuffer(bufferBytes);
    used = 0;
  }
  const control = { buffer, byteOffset: used, count };
  used += bytes;
  return control;
}

export function wordsOf({ buffer, byteOffset }: Control): Int32Array {
  return new Int32Array(buffer, byteOffset, wordBytes / 4);
}

export function doneOf({ buffer, byteOffset, count }: Control): Uint8Array {
  return new Uint8Array(buffer, byteOffset + wordBytes, count);
}
