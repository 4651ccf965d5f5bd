import type { Fill } from './fill.js';

/**
 * The few values that an element type of 8 bits and less has. A value becomes the code of the nearest one (of the even code where two are
 * as near; of the larger in float8_e8m0fnu, as in PyTorch), and what lies beyond the ends becomes the end. `int4` and `uint4` are no dtypes of files: their codes lie in int32 and uint8.
 */
export type Grid =
  | 'float8_e4m3fn'
  | 'float8_e5m2'
  | 'float8_e8m0fnu'
  | 'float4_e2m1fn'
  | 'int8'
  | 'uint8'
  | 'int4'
  | 'uint4';

/** What there is to know of a grid. */
export interface GridInfo {
  /** The number by which the native side knows it. */
  readonly code: number;
  /** Of a code; of 4 bits two share a byte, the first in the lower half. */
  readonly bits: 4 | 8;
  /** The least and the largest finite value. */
  readonly low: number;
  readonly high: number;
}

/** The table of grids. */
export const grids: Readonly<Record<Grid, GridInfo>> = {
  float8_e4m3fn: { code: 0, bits: 8, low: -448, high: 448 },
  float8_e5m2: { code: 1, bits: 8, low: -57344, high: 57344 },
  float8_e8m0fnu: { code: 2, bits: 8, low: 2 ** -127, high: 2 ** 127 },
  float4_e2m1fn: { code: 3, bits: 4, low: -6, high: 6 },
  int8: { code: 4, bits: 8, low: -128, high: 127 },
  uint8: { code: 5, bits: 8, low: 0, high: 255 },
  int4: { code: 6, bits: 4, low: -8, high: 7 },
  uint4: { code: 7, bits: 4, low: 0, high: 15 },
};

/** Whether a dtype's elements are codes of a grid. */
export function isGrid(dtype: string): dtype is Grid {
  return Object.hasOwn(grids, dtype);
}

/** How float32 values become codes: the value nearest to x·factor within [low, high], and `zero` added to an integer code. */
export interface Encoding {
  readonly grid: Grid;
  readonly factor: number;
  readonly low: number;
  readonly high: number;
  readonly zero: number;
}

const fractionOf: Readonly<Partial<Record<Grid, readonly [bits: number, minExponent: number]>>> = {
  float8_e4m3fn: [3, -6],
  float8_e5m2: [2, -14],
  float4_e2m1fn: [1, 0],
};

/** All finite values of a grid, ascending. */
export function valuesOf(grid: Grid): number[] {
  const { low, high } = grids[grid];
  if (grid === 'float8_e8m0fnu') return Array.from({ length: 255 }, (_, code) => 2 ** (code - 127));
  const [bits, minExponent] = fractionOf[grid] ?? [];
  if (bits === undefined || minExponent === undefined) {
    return Array.from({ length: high - low + 1 }, (_, i) => low + i);
  }
  const positive: number[] = [];
  const half = 2 ** bits;
  for (let code = 1; ; code++) {
    const exponent = Math.floor(code / half);
    const value =
      exponent === 0
        ? code * 2 ** (minExponent - bits)
        : (half + (code % half)) * 2 ** (minExponent - bits + exponent - 1);
    if (value > high) break;
    positive.push(value);
  }
  return [...positive.map((value) => -value).reverse(), 0, ...positive];
}

/** The encoding of a tensor whose dtype is a grid: as it is, and within the fill's bounds. */
export function encodingOf(grid: Grid, fill: Fill): Encoding {
  const { low, high } = grids[grid];
  if (fill.kind !== 'uniform' && fill.kind !== 'trunc_normal') return { grid, factor: 1, low, high, zero: 0 };
  const { a, b } = fill;
  const within = valuesOf(grid).filter((x) => x >= a && (fill.kind === 'uniform' && a < b ? x < b : x <= b));
  const [least, most] = [within[0], within[within.length - 1]];
  if (least === undefined || most === undefined) {
    const interval = fill.kind === 'uniform' ? `[${a}, ${b})` : `[${a}, ${b}]`;
    throw new RangeError(`expected bounds that hold a value of ${grid}, but received ${interval}`);
  }
  return { grid, factor: 1, low: least, high: most, zero: 0 };
}
