import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { checkWhole } from '../../../lib/checkpoint/virtual/check-whole.js';
import { writeToSink } from '../../../lib/checkpoint/write/stdout.js';
import { writeTensors } from '../../../lib/checkpoint/write/write.js';
import { philoxKeys } from '../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../lib/plan/plan.js';
import { temporaryFolder } from '../temporary.js';

const root = temporaryFolder();
const keys = philoxKeys(0n);
const tensors = (shape: readonly number[], initializer: PlannedTensor['initializer'] = 'orthogonal') => {
  return resolvePlan({ tensors: [{ name: 'x', shape, dtype: 'bfloat16', initializer }] });
};

test('what is made whole and does not fit in one piece of memory is refused before anything is begun', async () => {
  const huge = tensors([2 ** 30, 2 ** 21]); // 4 PiB
  const message =
    /^tensor "x": orthogonal tensors are made whole: expected at most \d+ bytes, which is what Node\.js v[\d.]+ can hold here/;
  const refused = { name: 'InputError', message: expect.stringMatching(message) };
  await expect(writeTensors(`${root.path}/out`, huge, { keys })).rejects.toMatchObject(refused);
  await expect(writeToSink(async () => {}, { tensors: huge }, {})).rejects.toMatchObject(refused);
  expect(readdirSync(root.path)).toEqual([]);
});

test('the limit is that of the whole, also where a slice is written; what is made in pieces has none', () => {
  expect(() => checkWhole(tensors([10, 10]), 200)).not.toThrow();
  expect(() => checkWhole(tensors([10, 11]), 200)).toThrow('but [10,11] takes 220 bytes');
  expect(() => checkWhole(tensors([10, 11], 'normal'), 200)).not.toThrow();
  const slice = { shape: [10, 30], ranges: [{ dim: 0, start: 0, length: 1 }] };
  const parts = tensors([10, 30]).map((whole) => ({ ...whole, shape: [1, 30], elements: 30, bytes: 60, slice }));
  expect(() => checkWhole(parts, 200)).toThrow('but [10,30] takes 300 elements');
});
