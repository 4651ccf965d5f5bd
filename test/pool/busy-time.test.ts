import { expect, test } from 'vitest';
import { createPool } from '../../lib/index.js';
import { BusyTime } from '../../lib/pool/busy-time.js';

test('the share of time in tasks: one for each worker counts, what waits behind another does not', () => {
  let now = 5;
  const busy = new BusyTime(2, () => now);
  expect(busy.share).toBe(0);
  now += 10; // nothing to do
  busy.begin();
  now += 10; // one of two is at work
  expect(busy.share).toBe(10 / 40);
  busy.begin();
  busy.begin();
  now += 20; // both are, and a task waits
  expect(busy.share).toBe(50 / 80);
  for (let i = 0; i < 3; i++) busy.end();
  now += 60;
  expect(busy.share).toBe(50 / 200);
});

test('a pool that has done nothing but fill was at work for most of its time', async () => {
  const pool = createPool({ threads: 1 });
  try {
    await pool.init.orthogonal_(pool.empty([1000, 1000])); // asked for as soon as there is a pool
    const { utilization } = pool.statistics();
    expect(utilization).toBeGreaterThan(0.1);
    expect(utilization).toBeLessThanOrEqual(1);
  } finally {
    await pool.close();
  }
});
