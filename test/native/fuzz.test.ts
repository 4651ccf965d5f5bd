// Anything at the native side's doors: it refuses, or does what it was asked, and nothing else happens.
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { expectOften, fuzzed } from '../fuzz/fuzzed.js';
import { detach } from '../support.js';
import { addon, call, torchState } from './raw.js';

describe('the native side', () => {
  const number = fc.oneof(fc.double(), fc.integer({ min: -3, max: 70 }), fc.constantFrom(2 ** 31, 2 ** 53, 1e300));

  test('survives anything', () => {
    const anything = fc.oneof(
      fc.anything(),
      fc.double(),
      fc.integer(),
      fc.constantFrom<unknown>(
        new Float32Array(3),
        new Uint16Array(5),
        new Float64Array([0, 1, 0, 0, 0, 0]),
        new BigUint64Array([1n, 2n]),
        torchState(),
        new Int32Array(1),
        new Float64Array(4),
        true,
        0,
        1,
        5,
        6,
        5n,
        2 ** 53 - 1,
      ),
    );
    const name = fc.constantFrom(
      'request',
      'fill',
      'fillRuns',
      'torchFill',
      'torchSkip',
      'torchSeed',
      'torchCheck',
      'widen',
      'prepare',
    );
    const args = fc.array(anything, { maxLength: 5 });
    fc.assert(
      fc.property(name, args, fc.array(number, { maxLength: 8 }), (name, args, numbers) => {
        const [dtype = 0, kind = 0, begin = 0, threads = 1, elements = 0, writers = 0, total = 0, rounds = 0] = numbers;
        survive(() => call(name, { dtype, kind, begin, threads, elements, writers, total, rounds }, ...args));
      }),
      fuzzed(9000),
    );
  });

  /** Whatever happens is an error, and nothing beside the data is written. Tells whether it was done. */
  function survive(work: () => unknown): boolean {
    try {
      work();
      return true;
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      return false;
    }
  }

  const numbers = fc.array(number, { minLength: 6, maxLength: 6 });
  const whole = fc.oneof(
    fc.nat({ max: 100 }),
    fc.nat({ max: 2 ** 40 }),
    fc.constantFrom(2 ** 53 - 1, 2 ** 52, 2 ** 32, -1, 0.5, Number.NaN, 2 ** 53),
  );
  const guarded = (dtype: number, count: number) => {
    const type = [Float32Array, Float64Array, Uint16Array, Uint16Array][dtype] as Float32ArrayConstructor;
    const memory = new type(count + 2).fill(7);
    return { data: memory.subarray(1, count + 1), intact: () => memory[0] === 7 && memory[count + 1] === 7 };
  };

  test('survives anything as the numbers of a fill that is otherwise right', () => {
    let done = 0;
    fc.assert(
      fc.property(
        fc.nat({ max: 6 }),
        fc.nat({ max: 3 }),
        numbers,
        fc.nat({ max: 70 }),
        fc.nat({ max: 2 ** 40 }),
        (kind, dtype, params, count, begin) => {
          const { data, intact } = guarded(dtype, count);
          if (survive(() => call('fill', { dtype, kind, params, begin: kind > 4 ? 0 : begin }, data))) done += 1;
          expect(intact()).toBe(true);
        },
      ),
      fuzzed(5000),
    );
    expectOften(done, 400);
  });

  test('survives anything as the runs of one', () => {
    let done = 0;
    fc.assert(
      fc.property(
        fc.nat({ max: 6 }),
        fc.nat({ max: 3 }),
        fc.oneof(fc.constant([0, 1, 0, 0, 0, 0]), numbers),
        fc.array(whole, { maxLength: 20 }),
        fc.nat({ max: 70 }),
        whole,
        (kind, dtype, params, runs, count, begin) => {
          const { data, intact } = guarded(dtype, count);
          const of = Float64Array.from(runs);
          if (survive(() => call('fillRuns', { dtype, kind, params, begin }, data, of))) done += 1;
          expect(intact()).toBe(true);
        },
      ),
      fuzzed(5000),
    );
    expectOften(done, 15);
  });

  test('survives anything as a fill of the engine torch', () => {
    let [filled, skipped] = [0, 0];
    const usual = [0, 1, -1, 1, 0, 0];
    fc.assert(
      fc.property(
        fc.nat({ max: 6 }),
        fc.nat({ max: 3 }),
        fc.oneof(fc.constant(usual), numbers),
        fc.nat({ max: 70 }),
        whole,
        whole,
        fc.boolean(),
        fc.integer({ min: 1, max: 3 }),
        (kind, dtype, params, count, total, begin, advance, threads) => {
          const { data, intact } = guarded(dtype, count);
          const of = torchState();
          const all = advance ? count : total;
          const nearEnd = advance ? 0 : Math.max(0, all - count - 3);
          const from = begin % 2 === 0 ? nearEnd : begin;
          // Draws that would end in an error after 100,000 of them are another test's: they take their time.
          if (kind === 3 && params !== usual) return;
          const asked = { dtype, kind, params, begin: from, threads, total: all };
          if (survive(() => call('torchFill', asked, data, of, advance))) filled += 1;
          expect(intact()).toBe(true);
          if (survive(() => call('torchSkip', { dtype, kind, params, total: all, rounds: begin }, of))) skipped += 1;
          expect(addon.torchCheck?.(of)).toBe('');
        },
      ),
      fuzzed(3000),
    );
    expectOften(filled, 100);
    expectOften(skipped, 100);
  });

  test('survives anything as a state of the engine torch', () => {
    let rights = 0;
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: 24 }), fc.nat({ max: 255 })), { maxLength: 4 }),
        fc.array(fc.tuple(fc.integer({ min: 24, max: 5055 }), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.nat({ max: 3 }),
        fc.nat({ max: 40 }),
        (head, body, dtype, count) => {
          const bytes = torchState();
          for (const [at, value] of [...head, ...body]) bytes[at] = value;
          const { data, intact } = guarded(dtype, count);
          const right = addon.torchCheck?.(bytes) === '';
          if (right) rights += 1;
          let taken = true;
          try {
            call('torchFill', { dtype, kind: 2, params: [0, 1], total: count }, data, bytes, true);
          } catch {
            taken = false;
          }
          expect(taken).toBe(right);
          expect(intact()).toBe(true);
          if (right) expect(addon.torchCheck?.(bytes)).toBe('');
        },
      ),
      fuzzed(3000),
    );
    expectOften(rights, 100);
  });

  test('a state of the engine torch may be shared, and change meanwhile', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(5056));
    shared.set(torchState());
    const source = `
      const { workerData } = require('node:worker_threads');
      for (let i = 0; i < 3e6; i++) workerData[(i * 7919) % 5056] = i;`;
    const worker = new Worker(source, { eval: true, workerData: shared });
    const ended = new Promise((resolve, reject) => worker.on('error', reject).on('exit', resolve));
    let running = true;
    ended.then(() => {
      running = false;
    });
    while (running) {
      const { data, intact } = guarded(0, 70);
      survive(() => call('torchFill', { kind: 2, params: [0, 1], threads: 2, total: 70 }, data, shared, true));
      survive(() => call('torchSkip', { kind: 1, params: [0, 1], total: 1000, rounds: 1 }, shared));
      survive(() => addon.torchCheck?.(shared));
      expect(intact()).toBe(true);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ended).toBe(0);
  });

  test('refuses detached states, and more draws of the engine torch than there can be', () => {
    const detached = torchState();
    detach(detached);
    const data = new Float32Array(20);
    expect(() => call('torchFill', { kind: 2, params: [0, 1], total: 20 }, data, detached, true)).toThrow(/5056 bytes/);
    expect(() => addon.torchSeed?.(detached, 5n)).toThrow(TypeError);
    expect(() => addon.torchSeed?.(torchState(), -1n)).toThrow(TypeError);
    expect(() => addon.torchSeed?.(torchState(), 2n ** 64n)).toThrow(TypeError);
    expect(() => addon.torchCheck?.(detached)).toThrow(TypeError);
    const before = torchState();
    for (const [total, rounds] of [
      [2 ** 53 - 1, 2 ** 53 - 1],
      [2 ** 53 - 1, 1024],
      [20, 2 ** 53 - 1],
    ] as const) {
      const after = torchState();
      expect(() => call('torchSkip', { kind: 3, params: [0, 1, -2, 2], total, rounds }, after)).toThrow(/rounds/);
      expect(after).toEqual(before);
    }
  });
});
