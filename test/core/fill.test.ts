import { expect, test } from 'vitest';
import { type Fill, fillNumbers, kindCodes, writeNumbers } from '../../lib/core/fill.js';

const kinds = Object.keys(kindCodes) as Fill['kind'][];

test.each(kinds)('the numbers of %s are written in the order in which they are named', (kind) => {
  const names = fillNumbers[kind];
  const fill = Object.fromEntries([['kind', kind], ...names.map((name, i) => [name, i + 1])]) as unknown as Fill;
  const out = new Float64Array(names.length + 2);
  writeNumbers(fill, out, 1);
  expect([...out]).toEqual([0, ...names.map((_, i) => i + 1), 0]);
});
