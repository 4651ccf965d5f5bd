import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest';
import { dtypes } from '../../lib/core/dtype.js';
import type { Fill } from '../../lib/core/fill.js';
import {
  fillRange,
  forceSimdTarget,
  get_num_threads,
  prepareMemory,
  set_num_threads,
  simdTarget,
  simdTargets,
} from '../../lib/native/addon.js';
import { empty } from '../../lib/tensor/tensor.js';
import { detach, ResizableBuffer, sha256 } from '../support.js';

const path = process.env.NNINIT_ADDON ?? '../../build/Release/nninit.node';
const addon = createRequire(import.meta.url)(path) as Record<string, (...args: unknown[]) => unknown>;
const fill = addon.fill as (...args: unknown[]) => unknown;
const params = (...values: number[]) => Float64Array.from({ length: 6 }, (_, i) => values[i] ?? 0);
const key = () => new BigUint64Array([1n, 2n]);

describe('the native side checks for itself', () => {
  const good = () => [new Float32Array(12), 0, 2, params(0, 1), key(), 0, 1] as unknown[];
  const withArgument = (index: number, value: unknown) => good().map((old, i) => (i === index ? value : old));

  test('takes what is right', () => {
    expect(fill(...good())).toBe(true);
  });

  test.each<[string, number, unknown]>([
    ['data: a plain array', 0, [1, 2, 3]],
    ['data: null', 0, null],
    ['data: a DataView', 0, new DataView(new ArrayBuffer(8))],
    ['data: the wrong typed array', 0, new Float64Array(3)],
    ['data: a Uint8Array', 0, new Uint8Array(3)],
    ['dtype: unknown', 1, 4],
    ['dtype: negative', 1, -1],
    ['dtype: a fraction', 1, 0.5],
    ['dtype: NaN', 1, Number.NaN],
    ['dtype: a string', 1, '0'],
    ['kind: unknown', 2, 7],
    ['kind: 2^32 + 1', 2, 2 ** 32 + 1],
    ['params: too short', 3, new Float64Array(2)],
    ['params: other numbers', 3, new Float32Array(6)],
    ['params: NaN', 3, params(Number.NaN, 1)],
    ['params: a negative std', 3, params(0, -1)],
    ['key: too short', 4, new BigUint64Array(1)],
    ['key: signed', 4, new BigInt64Array(2)],
    ['begin: negative', 5, -1],
    ['begin: 2^53', 5, 2 ** 53],
    ['begin: at the end of the index space', 5, 2 ** 53 - 1],
    ['begin: a bigint', 5, 1n],
    ['threads: negative', 6, -1],
    ['threads: too many', 6, 1e9],
    ['cancel: not an Int32Array', 7, new Uint8Array(1)],
  ])('refuses %s, and writes nothing', (_, index, value) => {
    const args = index === 7 ? [...good(), value] : withArgument(index, value);
    expect(() => fill(...args)).toThrow(/^native fill: expected/);
    if (index !== 0) expect([...(args[0] as Float32Array)]).toEqual(Array(12).fill(0));
  });

  test.each<[string, number, Float64Array]>([
    ['a diagonal that counts in fractions', 4, params(1, 0, 0.5, 1, 1, 1)],
    ['a diagonal of no number', 4, params(1, 0, 1, Number.NaN, 1, 1)],
    ['a diagonal beyond 2^53', 4, params(1, 2 ** 53, 1, 1, 1, 1)],
    ['a matrix of 1.5 rows', 5, params(1.5, 8, 1, 1, 0)],
    ['a matrix of negative sides', 5, params(-3, -4, 1, 1, 0)],
    ['a matrix without end', 5, params(Number.POSITIVE_INFINITY, 4, 1, 1, 0)],
    ['half a zero in each column', 6, params(3, 4, 0.5, 1)],
  ])('refuses %s, and writes nothing', (_, kind, numbers) => {
    const args = good();
    args[2] = kind;
    args[3] = numbers;
    expect(() => fill(...args)).toThrow(/^native fill: expected .*whole numbers/);
    expect([...(args[0] as Float32Array)]).toEqual(Array(12).fill(0));
  });

  test('cuts no matrix into runs, and draws no constant', () => {
    const [data, dtype] = good();
    const runs = new Float64Array([0, 12]);
    for (const [kind, numbers] of [
      [5, params(3, 4, 1, 1, 0)],
      [6, params(3, 4, 1, 1)],
    ]) {
      expect(() => addon.fillRuns?.(data, dtype, kind, numbers, key(), runs, 0, 1)).toThrow(
        'native fillRuns: expected a fill of elements that do not depend on one another',
      );
    }
    const state = new Uint8Array(5056);
    addon.torchSeed?.(state, 1n);
    for (const kind of [0, 4]) {
      expect(() => addon.torchFill?.(data, dtype, kind, params(), state, 12, 0, 1, false)).toThrow(
        'native torchFill: expected a random fill',
      );
    }
  });

  test('refuses too few arguments', () => {
    for (let count = 0; count < 7; count++) expect(() => fill(...good().slice(0, count))).toThrow(TypeError);
  });

  test('a detached buffer is empty', () => {
    const data = new Float32Array(12);
    detach(data);
    expect(fill(...withArgument(0, data))).toBe(true);
    const words = key();
    detach(words);
    expect(() => fill(...withArgument(4, words))).toThrow(TypeError);
  });

  test('a resizable buffer that shrank is empty, and a shorter one is shorter', () => {
    const buffer = new ResizableBuffer(48, { maxByteLength: 96 });
    const fixed = new Float32Array(buffer, 0, 12);
    const tracking = new Float32Array(buffer);
    buffer.resize(16);
    expect(fill(...withArgument(0, fixed))).toBe(true);
    expect([...new Float32Array(buffer)]).toEqual([0, 0, 0, 0]);
    expect(fill(...withArgument(0, tracking))).toBe(true);
    expect(tracking.every((x) => x !== 0)).toBe(true);
  });
});

