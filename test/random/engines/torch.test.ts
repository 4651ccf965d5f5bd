import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterEach, describe, expect, test } from 'vitest';
import { createPool, type Dtype, empty, Generator, init, set_num_threads, type Tensor } from '../../../lib/index.js';
import { forceSimdTarget, get_num_threads, simdTargets } from '../../../lib/native/addon.js';

interface Recorded {
  readonly fn: keyof typeof init;
  readonly shape: number[];
  readonly dtype: Dtype;
  readonly args: Readonly<Record<string, unknown>>;
}

interface Case {
  readonly seed?: number;
  readonly seedText?: string;
  readonly calls: readonly Recorded[];
  readonly results: readonly { readonly sha256: string; readonly head: readonly number[] }[];
  readonly state_sha256: string;
}

function read<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../../fixtures/torch/${name}.json`, import.meta.url), 'utf8')) as T;
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function bytesOf({ data }: Tensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function call(recorded: Recorded, generator: Generator, threads?: number): Tensor {
  const { fn, shape, dtype, args } = recorded;
  const made = empty(shape, { dtype });
  const fill = init[fn] as unknown as (tensor: Tensor, options: object) => Tensor;
  const random = !/^(zeros|ones|constant|eye|dirac)_$/.test(fn);
  return fill(made, { ...args, ...(random ? { generator } : {}), ...(threads === undefined ? {} : { threads }) });
}

const cases = ['fills', 'more_fills'].flatMap((name) => read<{ readonly cases: readonly Case[] }>(name).cases);
const sizeOf = ({ calls }: Case): number => Math.max(...calls.map(({ shape }) => shape.reduce((a, b) => a * b, 1)));
const seedOf = ({ seed, seedText }: Case): bigint => BigInt(seedText ?? seed ?? 0);

const initialThreads = get_num_threads();
afterEach(() => {
  forceSimdTarget(null);
  set_num_threads(initialThreads);
});

function check(recorded: Case, threads?: number): string[] {
  const generator = new Generator({ engine: 'torch', seed: seedOf(recorded) });
  const wrong: string[] = [];
  recorded.calls.forEach((each, i) => {
    const made = call(each, generator, threads);
    if (sha256(bytesOf(made)) !== recorded.results[i]?.sha256)
      wrong.push(`${seedOf(recorded)} ${JSON.stringify(each)}`);
  });
  if (sha256(generator.get_state()) !== recorded.state_sha256) wrong.push(`${JSON.stringify(recorded.calls)}: state`);
  return wrong;
}

describe('the engine torch', () => {
  test('gives every recorded fill of PyTorch, and its state afterwards', () => {
    expect(cases.flatMap((each) => check(each))).toEqual([]);
  });

  test.each(simdTargets())(
    'does so on %s, on 1 and 3 threads',
    (target) => {
      forceSimdTarget(target);
      for (const threads of [1, 3]) {
        const small = cases.filter((each) => sizeOf(each) <= 1_100_000);
        expect(small.flatMap((each) => check(each, threads))).toEqual([]);
      }
    },
    120_000,
  ); // with sanitizers, on SCALAR
});

describe('states of PyTorch', () => {
  const states = read<{ readonly cases: readonly { readonly after: string; readonly base64: string }[] }>(
    'states',
  ).cases;
  const after = (text: string): Generator => {
    const generator = new Generator({ engine: 'torch' });
    for (const step of text.split('; ')) {
      const seed = /^torch\.manual_seed\((.*)\)$/.exec(step)?.[1];
      const fill = /^torch\.empty\((\d+)\)\.(uniform_|normal_)\(\)$/.exec(step);
      if (seed !== undefined) generator.manual_seed(seed === '2**40+7' ? 2 ** 40 + 7 : Number(seed));
      else if (fill !== null)
        call({ fn: fill[2] as 'uniform_', shape: [Number(fill[1])], dtype: 'float32', args: {} }, generator);
      else throw new Error(step);
    }
    return generator;
  };

  test.each(states)('$after', ({ after: text, base64 }) => {
    const bytes = Uint8Array.from(Buffer.from(base64, 'base64'));
    const generator = after(text);
    expect(Buffer.from(generator.get_state()).equals(bytes)).toBe(true);
    const other = new Generator({ engine: 'torch', seed: 5 }).set_state(bytes);
    expect(other.initial_seed()).toBe(generator.initial_seed());
    expect(Buffer.from(other.get_state()).equals(bytes)).toBe(true);
    const [one, two] = [generator, other].map((each) => init.normal_(empty([21]), { generator: each }));
    expect(two?.data).toEqual(one?.data);
  });

  test('refuses what is none', () => {
    const generator = new Generator({ engine: 'torch', seed: 5 });
    const state = generator.get_state();
    const changed = (at: number, value: number) => state.map((byte, i) => (i === at ? value : byte));
    expect(() => generator.set_state(state.subarray(1))).toThrow(/5055 bytes/);
    expect(() => generator.set_state(changed(8, 0))).toThrow(RangeError);
    expect(() => generator.set_state(changed(8, 3))).toThrow(/contradictory/);
    expect(() => generator.set_state(changed(12, 0))).toThrow(/not seeded/);
    expect(() => generator.set_state(changed(24 + 4, 1))).toThrow(/more than 32 bits/);
    expect(() => new Generator().set_state(state)).toThrow(/32 bytes that get_state gave/);
    expect(generator.get_state()).toEqual(state);
  });
});

describe('orthogonal_', () => {
  interface Orthogonal {
    readonly seed: number;
    readonly call: Recorded;
    readonly values: readonly number[];
  }
  test.each(read<{ readonly cases: readonly Orthogonal[] }>('orthogonal').cases)(
    '$call.shape $call.dtype $call.args',
    (recorded) => {
      const generator = new Generator({ engine: 'torch', seed: recorded.seed });
      const made = call(recorded.call, generator);
      const worst = recorded.values.reduce((most, x, i) => Math.max(most, Math.abs(x - Number(made.data[i]))), 0);
      expect(worst).toBeLessThan(recorded.call.dtype === 'float64' ? 1e-13 : 2e-6);
    },
  );
});

describe('on a pool', () => {
  test('has the same bytes, and leaves the same state', async () => {
    await using pool = createPool({ threads: 3 });
    for (const dtype of ['float32', 'float64', 'bfloat16'] as const) {
      const here = new Generator({ engine: 'torch', seed: 3 });
      const there = new Generator({ engine: 'torch', seed: 3 });
      const shapes = [[3], [700_003], [20, 30], [600, 700]];
      const promises: Promise<Tensor>[] = [];
      const expected: Tensor[] = [];
      for (const shape of shapes) {
        for (const shared of [true, false]) {
          const make = () => empty(shape, { dtype, shared });
          const truncated = { std: 0.5, a: -0.6, b: 0.7 };
          expected.push(init.uniform_(make(), -1, 2, { generator: here }));
          expected.push(init.trunc_normal_(make(), { ...truncated, generator: here }));
          expected.push(init.normal_(make(), 1, 2, { generator: here }));
          promises.push(pool.init.uniform_(make(), -1, 2, { generator: there }));
          promises.push(pool.init.trunc_normal_(make(), { ...truncated, generator: there }));
          promises.push(pool.init.normal_(make(), 1, 2, { generator: there }));
        }
      }
      expect(() => init.normal_(empty([3]), { generator: there })).toThrow(/await its promise first/);
      const made = await Promise.all(promises);
      expect(made.map((each) => sha256(bytesOf(each)))).toEqual(expected.map((each) => sha256(bytesOf(each))));
      expect(there.get_state()).toEqual(here.get_state());
    }
  });

  test('in lists too', async () => {
    await using pool = createPool({ threads: 2 });
    const here = new Generator({ engine: 'torch', seed: 4 });
    const there = new Generator({ engine: 'torch', seed: 4 });
    const initializers = [
      'normal',
      { init: 'trunc_normal', a: -1 },
      'ones',
      { init: 'sparse', sparsity: 0.3 },
      'orthogonal',
      'xavier_uniform',
    ] as const;
    const tensors = initializers.map(() => empty([70, 300]));
    await pool.fill(
      tensors.map((each, i) => ({ tensor: each, initializer: initializers[i] ?? 'zeros' })),
      { generator: there },
    );
    const expected = [
      init.normal_(empty([70, 300]), { generator: here }),
      init.trunc_normal_(empty([70, 300]), { a: -1, generator: here }),
      init.ones_(empty([70, 300])),
      init.sparse_(empty([70, 300]), 0.3, { generator: here }),
      init.orthogonal_(empty([70, 300]), { generator: here }),
      init.xavier_uniform_(empty([70, 300]), { generator: here }),
    ];
    expect(tensors.map((each) => sha256(bytesOf(each)))).toEqual(expected.map((each) => sha256(bytesOf(each))));
    expect(there.get_state()).toEqual(here.get_state());
  });
});
