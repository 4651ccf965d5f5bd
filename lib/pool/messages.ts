import { type Dtype, dtypes } from '../core/dtype.js';
import { type Fill, fillNumbers, kindCodes, writeNumbers } from '../core/fill.js';
import type { Key, PhiloxKey } from '../native/addon.js';
import type { NarrowDtype } from '../tensor/narrow.js';
import type { Slice } from '../tensor/slice.js';
import type { Control } from './control.js';

/**
 * All that passes between the pool and its workers. Small pieces travel as records in shared memory, for a structured clone
 * of each would cost more than its fill; large tensors travel as one message for each turn of a worker.
 */
export type Message = BatchMessage | TurnMessage | { readonly kind: 'ping' };

/** What each worker is given when it starts. */
export interface WorkerData {
  readonly niceness: number;
}

/** Fill the pieces that are written down in a slot's memory. */
export interface BatchMessage {
  readonly kind: 'batch';
  readonly slot: SharedArrayBuffer;
  readonly count: number;
}

/** Work on jobs that are cut into ranges, one after the other: claim and do them, until none is left or others wait. */
export interface TurnMessage {
  readonly kind: 'turn';
  readonly jobs: readonly TurnJob[];
  /** Native threads, for what is made whole. */
  readonly threads: number;
  /** One word, the pool's: not 0 while work waits for a worker. */
  readonly waiting: Int32Array;
}

/** What a worker is told of one job. */
export interface TurnJob {
  readonly work: FillWork | TaskWork;
  /** How many of the pool's threads may be at it. */
  readonly crew: number;
  readonly control: Control;
}

/** A tensor in shared memory. */
export interface FillWork {
  readonly of: 'fill';
  readonly buffer: SharedArrayBuffer;
  readonly byteOffset: number;
  /** Elements. */
  readonly length: number;
  readonly dtype: Dtype | NarrowDtype;
  readonly fill: Fill;
  readonly key: Key;
  /** Index of the first element within the fill. */
  readonly begin: number;
  /** Where the tensor is a part of what is filled. */
  readonly slice: Slice | undefined;
  /** Elements of the first range, which ends at a cache line, and of the others. */
  readonly first: number;
  readonly step: number;
}

/** Ranges of another room's work. */
export interface TaskWork {
  readonly of: 'task';
  /** The file of its module. */
  readonly module: string;
  readonly data: unknown;
}

/** What a task's module exports: does one range. Throws where that fails; returns early, and false, when `cancel` is not 0. */
export type DoRange = (data: unknown, index: number, threads: number, cancel: Int32Array) => boolean;

/** What a worker answers: nothing, or what went wrong. A worker that dies does not answer. */
export type Report = undefined | { readonly failures: readonly Failure[] };

/** `piece` counts within a batch, or the jobs of a turn. */
export interface Failure {
  readonly piece: number;
  readonly error: unknown;
  /** What an error carries besides, and loses when it is cloned. */
  readonly facts?: { readonly code: unknown; readonly errno?: unknown };
}

/** A slot holds records of pieces, and behind them the memory that the pieces fill. */
export const maxPieces = 512;
const recordWords = 16;
/** Where a slot's data begins. */
export const slotHeadBytes = maxPieces * recordWords * 8;
/** Bytes of a slot's data: what is copied on the event loop at a time. */
export const slotDataBytes = 2 << 20;

const dtypeByCode = new Map(Object.values(dtypes).map(({ code, name }) => [code, name]));
const kindByCode = new Map(Object.entries(kindCodes).map(([kind, code]) => [code, kind as Fill['kind']]));

/** One range of one fill, to stand `at` bytes into a slot's data. */
export interface Piece {
  readonly fill: Fill;
  readonly dtype: Dtype;
  readonly key: PhiloxKey;
  readonly begin: number;
  readonly count: number;
  readonly at: number;
}

/** Reads and writes a slot's records. */
export class Records {
  readonly #numbers: Float64Array;
  readonly #words: BigUint64Array;

  constructor(slot: SharedArrayBuffer) {
    this.#numbers = new Float64Array(slot, 0, maxPieces * recordWords);
    this.#words = new BigUint64Array(slot, 0, maxPieces * recordWords);
  }

  write(index: number, fill: Fill, dtype: Dtype, key: PhiloxKey, begin: number, count: number, at: number): void {
    const base = index * recordWords;
    const numbers = this.#numbers;
    numbers[base] = kindCodes[fill.kind];
    numbers[base + 1] = dtypes[dtype].code;
    numbers[base + 2] = begin;
    numbers[base + 3] = count;
    numbers[base + 4] = at;
    this.#words[base + 5] = key.seed;
    this.#words[base + 6] = key.stream;
    writeNumbers(fill, numbers, base + 7);
  }

  read(index: number): Piece {
    const base = index * recordWords;
    const number = (i: number): number => this.#numbers[base + i] as number;
    const kind = kindByCode.get(number(0)) as Fill['kind'];
    const fill: Record<string, unknown> = { kind };
    const names: readonly string[] = fillNumbers[kind];
    for (let i = 0; i < names.length; i++) fill[names[i] as string] = number(7 + i);
    return {
      fill: fill as unknown as Fill,
      dtype: dtypeByCode.get(number(1)) as Dtype,
      key: { seed: this.#words[base + 5] as bigint, stream: this.#words[base + 6] as bigint },
      begin: number(2),
      count: number(3),
      at: number(4),
    };
  }
}