describe('fillRange', () => {
  const normal: Fill = { kind: 'normal', mean: 0, std: 1 };

  test('any byteOffset, SharedArrayBuffer and ArrayBuffer alike', () => {
    const expected = sha256(filled(new Float32Array(1000)));
    for (const buffer of [new ArrayBuffer(5000), new SharedArrayBuffer(5000)]) {
      for (const offset of [0, 4, 8, 60, 64, 100]) {
        expect(sha256(filled(new Float32Array(buffer, offset, 1000)))).toBe(expected);
      }
    }
    function filled(data: Float32Array): Float32Array {
      fillRange(data, 'float32', normal, { seed: 1n, stream: 1n });
      return data;
    }
  });

  test('a cancelled fill returns false', () => {
    const word = new Int32Array(new SharedArrayBuffer(4));
    const { data } = empty([1 << 18]);
    expect(fillRange(data, 'float32', normal, { seed: 1n, stream: 1n }, 0, 1, word)).toBe(true);
    word[0] = 1;
    expect(fillRange(data, 'float32', normal, { seed: 1n, stream: 1n }, 0, 1, word)).toBe(false);
  });

  test('memory can be prepared, of any size, and keeps its values', () => {
    for (const data of [new Float32Array(0), new Float32Array(3).fill(7), new Uint16Array(1 << 22).fill(7)]) {
      prepareMemory(data);
      expect(data.every((x) => x === 7)).toBe(true);
    }
    expect(() => prepareMemory(new Uint8Array(8) as unknown as Uint16Array)).toThrow(TypeError);
  });

  test('the number of threads is set and read, and bad ones are refused', () => {
    const before = get_num_threads();
    set_num_threads(3);
    expect(get_num_threads()).toBe(3);
    for (const bad of [0, -1, 1.5, Number.NaN, 1e6, '2' as unknown as number]) {
      expect(() => set_num_threads(bad)).toThrow(RangeError);
    }
    expect(get_num_threads()).toBe(3);
    set_num_threads(before);
  });

  test('several threads of Node use the addon at once, and end without disturbing each other', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const addon = require(workerData.path);
      const data = new Float32Array(workerData.shared);
      for (let round = 0; round < 20; round++) {
        addon.fill(data, 0, 2, new Float64Array([0, 1, 0, 0, 0, 0]), new BigUint64Array([5n, 6n]), 0, 2);
      }
      parentPort.postMessage('done');`;
    const absolute = createRequire(import.meta.url).resolve(path);
    const count = 300_000;
    const shared = Array.from({ length: 3 }, () => new SharedArrayBuffer(4 * count));
    const ends = shared.map(
      (memory) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(source, { eval: true, workerData: { path: absolute, shared: memory } });
          worker.on('error', reject).on('exit', resolve);
        }),
    );
    const own = new Float32Array(count);
    for (let round = 0; round < 20; round++) fillRange(own, 'float32', normal, { seed: 5n, stream: 6n }, 0, 2);
    expect(await Promise.all(ends)).toEqual([0, 0, 0]);
    for (const memory of shared) expect(sha256(new Float32Array(memory))).toBe(sha256(own));
  });
});

test('one thread of Node may load the addon more than once', () => {
  const source = `
    const { Worker, isMainThread, workerData } = require('node:worker_threads');
    const { source, path } = workerData ?? { source: process.argv[1], path: process.argv[2] };
    const sums = [0, 1, 2].map((load) => {
      const module = { exports: {} };
      if (load === 2) process.dlopen(module, path);
      else module.exports = require(path);
      delete require.cache[path];
      const data = new Float32Array(300_000);
      module.exports.fill(data, 0, 2, new Float64Array([0, 1, 0, 0, 0, 0]), new BigUint64Array([5n, 6n]), 0, 2);
      return data.reduce((sum, x) => sum + x, 0);
    });
    if (new Set(sums).size !== 1) throw new Error(String(sums));
    if (isMainThread) new Worker(source, { eval: true, workerData: { source, path } });`;
  const absolute = createRequire(import.meta.url).resolve(path);
  const { status, stderr } = spawnSync(process.execPath, ['-e', source, source, absolute], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

describe('SIMD targets', () => {
  afterAll(() => forceSimdTarget(null));

  test('every target this machine has writes the same bytes', () => {
    const names = simdTargets();
    expect(names.length).toBeGreaterThan(0);
    const fills: Fill[] = [
      { kind: 'uniform', a: -1, b: 2 },
      { kind: 'normal', mean: 0, std: 1 },
      { kind: 'trunc_normal', mean: 0, std: 1, a: -2, b: 2 },
      { kind: 'orthogonal', rows: 100, cols: 100, gain: 1, stride: 1, offset: 0 },
    ];
    for (const dtype of Object.keys(dtypes) as (keyof typeof dtypes)[]) {
      for (const each of fills) {
        const hashes = names.map((name) => {
          forceSimdTarget(name);
          expect(simdTarget()).toBe(name);
          const { data } = empty([10_000], { dtype });
          fillRange(data, dtype, each, { seed: 3n, stream: 4n });
          return sha256(data);
        });
        expect(new Set(hashes).size).toBe(1);
      }
    }
  });

  test('an unknown target is refused', () => {
    expect(() => forceSimdTarget('AVX9')).toThrow(/expected one of simdTargets\(\)/);
  });
});

afterEach(() => vi.unstubAllEnvs());
async function fresh(): Promise<typeof import('../../lib/native/addon.js')> {
  vi.resetModules();
  return await import('../../lib/native/addon.js');
}

test('a missing addon is an error that says how to build it', async () => {
  vi.stubEnv('NNINIT_ADDON', './nowhere.node');
  const { get_num_threads } = await fresh();
  for (const text of ['could not be loaded from ./nowhere.node', 'npm rebuild nninit', 'install-scripts approve']) {
    expect(get_num_threads).toThrow(text);
  }
});

describe('NNINIT_THREADS', () => {
  test.each(['0', '1025', 'abc', '-1', '1.5', '99999999999', '+4', '4 ', '0x4', '1e2'])(
    '%j is refused at the first use',
    async (text) => {
      vi.stubEnv('NNINIT_THREADS', text);
      const { get_num_threads } = await fresh();
      const message = `nninit: expected an integer from 1 to 1024 for the environment variable NNINIT_THREADS, but received '${text}' of type string`;
      for (let i = 0; i < 2; i++) expect(get_num_threads).toThrow(new RangeError(message));
    },
  );

  test.each(['', '1', '1024', '007'])('%j is accepted', async (text) => {
    vi.stubEnv('NNINIT_THREADS', text);
    const { get_num_threads } = await fresh();
    expect(get_num_threads).not.toThrow();
  });
});
