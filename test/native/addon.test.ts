import { spawnSync } from 'node:child_process';
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  syncDescriptor,
} from '../../lib/native/addon.js';
import { empty } from '../../lib/tensor/tensor.js';
import { detach, ResizableBuffer, sha256 } from '../support.js';
import { type Asked, addon, addonPath, call, torchState } from './raw.js';

describe('the native side checks for itself', () => {
  const good: Asked = { dtype: 0, kind: 2, params: [0, 1], begin: 0, threads: 1 };
  const zeros = () => new Float32Array(12);

  test('takes what is right', () => {
    expect(call('fill', good, zeros())).toBe(true);
  });

  test.each<[string, unknown]>([
    ['a plain array', [1, 2, 3]],
    ['null', null],
    ['a DataView', new DataView(new ArrayBuffer(8))],
    ['the wrong typed array', new Float64Array(3)],
    ['a Uint8Array', new Uint8Array(3)],
  ])('refuses data: %s', (_, data) => {
    expect(() => call('fill', good, data)).toThrow(/^native fill: expected data/);
  });

  test.each<[string, Asked]>([
    ['dtype: unknown', { dtype: 4 }],
    ['dtype: negative', { dtype: -1 }],
    ['dtype: a fraction', { dtype: 0.5 }],
    ['dtype: NaN', { dtype: Number.NaN }],
    ['kind: unknown', { kind: 7 }],
    ['kind: 2^32 + 1', { kind: 2 ** 32 + 1 }],
    ['params: NaN', { params: [Number.NaN, 1] }],
    ['params: a negative std', { params: [0, -1] }],
    ['begin: negative', { begin: -1 }],
    ['begin: 2^53', { begin: 2 ** 53 }],
    ['begin: at the end of the index space', { begin: 2 ** 53 - 1 }],
    ['threads: negative', { threads: -1 }],
    ['threads: too many', { threads: 1e9 }],
    ['elements: 2^54', { elements: 2 ** 54, writers: 1 }],
    ['writers: too many', { elements: 12, writers: 1025 }],
  ])('refuses %s, and writes nothing', (_, wrong) => {
    const data = zeros();
    expect(() => call('fill', { ...good, ...wrong }, data)).toThrow(/^native fill: expected/);
    expect(data).toEqual(zeros());
  });

  test('refuses a cancel that is no Int32Array, and writes nothing', () => {
    const data = zeros();
    expect(() => call('fill', good, data, new Uint8Array(1))).toThrow(/^native fill: expected cancel/);
    expect(data).toEqual(zeros());
  });

  test.each<[string, number, readonly number[]]>([
    ['a diagonal that counts in fractions', 4, [1, 0, 0.5, 1, 1, 1]],
    ['a diagonal of no number', 4, [1, 0, 1, Number.NaN, 1, 1]],
    ['a diagonal beyond 2^53', 4, [1, 2 ** 53, 1, 1, 1, 1]],
    ['a matrix of 1.5 rows', 5, [1.5, 8, 1, 1, 0]],
    ['a matrix of negative sides', 5, [-3, -4, 1, 1, 0]],
    ['a matrix without end', 5, [Number.POSITIVE_INFINITY, 4, 1, 1, 0]],
    ['half a zero in each column', 6, [3, 4, 0.5, 1]],
  ])('refuses %s, and writes nothing', (_, kind, params) => {
    const data = zeros();
    expect(() => call('fill', { ...good, kind, params }, data)).toThrow(/^native fill: expected .*whole numbers/);
    expect(data).toEqual(zeros());
  });

  test('cuts no matrix into runs, and draws no constant', () => {
    const runs = new Float64Array([0, 12]);
    for (const [kind, params] of [
      [5, [3, 4, 1, 1, 0]],
      [6, [3, 4, 1, 1]],
    ] as const) {
      expect(() => call('fillRuns', { kind, params }, zeros(), runs)).toThrow(
        'native fillRuns: expected a fill of elements that do not depend on one another',
      );
    }
    for (const kind of [0, 4]) {
      expect(() => call('torchFill', { kind, total: 12 }, zeros(), torchState(), false)).toThrow(
        'native torchFill: expected a random fill',
      );
    }
  });

  test('refuses positions beyond 2^20 in runs too, and writes nothing', () => {
    const data = zeros();
    const table = { ...good, kind: 10, params: [4, 10000, 4, 0] };
    const runs = new Float64Array([0, 4, 3, 2 ** 40]); // three rows far apart
    expect(() => call('fillRuns', table, data, runs)).toThrow(/^native fillRuns: expected at most 2\^20 rows/);
    expect(data).toEqual(zeros());
    expect(call('fillRuns', table, data, new Float64Array([0, 4, 3, 2 ** 20]))).toBe(true);
  });

  test('refuses too few arguments', () => {
    expect(() => call('fill', good)).toThrow(TypeError);
    expect(() => call('fillRuns', good, zeros())).toThrow(TypeError);
    expect(() => call('torchFill', good, zeros(), torchState())).toThrow(TypeError);
    expect(() => call('torchSkip', good)).toThrow(TypeError);
  });

  test('a detached buffer is empty', () => {
    const data = zeros();
    detach(data);
    expect(call('fill', good, data)).toBe(true);
  });

  test('a resizable buffer that shrank is empty, and a shorter one is shorter', () => {
    const buffer = new ResizableBuffer(48, { maxByteLength: 96 });
    const fixed = new Float32Array(buffer, 0, 12);
    const tracking = new Float32Array(buffer);
    buffer.resize(16);
    expect(call('fill', good, fixed)).toBe(true);
    expect([...new Float32Array(buffer)]).toEqual([0, 0, 0, 0]);
    expect(call('fill', good, tracking)).toBe(true);
    expect(tracking.every((x) => x !== 0)).toBe(true);
  });

  test('one environment has one request, in memory that cannot go', () => {
    const first = addon.request?.(undefined);
    expect(addon.request?.(new Float64Array(new SharedArrayBuffer(128)))).toBe(first);
    const source = `
      const addon = require(process.argv[1]);
      const tried = (work) => { try { return work(), 'done'; } catch (error) { return error.constructor.name + ': ' + error.message; } };
      console.log(tried(() => addon.fill(new Float32Array(1))));
      for (const wrong of [undefined, {}, new Float64Array(16), new Float64Array(new SharedArrayBuffer(120)), new BigInt64Array(new SharedArrayBuffer(128))]) {
        console.log(tried(() => addon.request(wrong)));
      }`;
    const { stdout } = spawnSync(process.execPath, ['-e', source, addonPath], { encoding: 'utf8' });
    const refused = 'TypeError: native request: expected a Float64Array of 16 elements on a SharedArrayBuffer';
    expect(stdout.trim().split('\n')).toEqual([
      'TypeError: native fill: expected request to have been called before',
      ...Array(5).fill(refused),
    ]);
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
    for (const length of [0, 3, 1 << 23]) {
      const data = new Uint8Array(length).fill(7);
      prepareMemory(data);
      expect(data.every((x) => x === 7)).toBe(true);
    }
    expect(() => prepareMemory(new Uint16Array(8) as unknown as Uint8Array)).toThrow(TypeError);
  });

  test('the number of threads is set and read, and bad ones are refused', () => {
    const before = get_num_threads();
    set_num_threads(3);
    expect(get_num_threads()).toBe(3);
    for (const bad of [0, -1, 1.5, Number.NaN, 1e6]) {
      expect(() => set_num_threads(bad)).toThrow(RangeError);
    }
    for (const bad of ['2', 2n, undefined]) {
      expect(() => set_num_threads(bad as unknown as number)).toThrow(TypeError);
    }
    expect(get_num_threads()).toBe(3);
    set_num_threads(before);
  });

  test('several threads of Node use the addon at once, and end without disturbing each other', async () => {
    const source = `
      const { parentPort, workerData } = require('node:worker_threads');
      const addon = require(workerData.path);
      const data = new Float32Array(workerData.shared);
      const asked = addon.request(new Float64Array(new SharedArrayBuffer(128)));
      asked.set([0, 2, 0, 1]);
      asked[11] = 2;
      new BigUint64Array(asked.buffer).set([5n, 6n], 8);
      for (let round = 0; round < 20; round++) addon.fill(data);
      parentPort.postMessage('done');`;
    const count = 300_000;
    const shared = Array.from({ length: 3 }, () => new SharedArrayBuffer(4 * count));
    const ends = shared.map(
      (memory) =>
        new Promise<number>((resolve, reject) => {
          const worker = new Worker(source, { eval: true, workerData: { path: addonPath, shared: memory } });
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
      const asked = module.exports.request(new Float64Array(new SharedArrayBuffer(128)));
      asked.set([0, 2, 0, 1]);
      asked[11] = 2;
      module.exports.fill(data);
      return data.reduce((sum, x) => sum + x, 0);
    });
    if (new Set(sums).size !== 1) throw new Error(String(sums));
    if (isMainThread) new Worker(source, { eval: true, workerData: { source, path } });`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', source, source, addonPath], { encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
});

test.each([
  ['process.exit(3)', 3],
  ["process.on('uncaughtException', () => process.exit(3)); throw new Error('x')", 3],
  ['', 0],
  [
    "new (require('node:worker_threads').Worker)('require(process.argv[2])', { eval: true, argv: [process.argv[1]] })",
    0,
  ],
])('a process under the signal guard ends as it would without: %s', (end, code) => {
  const source = `require(process.argv[1]).startSignalGuard(60_000, ''); ${end}`;
  const { status, signal, stderr } = spawnSync(process.execPath, ['-e', source, addonPath], { encoding: 'utf8' });
  expect([status, signal, stderr]).toEqual([code, null, '']);
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
  for (const text of ['the native addon does not load', './nowhere.node: is not there', 'npm run build:native']) {
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
      for (let i = 0; i < 2; i++)
        expect(get_num_threads).toThrow(
          expect.objectContaining({ name: 'RangeError', code: 'ERR_OUT_OF_RANGE', message }),
        );
    },
  );

  test.each(['', '1', '1024', '007'])('%j is accepted', async (text) => {
    vi.stubEnv('NNINIT_THREADS', text);
    const { get_num_threads } = await fresh();
    expect(get_num_threads).not.toThrow();
  });
});

// A header stands for all: each file of the addon includes it.
test.each([
  ['-ffast-math', 'the same bytes everywhere need IEEE 754'],
  ['-D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__', 'little-endian'],
])('is not built with %s', (option, why) => {
  const compile = (...options: string[]) =>
    spawnSync('c++', ['-std=c++17', '-fsyntax-only', '-Inative', '-w', ...options, 'native/types/dtype.h'], {
      encoding: 'utf8',
    });
  expect(compile()).toMatchObject({ status: 0, stderr: '' });
  const { status, stderr } = compile(option);
  expect(status).not.toBe(0);
  expect(stderr).toContain(why);
});

test('files and folders are synced by their descriptors; what is wrong is the error of the system', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nninit-sync-'));
  try {
    await writeFile(join(folder, 'a'), 'bytes');
    for (const path of [folder, join(folder, 'a')]) {
      const handle = await open(path, 'r');
      await syncDescriptor(handle.fd);
      await handle.close();
    }
    const wrong = syncDescriptor(2 ** 30);
    await expect(wrong).rejects.toThrow(Error);
    await expect(wrong).rejects.toMatchObject({ code: 'EBADF', syscall: 'fsync', message: 'EBADF: fsync' });
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([-1, 2 ** 31, 0.5, Number.NaN, '1', undefined])('no descriptor, %s, is refused', (descriptor) => {
  const { syncFile } = addon as unknown as { syncFile: (descriptor: unknown) => Promise<number> };
  expect(() => syncFile(descriptor)).toThrow(/^syncFile: expected descriptor/);
});
