import { fillRange } from '../../lib/native/addon.js';

/** Where a crew's threads talk, in 32-bit words of shared memory: `finished` is the last turn that all have done. */
export const crewSlots = { turn: 0, operation: 1, done: 2, finished: 3, count: 4 } as const;

/**
 * What a crew can do. `rouse` and `rest` are for before and after what is timed: to wake hundreds of threads one by one takes
 * longer than their memset, so they are to be up by then; and asleep again while others are measured. `collect` returns what
 * `fresh` left.
 */
export const operations = { memset: 0, memcpy: 1, fresh: 2, rouse: 3, rest: 4, collect: 5 } as const;

/** How long a thread looks for a change before it sleeps: as long as the others can be late. */
const patienceMs = 2;

/** Waits while a word has a value. A patient wait looks for a while first, which costs no waking up. */
export function waitWhile(control: Int32Array, slot: number, value: number, patient: boolean): void {
  const start = patient ? performance.now() : 0;
  while (patient && performance.now() - start < patienceMs) {
    for (let i = 0; i < 100; i++) if (Atomics.load(control, slot) !== value) return;
  }
  while (Atomics.load(control, slot) === value) Atomics.wait(control, slot, value);
}

export type Operation = keyof typeof operations;

/** What a crew's worker is started with. */
export interface CrewData {
  readonly control: Int32Array<SharedArrayBuffer>;
  /** Workers, the first thread not counted. */
  readonly threads: number;
  readonly bytes: number;
  readonly memory: { readonly withMemory: boolean; readonly withSource: boolean };
  /** Whether there are cores enough to look for a turn without taking them from those who work. */
  readonly patient: boolean;
}

/** memset writes this, so that a fill which does nothing leaves bytes that are wrong. */
const junk = 0x5a;

/** Buffer's methods take no more than 2^32 bytes, and not all of them that many. */
const mostBytes = 2 ** 30;

/** Memory as Buffers of at most 1 GiB. */
export function buffersOf(buffer: ArrayBufferLike): Buffer[] {
  const buffers: Buffer[] = [];
  for (let at = 0; at < buffer.byteLength; at += mostBytes) {
    buffers.push(Buffer.from(buffer, at, Math.min(mostBytes, buffer.byteLength - at)));
  }
  return buffers;
}

/** New memory, touched as a fill touches it: on huge pages where the system grants them. A multiple of eight bytes. */
export function touched(bytes: number): ArrayBuffer {
  const data = new Float64Array(Math.ceil(bytes / 8));
  fillRange(data, 'float64', { kind: 'constant', value: 0 }, undefined, 0, 1);
  return data.buffer;
}

/**
 * The C library's memset: Buffer.fill with one byte is no more than that. Not on shared memory, where JavaScript's rules make it
 * a loop over atomic bytes, ten times as slow.
 */
export function memset(buffers: readonly Buffer[]): void {
  for (const buffer of buffers) buffer.fill(junk);
}

/** The C library's memmove, which is memcpy for memory that does not overlap. */
export function memcpy(buffers: readonly Buffer[], sources: readonly Buffer[]): void {
  for (const [i, buffer] of buffers.entries()) sources[i]?.copy(buffer);
}

/** memset of memory that was never touched, its allocation included. */
export function memsetFresh(bytes: number): void {
  memset(buffersOf(new ArrayBuffer(bytes)));
}

/** Returns memory that is no longer used to the system; only where node runs with --expose-gc. */
export function collectGarbage(): void {
  // A second time, because the first may leave the memory to a thread in the background, which the second waits for.
  for (let i = 0; i < 2; i++) globalThis.gc?.();
}

/** One thread's part of memset and memcpy, on memory of its own that it touched first itself. */
export class Part {
  readonly #bytes: number;
  readonly #target: Buffer[];
  readonly #source: Buffer[];

  /** `bytes` of 0 need no memory: for fresh memory alone. */
  constructor(bytes: number, { withMemory, withSource }: { withMemory: boolean; withSource: boolean }) {
    this.#bytes = bytes;
    this.#target = withMemory ? buffersOf(touched(bytes)) : [];
    this.#source = withSource ? buffersOf(touched(bytes)) : [];
  }

  run(operation: Operation): void {
    if (operation === 'memset') memset(this.#target);
    else if (operation === 'memcpy') memcpy(this.#target, this.#source);
    else if (operation === 'fresh') memsetFresh(this.#bytes);
    else if (operation === 'collect') collectGarbage();
  }
}
