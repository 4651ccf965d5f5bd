import { expect, test } from 'vitest';
import { clearZeroRow, type Padded } from '../../../lib/checkpoint/virtual/zero-row.js';

/** The elements that are cleared, of a part of two-byte elements. */
function cleared(tensor: Padded, begin: number, count: number): number[] {
  const bytes = new Uint8Array(2 * count).fill(1);
  clearZeroRow(tensor, bytes, begin, 2);
  const elements = Array.from({ length: count }, (_, i) => [bytes[2 * i], bytes[2 * i + 1]]);
  expect(elements.every(([low, high]) => low === high)).toBe(true);
  return elements.flatMap(([low], i) => (low === 0 ? [begin + i] : []));
}

test('the row is zeroed in whatever parts it is written', () => {
  const tensor = { shape: [4, 3], zeroRow: 2 };
  expect(cleared(tensor, 0, 12)).toEqual([6, 7, 8]);
  for (let cut = 0; cut <= 12; cut++) {
    expect([...cleared(tensor, 0, cut), ...cleared(tensor, cut, 12 - cut)]).toEqual([6, 7, 8]);
  }
  expect(cleared({ shape: [4, 3], zeroRow: 0 }, 0, 12)).toEqual([0, 1, 2]);
  expect(cleared({ shape: [4, 3], zeroRow: 3 }, 0, 12)).toEqual([9, 10, 11]);
  expect(cleared({ shape: [4, 3] }, 0, 12)).toEqual([]);
});

test('a slice has the row where the row falls into it', () => {
  const slice = (start: number, length: number) => ({ shape: [4, 3], ranges: [{ dim: 0, start, length }] });
  expect(cleared({ shape: [2, 3], zeroRow: 2, slice: slice(1, 2) }, 0, 6)).toEqual([3, 4, 5]);
  expect(cleared({ shape: [2, 3], zeroRow: 2, slice: slice(0, 2) }, 0, 6)).toEqual([]);
  expect(cleared({ shape: [1, 3], zeroRow: 2, slice: slice(3, 1) }, 0, 3)).toEqual([]);
  const columns = { shape: [4, 3], ranges: [{ dim: 1, start: 1, length: 2 }] };
  expect(cleared({ shape: [4, 2], zeroRow: 2, slice: columns }, 0, 8)).toEqual([4, 5]);
});

test('where two elements share a byte, the halves of the rows beside it stay', () => {
  const halves = (tensor: Padded, begin: number, count: number) => {
    const bytes = new Uint8Array(count / 2).fill(0x11);
    clearZeroRow(tensor, bytes, begin, 1 / 2);
    return [...bytes].flatMap((byte) => [byte & 15, byte >> 4]);
  };
  expect(halves({ shape: [4, 3], zeroRow: 1 }, 0, 12)).toEqual([1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
  expect(halves({ shape: [4, 3], zeroRow: 2 }, 0, 12)).toEqual([1, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1]);
  expect(halves({ shape: [4, 1], zeroRow: 1 }, 0, 4)).toEqual([1, 0, 1, 1]);
  expect(halves({ shape: [4, 3] }, 0, 12)).toEqual(new Array(12).fill(1));
  const tensor = { shape: [4, 5], zeroRow: 1 };
  for (let cut = 0; cut <= 20; cut += 2) {
    expect([...halves(tensor, 0, cut), ...halves(tensor, cut, 20 - cut)]).toEqual(halves(tensor, 0, 20));
  }
});
