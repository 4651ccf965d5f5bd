import { type Dtype, dtypes } from '../core/dtype.js';
import { type Fill, kindCodes, writeNumbers } from '../core/fill.js';
import type { PhiloxKey } from './addon.js';

// By the slots of native/binding/request.h.
const dtypeSlot = 0;
const kindSlot = 1;
const numbersSlot = 2;
const keySlot = 8;
const beginSlot = 10;
const threadsSlot = 11;
const elementsSlot = 12;
const writersSlot = 13;
const totalSlot = 14;
const roundsSlot = 15;

/** What several threads that know nothing of one another fill at the same time. */
export interface AtOnce {
  readonly elements: number;
  readonly threads: number;
}

/**
 * What a call into the addon asks for in numbers, in memory that the addon knows: writing them costs next to nothing, where each
 * argument of a call costs some ten nanoseconds.
 */
export class Request {
  readonly #numbers: Float64Array;
  readonly #words: BigUint64Array;

  /** @param share tells the addon where the numbers are, and returns those that it was told of first */
  constructor(share: (numbers: Float64Array) => Float64Array) {
    // Shared, since such memory cannot be detached and stays where it is.
    this.#numbers = share(new Float64Array(new SharedArrayBuffer(16 * Float64Array.BYTES_PER_ELEMENT)));
    this.#words = new BigUint64Array(this.#numbers.buffer, keySlot * Float64Array.BYTES_PER_ELEMENT, 2);
  }

  writeFill(dtype: Dtype, fill: Fill): void {
    const numbers = this.#numbers;
    numbers[dtypeSlot] = dtypes[dtype].code;
    numbers[kindSlot] = kindCodes[fill.kind];
    writeNumbers(fill, numbers, numbersSlot);
  }

  writeKey({ seed, stream }: PhiloxKey): void {
    this.#words[0] = seed;
    this.#words[1] = stream;
  }

  writeRange(begin: number, threads: number, atOnce: AtOnce | undefined): void {
    const numbers = this.#numbers;
    numbers[beginSlot] = begin;
    numbers[threadsSlot] = threads;
    numbers[elementsSlot] = atOnce === undefined ? 0 : atOnce.elements;
    numbers[writersSlot] = atOnce === undefined ? 0 : atOnce.threads;
  }

  /** Of the engine torch. */
  writeTotal(total: number, rounds = 0): void {
    this.#numbers[totalSlot] = total;
    this.#numbers[roundsSlot] = rounds;
  }
}
