import { expect, test } from 'vitest';
import { temporaryFolder } from '../../temporary.js';
import { killWrites } from './killed-writes.js';

const root = temporaryFolder();

test('whoever writes to a store that breaks down is killed at random moments, as is the store', async () => {
  const options = { kills: 5, bytes: 1e8, pauseMs: 1000, faulty: 0.1 };
  const { kills, wrong, checkpoints, faults } = await killWrites(root.path, options);
  expect(wrong).toEqual([]);
  expect(checkpoints).toBeGreaterThan(0);
  expect(faults).toBeGreaterThan(0);
  expect(kills.writer + kills.store).toBe(5);
}, 120_000);
