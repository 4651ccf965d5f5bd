// Calls of the public API with anything: what was asked for, or a TypeError or RangeError that left memory and generators as they were.
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import * as nninit from '../../lib/index.js';
import { names } from '../../lib/init/initializers.js';
import { initFunctions, nextKey } from '../support.js';
import { expectOften, fuzzed } from './fuzzed.js';

const { empty, Generator } = nninit;

// What is odd without being an error is told of as a warning, and would be told of thousands of times.
beforeAll(() => void vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined));
afterAll(() => void vi.restoreAllMocks());
const dtypes = ['float32', 'float64', 'float16', 'bfloat16'] as const;

const number = fc.oneof(
  fc.double(),
  fc.double({ min: -4, max: 4 }),
  fc.integer({ min: -2, max: 9 }),
  fc.constantFrom(0, 1, -1, 0.5, 1e300, 5e-324, 65504, 3.4e38, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY),
);
const word = fc.constantFrom('fan_in', 'fan_out', 'relu', 'leaky_relu', 'selu', 'tanh', 'x', '', '__proto__');
const anything = fc.oneof(
  { weight: 6, arbitrary: number },
  { weight: 2, arbitrary: word },
  fc.anything(),
  fc.constantFrom<unknown>(undefined, null, 1n, new Generator(), new Float32Array(2), Symbol('s'), () => 1),
);
const option = fc.constantFrom(
  ...[
    'a',
    'b',
    'mean',
    'std',
    'val',
    'gain',
    'mode',
    'nonlinearity',
    'sparsity',
    'groups',
    'threads',
    'generator',
    'scale',
    'distribution',
    'x',
  ],
);
const options = fc.dictionary(option, anything, { maxKeys: 4 });
const args = fc
  .tuple(fc.array(anything, { maxLength: 4 }), fc.option(options))
  .map(([list, last]) => (last === null ? list : [...list, last]));
const shape = fc.array(fc.nat({ max: 6 }), { maxLength: 5 });

/** What a call gives, or that it was refused as calls are. */
function outcome(fn: string, call: () => unknown): { readonly value: unknown } | undefined {
  try {
    return { value: call() };
  } catch (error) {
    expect(error instanceof TypeError || error instanceof RangeError, String(error)).toBe(true);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: none may be printed
    expect((error as Error).message).toMatch(/^[^\u0000-\u001f\u007f-\u009f]+$/);
    expect((error as Error).message.startsWith(fn)).toBe(true);
    return undefined;
  }
}

test('init functions fill what they are given, or leave it and their generator as they were', () => {
  let filled = 0;
  fc.assert(
    fc.property(fc.constantFrom(...names), shape, fc.constantFrom(...dtypes), args, (name, shape, dtype, args) => {
      const w = empty(shape, { dtype });
      const bytes = new Uint8Array(w.data.buffer).fill(0xa5);
      nninit.manual_seed(3);
      const done = outcome(`${name}_: `, () => initFunctions[`${name}_`]?.(w, ...args));
      if (done !== undefined) {
        expect(done.value).toBe(w);
        filled += 1;
        return;
      }
      expect(bytes.every((byte) => byte === 0xa5)).toBe(true);
      expect(nextKey(nninit.default_generator).stream).toBe(0n);
    }),
    fuzzed(5000),
  );
  expectOften(filled, 100);
});

test('init functions refuse what is no tensor', () => {
  fc.assert(
    fc.property(fc.constantFrom(...names), anything, args, (name, target, args) => {
      expect(outcome(`${name}_: `, () => initFunctions[`${name}_`]?.(target, ...args))).toBeUndefined();
    }),
    fuzzed(3000),
  );
});

test('generators, tensors and gains take what they should, or refuse it', () => {
  // Lengths that exist, or that no array has: those between would take the machine's memory.
  const length = number.filter((n) => !(n > 1e4 && n < 2 ** 53));
  const given = fc.oneof(anything, fc.array(length, { maxLength: 3 }), length);
  const calls: Readonly<Record<string, (a: unknown, b: unknown) => unknown>> = {
    calculate_gain: (a, b) => nninit.init.calculate_gain(a as never, b as never),
    manual_seed: (a) => nninit.manual_seed(a as never),
    Generator: (a) => new Generator(a as never),
    empty: (a, b) => empty(a as never, b as never),
    tensor: (a, b) => nninit.tensor(a as never, b as never),
  };
  /** What is taken: of anything hardly ever, and of a tensor's memory never. */
  const right: Readonly<Record<string, readonly [fc.Arbitrary<unknown>, fc.Arbitrary<unknown>]>> = {
    calculate_gain: [fc.constantFrom('relu', 'tanh', 'leaky_relu'), fc.constantFrom(undefined, 0.2)],
    manual_seed: [fc.nat(), fc.constant(undefined)],
    Generator: [fc.record({ seed: fc.nat(), engine: fc.constantFrom('philox', 'torch') }), fc.constant(undefined)],
    empty: [fc.array(fc.nat({ max: 3 }), { maxLength: 3 }), fc.record({ dtype: fc.constantFrom(...dtypes) })],
    tensor: [fc.constantFrom(new Float32Array(6), new Float64Array(6)), fc.constantFrom(undefined, [6], [2, 3])],
  };
  const call = fc.constantFrom(...Object.keys(calls)).chain((name) => {
    const [first, second] = right[name] ?? [anything, anything];
    const other = fc.oneof(anything, options);
    return fc.tuple(fc.constant(name), fc.oneof(given, first), fc.oneof({ arbitrary: other, weight: 2 }, second));
  });
  const taken = new Map<string, number>();
  fc.assert(
    fc.property(call, ([name, a, b]) => {
      if (outcome('', () => calls[name]?.(a, b)) !== undefined) taken.set(name, (taken.get(name) ?? 0) + 1);
    }),
    fuzzed(3000),
  );
  for (const name of Object.keys(calls)) expectOften(taken.get(name) ?? 0, 30);
});
