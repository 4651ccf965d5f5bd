import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import { type PlannedTensor, resolvePlan, streamOfName } from '../../lib/plan/plan.js';

// Computed with Python's hashlib: 2^63 | (first 8 bytes of SHA-256, little-endian, modulo 2^63).
test.each([
  ['transformer.wte.weight', 11308093658409881690n],
  ['weight', 15774595392271762440n],
  ['', 10672682947846648035n],
  ['ünïcode/层.0', 15845153073876983819n],
])('the stream of %j never changes', (name, stream) => {
  expect(streamOfName(name)).toBe(stream);
});

test('streams of names are in the upper half of the space', () => {
  for (let i = 0; i < 1000; i++) {
    const stream = streamOfName(`h.${i}`);
    expect(stream >> 63n).toBe(1n);
    const digest = createHash('sha256').update(`h.${i}`).digest();
    expect(stream).toBe(BigInt.asUintN(63, digest.readBigUInt64LE()) + 2n ** 63n);
  }
});

const weight: PlannedTensor = { name: 'w', shape: [3, 4], dtype: 'bfloat16', initializer: 'xavier_normal' };

test('a plan is resolved to fills, sizes and streams, in its own order', () => {
  const bias: PlannedTensor = { name: 'b', shape: [], dtype: 'float64', initializer: { init: 'constant', val: 2 } };
  const [first, second] = resolvePlan({ tensors: [weight, bias] });
  expect(first).toEqual({
    ...weight,
    elements: 12,
    bytes: 24,
    fill: { kind: 'normal', mean: 0, std: Math.sqrt(2 / 7) },
    stream: streamOfName('w'),
  });
  expect(second).toMatchObject({ elements: 1, bytes: 8, fill: { kind: 'constant', value: 2 } });
});

test.each<[string, Partial<PlannedTensor>, RegExp]>([
  [
    'a shape that the initializer cannot take',
    { shape: [5] },
    /tensor "w": xavier_normal.*2 or more dimensions.*received \[5\]/,
  ],
  ['a negative size', { shape: [3, -1] }, /tensor "w":.*shape\[1\].*received -1/],
  ['a size that is no integer', { shape: [1.5] }, /tensor "w":.*shape\[0\].*received 1\.5/],
  ['2^53 elements', { shape: [2 ** 30, 2 ** 23], initializer: 'zeros' }, /tensor "w":.*2\^53 - 1 elements/],
  ['2^53 bytes', { shape: [2 ** 30, 2 ** 22], initializer: 'zeros' }, /tensor "w":.*2\^53 - 1 bytes/],
  ["safetensors' own name", { name: '__metadata__' }, /expected another name/],
  ['half a surrogate pair', { name: 'x\ud800' }, /well-formed Unicode/],
])('%s is refused', (_, change, message) => {
  const resolve = () => resolvePlan({ tensors: [{ ...weight, ...change }] });
  expect(resolve).toThrow(InputError);
  expect(resolve).toThrow(message);
});

test('the same name twice is refused', () => {
  expect(() => resolvePlan({ tensors: [weight, weight] })).toThrow(/tensor "w": expected each name once/);
});

test.each<[number, string, number, boolean]>([
  [2 ** 31 - 3, 'int32', 1, true],
  [2 ** 31 - 2, 'int32', 1, false],
  [0, 'int32', 2 ** 30, false],
  [0, 'int64', 2 ** 52 - 1, true],
  [0, 'int64', 2 ** 52, false],
])('steps from %d in %s by %d: written %s', (start, dtype, step, isTaken) => {
  const steps = { start, terms: [{ step, every: 1 }] };
  const resolve = () =>
    resolvePlan({ tensors: [{ ...weight, shape: [3], dtype, initializer: 'zeros', steps } as PlannedTensor] });
  if (isTaken) expect(resolve()[0]?.steps).toEqual(steps);
  else expect(resolve).toThrow(/^plan: tensor "w": expected sums below 2\^(31|53) for steps, but received \d+ of/);
});
