import { describe, expect, test } from 'vitest';
import { dtypes } from '../../lib/core/dtype.js';
import type { Fill } from '../../lib/core/fill.js';
import { fillRange, type Key } from '../../lib/native/addon.js';
import { empty } from '../../lib/tensor/tensor.js';
import recorded from '../fixtures/streams.json' with { type: 'json' };
import { sha256 } from '../support.js';

/**
 * Version 1 of the stream, as recorded when it was made: these bytes never change. The whole-matrix fills are exact as
 * well, since nothing in them depends on a BLAS.
 */
describe('stream version 1', () => {
  test.each(recorded)('$fill.kind, $dtype, $count elements from $begin', (entry) => {
    const dtype = entry.dtype as keyof typeof dtypes;
    const key: Key = { seed: BigInt(entry.seed), stream: BigInt(entry.stream) };
    for (const threads of [1, 3]) {
      const { data } = empty([entry.count], { dtype });
      fillRange(data, dtype, entry.fill as Fill, key, entry.begin, threads);
      expect(sha256(data)).toBe(entry.sha256);
    }
  });

  test('covers every kind of fill and every dtype', () => {
    expect(new Set(recorded.map((entry) => entry.fill.kind)).size).toBe(11);
    expect(new Set(recorded.map((entry) => entry.dtype))).toEqual(new Set(Object.keys(dtypes)));
  });
});
