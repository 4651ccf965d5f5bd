/** Parts begin at multiples of it. */
const pageBytes = 4096;

/**
 * Shared memory of which parts are handed out and come back. Shared memory that is let go of stays until all threads that have seen it have collected their garbage,
 * so what is made again and again in other sizes would pile up in memory of its own.
 */
export class Arena {
  readonly #bytes: number;
  /** From the system, when it is first needed. */
  #buffer: SharedArrayBuffer | undefined;
  /** In order. */
  readonly #taken: { readonly begin: number; readonly end: number }[] = [];

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Whether so many bytes can ever be had. */
  holds(bytes: number): boolean {
    return bytes <= this.#bytes;
  }

  /** Whether so many bytes are free in one piece. */
  has(bytes: number): boolean {
    return this.#gap(bytes) !== undefined;
  }

  /** So many bytes, with whatever stands there; `has` tells whether there are. */
  take(bytes: number): Uint8Array {
    const gap = this.#gap(bytes);
    if (gap === undefined) throw new Error(`no ${bytes} bytes are free`);
    this.#buffer ??= new SharedArrayBuffer(this.#bytes);
    this.#taken.splice(gap.index, 0, { begin: gap.begin, end: gap.begin + bytes });
    return new Uint8Array(this.#buffer, gap.begin, bytes);
  }

  /** Takes back what `take` gave, once nobody reads it or writes to it; false for other memory. */
  give({ buffer, byteOffset }: Uint8Array): boolean {
    if ((buffer as unknown) !== this.#buffer) return false;
    const index = this.#taken.findIndex(({ begin }) => begin === byteOffset);
    if (index >= 0) this.#taken.splice(index, 1);
    return true;
  }

  #gap(bytes: number): { readonly index: number; readonly begin: number } | undefined {
    let begin = 0;
    for (const [index, taken] of this.#taken.entries()) {
      if (begin + bytes <= taken.begin) return { index, begin };
      begin = Math.ceil(taken.end / pageBytes) * pageBytes;
    }
    return begin + bytes <= this.#bytes ? { index: this.#taken.length, begin } : undefined;
  }
}
