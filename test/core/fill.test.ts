import { expect, test } from 'vitest';
import { type Fill, fill_numbers, kind_codes, write_numbers } from '../../lib/core/fill.js';

const kinds = Object.keys(kind_codes) as Fill['kind'][];

test.each(kinds)('the numbers of %s are written in the order in which they are named', (kind) => {
  const names = fill_numbers[kind];
  const fill = Object.fromEntries([['kind', kind], ...names.map((name, i) => [name, i + 1])]) as unknown as Fill;
  const out = new Float64Array(names.length + 2);
  write_numbers(fill, out, 1);
  expect([...out]).toEqual([0, ...names.map((_, i) => i + 1), 0]);
});
