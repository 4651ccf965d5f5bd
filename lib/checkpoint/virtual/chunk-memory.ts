import { sharedBytes } from '../../pool/memory.js';
import type { Pool } from '../../pool/pool.js';

/** Chunks begin at multiples of it. */
const unitBytes = 64 << 10;
/** Memory is had of the system in pieces of this size, and so many of them at the most. */
const slabBytes = 16 << 20;
const mostSlabs = 8;

/** Shared memory, and which of its units are in use. */
interface Slab {
  readonly buffer: SharedArrayBuffer;
  readonly used: Uint8Array;
}

/**
 * The memory of all chunks that a pool makes, which goes round among whoever reads by it. New memory costs more than filling it, and shared memory that is let go
 * of stays until all threads that have seen it have collected their garbage.
 */
export class ChunkMemory {
  static readonly #ofPools = new WeakMap<Pool, ChunkMemory>();
  readonly #slabs: Slab[] = [];

  /** A pool's. */
  static of(pool: Pool): ChunkMemory {
    const known = ChunkMemory.#ofPools.get(pool) ?? new ChunkMemory();
    ChunkMemory.#ofPools.set(pool, known);
    return known;
  }

  /** So many bytes, with whatever stands there. Those beyond all slabs are for the garbage collector. */
  take(bytes: number): Uint8Array {
    const units = Math.ceil(bytes / unitBytes);
    if (units * unitBytes > slabBytes) return sharedBytes(bytes);
    for (let i = 0; i < mostSlabs; i++) {
      const slab = this.#slabs[i] ?? newSlab();
      this.#slabs[i] = slab;
      const at = placeIn(slab, units);
      if (at === undefined) continue;
      slab.used.fill(1, at, at + units);
      return new Uint8Array(slab.buffer, at * unitBytes, bytes);
    }
    return sharedBytes(bytes);
  }

  /** Takes back what `take` gave, once nobody reads it and no worker writes to it. */
  give({ buffer, byteOffset, length }: Uint8Array): void {
    const first = byteOffset / unitBytes;
    const slab = this.#slabs.find((each) => each.buffer === buffer);
    slab?.used.fill(0, first, first + Math.ceil(length / unitBytes));
  }
}

function newSlab(): Slab {
  return { buffer: new SharedArrayBuffer(slabBytes), used: new Uint8Array(slabBytes / unitBytes) };
}

/** The first place for so many units, at a multiple of them, so that chunks of one size leave no gaps between them. */
function placeIn({ used }: Slab, units: number): number | undefined {
  for (let at = 0; at + units <= used.length; at += units) {
    if (!used.subarray(at, at + units).includes(1)) return at;
  }
  return undefined;
}
