import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import {
  default_generator,
  Generator,
  get_rng_state,
  initial_seed,
  manual_seed,
  seed,
  set_rng_state,
} from '../../lib/random/generator.js';
import { nextKey } from '../support.js';

const two64 = 2n ** 64n;

afterEach(() => void manual_seed(67280421310721n));

describe('Generator', () => {
  it("starts at PyTorch's seed", () => {
    expect(new Generator().initial_seed()).toBe(67280421310721n);
    expect(new Generator({}).engine).toBe('philox');
  });

  it.each([
    [0, 0n],
    [42, 42n],
    [-1, two64 - 1n],
    [-0, 0n],
    [Number.MAX_SAFE_INTEGER, 2n ** 53n - 1n],
    [Number.MIN_SAFE_INTEGER, two64 - 2n ** 53n + 1n],
    [2n ** 64n - 1n, two64 - 1n],
    [-(2n ** 63n), 2n ** 63n],
    [-5n, two64 - 5n],
  ])('takes the seed %s', (given, kept) => {
    expect(new Generator({ seed: given }).initial_seed()).toBe(kept);
    const generator = new Generator({ engine: 'philox' });
    expect(generator.manual_seed(given)).toBe(generator);
    expect(generator.initial_seed()).toBe(kept);
  });

  it('hands out streams 0, 1, 2, …, again from 0 after seeding', () => {
    const generator = new Generator({ seed: 3 });
    expect(nextKey(generator)).toEqual({ seed: 3n, stream: 0n });
    expect(nextKey(generator)).toEqual({ seed: 3n, stream: 1n });
    expect(nextKey(generator.manual_seed(3))).toEqual({ seed: 3n, stream: 0n });
  });

  it('draws seeds that differ', () => {
    const generator = new Generator();
    nextKey(generator);
    const seeds = new Set(Array.from({ length: 100 }, () => generator.seed()));
    expect(seeds.size).toBe(100);
    for (const drawn of seeds) expect(drawn >= 0n && drawn < two64).toBe(true);
    expect(seeds.has(generator.initial_seed())).toBe(true);
    expect(nextKey(generator).stream).toBe(0n);
    expect([...seeds].some((drawn) => drawn >= 2n ** 60n)).toBe(true);
  });

  it('writes its state as 32 bytes, the same ones for ever', () => {
    const generator = new Generator({ seed: 0x0123456789abcdefn });
    nextKey(generator);
    nextKey(generator);
    expect(Buffer.from(generator.get_state()).toString('hex')).toBe(
      '6e6e696e69740100efcdab896745230102000000000000000000000000000000',
    );
  });

  it('goes on from a state', () => {
    const one = new Generator({ seed: -9 });
    nextKey(one);
    const state = one.get_state();
    const next = nextKey(one);
    expect(one.set_state(state)).toBe(one);
    expect(nextKey(one)).toEqual(next);
    const other = new Generator();
    expect(nextKey(other.set_state(Buffer.from(state)))).toEqual(next);
    const shared = new Uint8Array(new SharedArrayBuffer(32));
    shared.set(state);
    expect(nextKey(other.set_state(shared))).toEqual(next);
  });

  it('ends after 2^63 streams', () => {
    const state = new Generator().get_state();
    new DataView(state.buffer).setBigUint64(16, 2n ** 63n - 1n, true);
    const generator = new Generator().set_state(state);
    expect(nextKey(generator).stream).toBe(2n ** 63n - 1n);
    expect(() => nextKey(generator)).toThrow(RangeError);
    expect(() => nextKey(generator)).toThrow(/a number below 2\^63 for the next stream/);
    expect(new Generator().set_state(generator.get_state()).get_state()).toEqual(generator.get_state());
  });

  it.each<[unknown, new (message: string) => Error, RegExp]>([
    [1.5, RangeError, /an integer in \[-2\^63, 2\^64\) for seed, but received 1\.5/],
    [Number.NaN, RangeError, /received NaN/],
    [Number.POSITIVE_INFINITY, RangeError, /received Infinity/],
    [2 ** 53, RangeError, /not exact: write it as a bigint/],
    [2n ** 64n, RangeError, /received 18446744073709551616n/],
    [-(2n ** 63n) - 1n, RangeError, /received -9223372036854775809n/],
    ['7', TypeError, /received '7' of type string/],
    [null, TypeError, /received null/],
    [true, TypeError, /received true/],
    [[7], TypeError, /received \[7\]/],
  ])('refuses the seed %s', (given, type, text) => {
    const generator = new Generator({ seed: 5 });
    const before = generator.get_state();
    for (const call of [
      () => new Generator({ seed: given as number }),
      () => generator.manual_seed(given as number),
      () => manual_seed(given as number),
    ]) {
      expect(call).toThrow(type);
      expect(call).toThrow(text);
      expect(call).toThrow(
        /^(Generator|Generator\.manual_seed|manual_seed): expected .+ for seed, but received .+ of type .+$/,
      );
    }
    expect(generator.get_state()).toEqual(before);
  });

  it('needs a seed to be seeded', () => {
    expect(() => (manual_seed as (...args: unknown[]) => unknown)()).toThrow(TypeError);
  });

  it.each<[unknown, new (message: string) => Error, RegExp]>([
    [
      { engine: 'mt19937' },
      RangeError,
      /'philox', 'torch' for engine, but received 'mt19937' of type string \(known engines: philox, torch\)/,
    ],
    [{ engine: 1 }, TypeError, /for engine, but received 1/],
    [{ sed: 1 }, TypeError, /received 'sed' of type string \(did you mean 'seed'\?\)/],
    [7, TypeError, /a plain object for options, but received 7/],
    [null, TypeError, /received null/],
  ])('refuses the options %j', (options, type, text) => {
    const call = () => new Generator(options as object);
    expect(call).toThrow(type);
    expect(call).toThrow(text);
  });

  const good = new Generator({ seed: 1 }).get_state();
  const withByte = (at: number, byte: number) => {
    const copy = Uint8Array.from(good);
    copy[at] = byte;
    return copy;
  };
  it.each<[string, unknown, new (message: string) => Error, RegExp]>([
    ['text', 'nninit', TypeError, /a Uint8Array of 32 bytes from get_state for state/],
    ['an array', [...good], TypeError, /of type array/],
    ['another typed array', new Uint16Array(16), TypeError, /of type Uint16Array/],
    ['nothing', undefined, TypeError, /received undefined/],
    ['too few bytes', good.subarray(1), RangeError, /31 bytes/],
    ['no bytes', new Uint8Array(0), RangeError, /0 bytes/],
    ["PyTorch's 5056 bytes", new Uint8Array(5056), RangeError, /5056 bytes/],
    ['another magic', withByte(0, 0x4e), RangeError, /does not begin with 'nninit'/],
    ['another format', withByte(6, 2), RangeError, /format 2 is unknown/],
    ['another engine', withByte(7, 1), RangeError, /engine 1 is unknown/],
    ['a stream beyond', withByte(23, 0x81), RangeError, /beyond 2\^63/],
    ['reserved bytes in use', withByte(31, 1), RangeError, /reserved bytes/],
  ])('refuses %s for a state', (_, state, type, text) => {
    const generator = new Generator({ seed: 5 });
    const before = [generator.get_state(), get_rng_state()];
    for (const call of [() => generator.set_state(state as Uint8Array), () => set_rng_state(state as Uint8Array)]) {
      expect(call).toThrow(type);
      expect(call).toThrow(text);
      expect(call).toThrow(/^(Generator\.set_state|set_rng_state): expected .+ for state, but received .+ of type .+$/);
    }
    expect([generator.get_state(), get_rng_state()]).toEqual(before);
  });
});

