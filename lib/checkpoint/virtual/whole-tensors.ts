import { dtypes } from '../../core/dtype.js';
import { isGrid } from '../../core/grid.js';
import { elementsOf } from '../../core/shape.js';
import { isFillable } from '../../core/stored-dtype.js';
import { sharedBytes } from '../../pool/memory.js';
import { throwIfAborted, unlessAborted } from '../../pool/operation.js';
import type { Arena } from './arena.js';
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
  /** What counts towards the limit: while it is made, also what that takes besides. */
  size: number;
  readonly made: Promise<Uint8Array>;
  /** Once it is made. */
  memory?: Uint8Array;
  leases: number;
}

/**
 * Orthogonal and sparse tensors can only be made whole. They are kept for the ranges that follow, up to a limit: the ones not used for the
 * longest go first, those in use stay, and who wants one more waits.
 */
export class WholeTensors {
  readonly #limit: number;
  readonly #arena: Arena | undefined;
  /** The least recently used first. */
  readonly #entries = new Map<KeyedTensor, Entry>();
  #held = 0;
  /** Memory of tensors that were let go, for others of the same size: threads that have seen it would keep it until they collect their garbage. */
  readonly #spare: Uint8Array[] = [];
  #waiting: (() => void)[] = [];

  /** @param arena memory of tensors that it can hold */
  constructor(limit = defaultLimit, arena?: Arena) {
    this.#limit = limit;
    this.#arena = arena;
  }

  /** The tensor's bytes, made by the executor unless they are there. */
  async lease(tensor: KeyedTensor, executor: Executor, signal?: AbortSignal): Promise<Lease> {
    const work = workOf(tensor);
    const size = needOf(tensor) + work;
    for (;;) {
      throwIfAborted(signal);
      const known = this.#entries.get(tensor);
      if (known === undefined) {
        if (this.#makeRoom(size, tensor.bytes)) break;
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
    const entry: Entry = { size, made: this.#make(tensor, executor, signal), leases: 0 };
    this.#entries.set(tensor, entry);
    this.#held += size;
    entry.made.then(
      (memory) => {
        this.#shrink(tensor, entry, work);
        if (this.#entries.get(tensor) === entry) entry.memory = memory;
        else this.#giveBack(memory);
      },
      () => this.#drop(tensor, entry), // the next one who asks tries again
    );
    return this.#use(tensor, entry, signal);
  }

  /** It is made, and takes so much less. */
  #shrink(tensor: KeyedTensor, entry: Entry, bytes: number): void {
    if (this.#entries.get(tensor) !== entry) return;
    entry.size -= bytes;
    this.#held -= bytes;
    this.#wake();
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

  /** Lets go of what nobody uses until there is room, first of what has the same size; true if there is, or nothing else is held. */
  #makeRoom(size: number, bytes: number): boolean {
    const isAsLarge = ([, { memory }]: [unknown, Entry]) => memory?.length === bytes;
    const entries = [...this.#entries];
    const arena = this.#arena?.holds(bytes) ? this.#arena : undefined;
    const fits = () => this.#held + size <= this.#limit && (arena?.has(bytes) ?? true);
    for (const [tensor, entry] of [...entries.filter(isAsLarge), ...entries]) {
      if (fits()) return true;
      if (entry.leases === 0) this.#drop(tensor, entry);
    }
    // What was let go while it was being made is in the arena until it is done.
    return fits() || (this.#held === 0 && (arena?.has(bytes) ?? true));
  }

  #drop(tensor: KeyedTensor, entry: Entry): void {
    if (this.#entries.get(tensor) !== entry) return;
    this.#entries.delete(tensor);
    this.#held -= entry.size;
    if (entry.memory === undefined) this.#wake();
    else this.#giveBack(entry.memory);
  }

  #giveBack(memory: Uint8Array): void {
    if (!this.#arena?.give(memory)) this.#spare.push(memory);
    this.#wake();
  }

  async #make(tensor: KeyedTensor, executor: Executor, signal: AbortSignal | undefined): Promise<Uint8Array> {
    const memory = this.#memoryFor(tensor);
    try {
      await executor.run({ of: 'whole', tensor, memory }, 1, tensor.bytes, { signal });
    } catch (cause) {
      this.#giveBack(memory);
      throw cause;
    }
    return memory;
  }

  #memoryFor({ name, bytes }: KeyedTensor): Uint8Array {
    if (this.#arena?.holds(bytes)) return this.#arena.take(bytes);
    const found = this.#spare.findIndex(({ length }) => length === bytes);
    const [spare] = found < 0 ? [] : this.#spare.splice(found, 1);
    const spareBytes = () => this.#spare.reduce((sum, { length }) => sum + length, 0);
    while (this.#spare.length > 0 && spareBytes() > this.#limit - this.#held - bytes) this.#spare.shift();
    if (spare !== undefined) return spare;
    try {
      return sharedBytes(bytes, 1);
    } catch (cause) {
      const what = `tensor ${JSON.stringify(name)} is made whole, and there is no memory for its ${bytes} bytes`;
      throw new Error(what, { cause });
    }
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

/** What the reflections of an orthogonal matrix take while they are multiplied: as much as the matrix in the type computed in. */
function workOf({ fill, dtype, slice, codes, shape }: KeyedTensor): number {
  if (fill.kind !== 'orthogonal') return 0;
  return elementsOf(slice?.shape ?? codes?.shape ?? shape) * (dtype === 'float64' ? 8 : 4);
}

/** The memory that making a tensor takes: its own, and that of the whole of which it is a slice. */
function needOf({ bytes, dtype, slice, codes, shape }: KeyedTensor): number {
  if (codes !== undefined || isGrid(dtype)) return bytes + 8 * elementsOf(slice?.shape ?? codes?.shape ?? shape);
  if (slice === undefined || !isFillable(dtype)) return bytes;
  return bytes + elementsOf(slice.shape) * dtypes[dtype].bytes;
}
