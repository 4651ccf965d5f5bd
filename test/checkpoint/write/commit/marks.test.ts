import { expect, test } from 'vitest';
import { markName, marksOf } from '../../../../lib/checkpoint/write/commit/journal.js';
import { processorTime } from '../../../support.js';

test('marks of very many parts of a file are read in no time', () => {
  const [digest, run] = ['0'.repeat(64), '12345678'];
  const names = Array.from({ length: 40_000 }, (_, i) => markName(digest, run, 0, 8 * i, 8 * i + 8));
  const start = processorTime();
  const marks = marksOf([...names, markName(digest, run, 1, 0, 8), 'other'], digest, run);
  expect(processorTime() - start).toBeLessThan(2000);
  expect([marks.get(0)?.length, marks.get(1)]).toEqual([40_000, [{ begin: 0, end: 8 }]]);
});