describe('split', () => {
  it.each([
    [0, [18389165840853783654n, 15972897515128533898n, 12012020385344866063n]],
    [42, [2341818734353095858n, 8953243625532475439n, 2601463246407410399n]],
    [-1, [15514923745933644158n, 1173740721302881029n, 11836657947600154161n]], // of Python's hashlib
  ])('of the seed %s gives the recorded seeds, however many are asked for and whatever was drawn', (given, seeds) => {
    const generator = new Generator({ seed: given });
    expect(generator.split(3).map((part) => part.initial_seed())).toEqual(seeds);
    nextKey(generator);
    expect(generator.split(1)[0]?.initial_seed()).toBe(seeds[0]);
    expect(nextKey(generator).stream).toBe(1n);
  });

  it('keeps the engine, and parts of parts differ', () => {
    const parts = new Generator({ engine: 'torch', seed: 5 }).split(3);
    expect(parts.map(({ engine }) => engine)).toEqual(['torch', 'torch', 'torch']);
    const all = [...parts, ...parts.flatMap((part) => part.split(3))];
    expect(new Set(all.map((part) => part.initial_seed())).size).toBe(12);
  });

  it('refuses other counts', () => {
    for (const count of [0, 1.5, 1_000_001]) {
      expect(() => new Generator().split(count)).toThrow(
        'Generator.split: expected an integer from 1 to 1000000 for count',
      );
    }
  });
});

describe('the default generator', () => {
  it('has a seed of its own in each process and worker thread', async () => {
    const module = JSON.stringify(new URL('../../dist/lib/index.js', import.meta.url).href);
    const program = `
      const { Worker } = require('node:worker_threads');
      const tell = "import(" + ${JSON.stringify(module)} + ").then((m) => process.stdout.write(m.initial_seed() + ' '))";
      const next = (n) => n > 0 && new Worker(tell, { eval: true }).on('exit', () => next(n - 1));
      eval(tell).then(() => next(2));`;
    const run = promisify(execFile);
    const told = await Promise.all([1, 2].map(() => run(process.execPath, ['-e', program])));
    const seeds = told.flatMap(({ stdout }) => stdout.trim().split(' '));
    expect(seeds).toHaveLength(6);
    expect(new Set(seeds).size).toBe(6);
  });

  it("is seeded and read by torch's names", () => {
    expect(manual_seed(11)).toBe(default_generator);
    expect(initial_seed()).toBe(11n);
    nextKey(default_generator);
    const state = get_rng_state();
    const drawn = seed();
    expect(initial_seed()).toBe(drawn);
    set_rng_state(state);
    expect(nextKey(default_generator)).toEqual({ seed: 11n, stream: 1n });
  });
});
