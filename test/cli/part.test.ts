import { expect, test } from 'vitest';
import { parsePart, partOfJob } from '../../lib/cli/part.js';

test('--part is i/n, from 0', () => {
  expect(parsePart('0/1')).toEqual({ index: 0, count: 1 });
  expect(parsePart('7/8')).toEqual({ index: 7, count: 8 });
  for (const text of ['8/8', '1', '-1/2', '0/0', '1/x', '', '0/10000000', '0/2000000']) {
    expect(() => parsePart(text), text).toThrow('Expected i/n');
  }
});

test("without i/n it is the part that the job's variables name", () => {
  expect(partOfJob({ JOB_COMPLETION_INDEX: '3', JOB_COMPLETIONS: '8' })).toEqual({ index: 3, count: 8 });
  const slurm = (id: string, more = {}) => partOfJob({ SLURM_ARRAY_TASK_ID: id, SLURM_ARRAY_TASK_COUNT: '8', ...more });
  expect(slurm('3')).toEqual({ index: 3, count: 8 });
  expect(slurm('8', { SLURM_ARRAY_TASK_MIN: '1', SLURM_ARRAY_TASK_STEP: '1' })).toEqual({ index: 7, count: 8 });
  expect(slurm('30', { SLURM_ARRAY_TASK_MIN: '0', SLURM_ARRAY_TASK_STEP: '10' })).toEqual({ index: 3, count: 8 });
  expect(() => slurm('35', { SLURM_ARRAY_TASK_MIN: '0', SLURM_ARRAY_TASK_STEP: '10' })).toThrow('part 3.5 of 8');
  expect(() => slurm('9')).toThrow('part 9 of 8');
  expect(() => slurm('x')).toThrow('a whole number in SLURM_ARRAY_TASK_ID, but found "x"');
  expect(() => partOfJob({ JOB_COMPLETION_INDEX: '3' })).toThrow('JOB_COMPLETIONS');
});
