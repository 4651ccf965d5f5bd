import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { encodingOf, type Grid, grids, valuesOf } from '../../lib/core/grid.js';
import { decode, encode } from '../../lib/native/codes.js';

const recorded = JSON.parse(readFileSync('test/fixtures/quantized/recorded.json', 'utf8')) as {
  readonly codes: Readonly<Record<Grid, string>>;
};

const own = { kind: 'constant', value: 0 } as const;

/** Finite float32 whose upper halves are all there are, with six lower ones: as record.py makes them. */
function inputs(): Float32Array {
  const bits = new Uint32Array(6 * 65536);
  [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff].forEach((low, i) => {
    for (let upper = 0; upper < 65536; upper++) bits[i * 65536 + upper] = upper * 65536 + low;
  });
  return new Float32Array(bits.buffer).filter(Number.isFinite);
}

function codesOf(values: Float32Array, grid: Grid): Uint8Array {
  const out = new Uint8Array(values.length);
  encode(values, encodingOf(grid, own), out, true);
  return out;
}

/** Values of codes, one a byte; 0 for -0. */
function valuesAt(codes: Uint8Array, grid: Grid): number[] {
  const stored = grids[grid].bits === 8 ? codes : codes;
  const out = new Float32Array(stored.length * (8 / grids[grid].bits));
  decode(stored, grid, out);
  return [...out].filter((_, i) => grids[grid].bits === 8 || i % 2 === 0).map((value) => value + 0);
}

test.each(Object.entries(recorded.codes) as [Grid, string][])('%s is rounded to as ml_dtypes does', (grid, hash) => {
  expect(createHash('sha256').update(codesOf(inputs(), grid)).digest('hex')).toBe(hash);
});

test.each(Object.keys(grids) as Grid[])('each value of %s has a code, and none between two becomes another', (grid) => {
  const values = valuesOf(grid);
  expect(values).toEqual([...new Set(values)].sort((a, b) => a - b));
  expect([values[0], values.at(-1)]).toEqual([grids[grid].low, grids[grid].high]);
  const padded = Float32Array.from([...values, ...(values.length % 2 === 1 ? [values[0] ?? 0] : [])]);
  const stored = new Uint8Array(padded.length / (8 / grids[grid].bits));
  encode(padded, encodingOf(grid, own), stored);
  const back = new Float32Array(padded.length);
  decode(stored, grid, back);
  expect(back).toEqual(padded);
  for (let i = 1; i < values.length; i++) {
    const [low = 0, high = 0] = values.slice(i - 1, i + 1);
    if (grid === 'float8_e8m0fnu' && i === 1) continue; // all between its two least becomes the second
    const middle = (low + high) / 2;
    const step = Math.max(Math.abs(middle) * 2 ** -22, 2 ** -149);
    // With the sign of zero left out, of which there are two.
    const near = valuesAt(codesOf(Float32Array.of(middle - step, middle + step), grid), grid);
    expect(near).toEqual([low, high]);
  }
});

test('what lies beyond a grid becomes its end, infinities too', () => {
  for (const grid of Object.keys(grids) as Grid[]) {
    const { low, high } = grids[grid];
    const beyond = Float32Array.of(-3e38, Number.NEGATIVE_INFINITY, 3e38, Number.POSITIVE_INFINITY);
    expect(codesOf(beyond, grid)).toEqual(codesOf(Float32Array.of(low, low, high, high), grid));
  }
});

test('bounds of a fill hold on the grid', () => {
  expect(encodingOf('float8_e4m3fn', { kind: 'uniform', a: 0, b: 1 })).toMatchObject({ low: 0, high: 0.9375 });
  expect(encodingOf('float4_e2m1fn', { kind: 'trunc_normal', mean: 0, std: 1, a: -2.9, b: 3 })).toMatchObject({
    low: -2,
    high: 3,
  });
  expect(() => encodingOf('float4_e2m1fn', { kind: 'uniform', a: 4.5, b: 5.5 })).toThrow(
    'expected bounds that hold a value of float4_e2m1fn, but received [4.5, 5.5)',
  );
});
