import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.js';

/** How much a server does at once. */
export interface Limits {
  /** Requests at a time, and those of one address; 256 and 64 by default. */
  readonly requests?: number | undefined;
  readonly requestsPerAddress?: number | undefined;
  /** Of each download; no limit by default. */
  readonly bytesPerSecond?: number | undefined;
}

/**
 * The chunks of a download. One is being sent, and the others are made meanwhile. Each costs the thread that sends some 60 µs beside the sending, so few downloads
 * get large ones. All that run together have 101 MiB at most, in memory that goes round.
 *
 * @param requests how many are being answered
 */
export function chunksOf(requests: number): { readonly chunkBytes: number; readonly chunksAhead: number } {
  if (requests > 16) return { chunkBytes: 64 << 10, chunksAhead: 2 };
  if (requests > 8) return { chunkBytes: 512 << 10, chunksAhead: 2 };
  return requests > 4 ? { chunkBytes: 1 << 20, chunksAhead: 2 } : { chunkBytes: 2 << 20, chunksAhead: 3 };
}

/** Counts requests that are being answered. */
export class Counter {
  readonly #most: number;
  readonly #mostPerAddress: number;
  readonly #addresses = new Map<string, number>();
  #count = 0;

  constructor({ requests = 256, requestsPerAddress = 64 }: Limits) {
    this.#most = requests;
    this.#mostPerAddress = requestsPerAddress;
  }

  get count(): number {
    return this.#count;
  }

  /**
   * Counts a request until what is returned is called.
   *
   * @throws Refusal when there are too many
   */
  enter(request: IncomingMessage): () => void {
    const later = { headers: { 'retry-after': '1' }, s3: 'SlowDown' };
    if (this.#count >= this.#most) throw new Refusal(503, 'too many requests at once', later);
    const address = request.socket.remoteAddress ?? '';
    const own = this.#addresses.get(address) ?? 0;
    if (own >= this.#mostPerAddress) throw new Refusal(429, 'too many requests at once from your address', later);
    this.#count += 1;
    this.#addresses.set(address, own + 1);
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#count -= 1;
      const others = (this.#addresses.get(address) ?? 1) - 1;
      if (others === 0) this.#addresses.delete(address);
      else this.#addresses.set(address, others);
    };
  }
}
