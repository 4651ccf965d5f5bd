const weight = Symbol('weight');

/** Smaller buffers are left to themselves. */
const least_bytes = 64 << 10;

/**
 * Tells V8 how much memory hangs on a shared buffer. It does not count shared memory: a thread that lets go of a gigabyte of it
 * sees no reason to collect garbage, and keeps it. So an ordinary ArrayBuffer of the same size, which V8 does count, lives as
 * long as the buffer's handle on this thread. Nobody touches it, so the system backs it with no memory, only with addresses.
 *
 * @param share of the size that is counted: less means more garbage before it is collected, and less time spent on that
 */
export function weigh(buffer: SharedArrayBuffer, share: number): void {
  if (buffer.byteLength < least_bytes) return;
  try {
    Object.defineProperty(buffer, weight, { value: new ArrayBuffer(Math.floor(buffer.byteLength * share)) });
  } catch {
    // No addresses left, or weighed before: collecting late is no reason to fail.
  }
}
