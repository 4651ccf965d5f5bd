// The addon itself, without what lib/native checks and knows.
import { createRequire } from 'node:module';

const path = createRequire(import.meta.url).resolve(process.env.NNINIT_ADDON ?? '../../build/Release/nninit.node');

export const addonPath = path;
export const addon = createRequire(import.meta.url)(path) as Record<string, (...args: unknown[]) => unknown>;

const numbers = addon.request?.(new Float64Array(new SharedArrayBuffer(128))) as Float64Array;
const words = new BigUint64Array(numbers.buffer, 64, 2);

/** What a call asks for in numbers, by the slots of native/binding/request.h. */
export interface Asked {
  readonly dtype?: number;
  readonly kind?: number;
  /** Of the fill. */
  readonly params?: readonly number[];
  readonly key?: readonly [bigint, bigint];
  readonly begin?: number;
  readonly threads?: number;
  readonly elements?: number;
  readonly writers?: number;
  readonly total?: number;
  readonly rounds?: number;
}

/** Calls a function of the addon with `args`, when all that it is asked in numbers is written. */
export function call(name: string, asked: Asked, ...args: readonly unknown[]): unknown {
  numbers.fill(0);
  numbers[0] = asked.dtype ?? 0;
  numbers[1] = asked.kind ?? 0;
  numbers.set((asked.params ?? []).slice(0, 6), 2);
  words.set(asked.key ?? [1n, 2n]);
  const rest = [asked.begin, asked.threads ?? 1, asked.elements, asked.writers, asked.total, asked.rounds];
  numbers.set(
    Array.from(rest, (number) => number ?? 0),
    10,
  );
  return addon[name]?.(...args);
}

/** Of the engine torch, seeded. */
export function torchState(): Uint8Array {
  const bytes = new Uint8Array(5056);
  addon.torchSeed?.(bytes, 5n);
  return bytes;
}
