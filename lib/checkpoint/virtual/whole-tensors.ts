import { dtypes } from '../../core/dtype.js';
import { isGrid } from '../../core/grid.js';
import { elementsOf } from '../../core/shape.js';
import { isFillable } from '../../core/stored-dtype.js';
import { throwIfAborted, unlessAborted } from '../../pool/operation.js';
import type { Executor } from './executor.js';
import type { KeyedTensor } from './range.js';

/** How much of tensors that are made whole is kept by default: 1 GiB. One that is larger is kept alone. */
const defaultLimit = 2 ** 30;

/** Hands out a tensor's bytes; `release` when they are no longer read. */
export interface Lease {
  readonly bytes: Uint8Array;
  release(): void;
}

interface Entry {
  readonly size: number;
  readonly made: Promise<Uint8Array>;
  leases: number;
}

/**
 * Orthogonal and sparse tensors can only be made whole. They are kept for the ranges that follow, up to a limit: the ones not used for the
 * longest go first, those in use stay, and who wants one more waits.
 */
export class WholeTensors {
  readonly #limit: number;
  /** The least recently used first. */
  readonly #entries = new Map<KeyedTensor, Entry>();
  #held = 0;
  #waiting: (() => void)[] = [];

  constructor(limit = defaultLimit) {
    this.#limit = limit;
  }

  /** The tensor's bytes, made by the executor unless they are there. */
  async lease(tensor: KeyedTensor, executor: Executor, signal?: AbortSignal): Promise<Lease> {
    const size = needOf(tensor);
    for (;;) {
      throwIfAborted(signal);
      const known = this.#entries.get(tensor);
      if (known === undefined) {
        if (this.#makeRoom(size)) break;
        await this.#room(signal);
        continue;
      }
      try {
        return await this.#use(tensor, known, signal);
      } catch {
        throwIfAborted(signal);
        this.#drop(tensor, known); // whoever had it made may have stopped: make it anew
      }
    }
    const entry: Entry = { size, made: make(tensor, executor, signal), leases: 0 };
    this.#entries.set(tensor, entry);
    this.#held += size;
    entry.made.catch(() => this.#drop(tensor, entry)); // the next one who asks tries again
    return this.#use(tensor, entry, signal);
  }

  async #use(tensor: KeyedTensor, entry: Entry, signal: AbortSignal | undefined): Promise<Lease> {
    entry.leases += 1;
    this.#entries.delete(tensor);
    this.#entries.set(tensor, entry); // now the most recently used
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      entry.leases -= 1;
      this.#wake();
    };
    try {
      return { bytes: await unlessAborted(entry.made, signal), release };
    } catch (cause) {
      release();
      throw cause;
    }
  }

  /** Lets go of what nobody uses until there is room; true if there is, or nothing else is held. */
  #makeRoom(size: number): boolean {
    for (const [tensor, entry] of [...this.#entries]) {
      if (this.#held + size <= this.#limit) return true;
      if (entry.leases === 0) this.#drop(tensor, entry);
    }
    return this.#held === 0 || this.#held + size <= this.#limit;
  }

  #drop(tensor: KeyedTensor, entry: Entry): void {
    if (this.#entries.get(tensor) !== entry) return;
    this.#entries.delete(tensor);
    this.#held -= entry.size;
    this.#wake();
  }

  /** Resolves when something was released, or the signal is aborted. */
  async #room(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal?.removeEventListener('abort', wake);
        resolve();
      };
      signal?.addEventListener('abort', wake, { once: true });
      this.#waiting.push(wake);
    });
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell();
  }
}

/** The memory that making a tensor takes: its own, and that of the whole of which it is a slice. */
function needOf({ bytes, dtype, slice, codes, shape }: KeyedTensor): number {
  if (codes !== undefined || isGrid(dtype)) return bytes + 8 * elementsOf(slice?.shape ?? codes?.shape ?? shape);
  if (slice === undefined || !isFillable(dtype)) return bytes;
  return bytes + elementsOf(slice.shape) * dtypes[dtype].bytes;
}

async function make(tensor: KeyedTensor, executor: Executor, signal: AbortSignal | undefined): Promise<Uint8Array> {
  let memory: Uint8Array;
  try {
    memory = new Uint8Array(new SharedArrayBuffer(tensor.bytes));
  } catch (cause) {
    const what = `tensor ${JSON.stringify(tensor.name)} is made whole, and there is no memory for its ${tensor.bytes} bytes`;
    throw new Error(what, { cause });
  }
  await executor.run({ of: 'whole', tensor, memory }, 1, tensor.bytes, { signal });
  return memory;
}
