import { expect, test } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import type { Fill } from '../../lib/core/fill.js';
import * as init from '../../lib/init/init.js';
import { fillRange } from '../../lib/native/addon.js';
import { Generator } from '../../lib/random/generator.js';
import { empty } from '../../lib/tensor/tensor.js';

// Each needs a little more than 4 GiB of memory.
test.each<[Dtype, number, boolean]>([
  ['bfloat16', 2 ** 31 + 77, false],
  ['float32', 2 ** 30 + 77, true],
])('%s, %d elements, shared %s: beyond 4 GiB every element is where it belongs', (dtype, count, shared) => {
  const tensor = empty([count], { dtype, shared });
  init.normal_(tensor, { generator: new Generator({ seed: 11 }) });
  const fill: Fill = { kind: 'normal', mean: 0, std: 1 };
  for (const begin of [0, 12345, 2 ** 30 - 50, count - 100]) {
    const part = empty([100], { dtype });
    fillRange(part.data, dtype, fill, { seed: 11n, stream: 0n }, begin);
    expect([...tensor.data.subarray(begin, begin + 100)]).toEqual([...part.data]);
  }
  init.constant_(tensor, 2);
  const two = tensor.data[0];
  expect(two).not.toBe(0);
  expect(tensor.data[count - 1]).toBe(two);
  expect(tensor.data.indexOf(0)).toBe(-1);
});
