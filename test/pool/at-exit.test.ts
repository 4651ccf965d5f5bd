import { expect, test, vi } from 'vitest';
import { createPool } from '../../lib/index.js';

const registered = vi.hoisted(() => new Set<unknown>());
vi.mock('../../lib/pool/exit.js', () => ({
  atExit: (stop: () => void) => {
    registered.add(stop);
    return () => registered.delete(stop);
  },
}));

test('a fill that begins when the last one ends: nothing of a pool is kept for the end of the process', async () => {
  await using pool = createPool({ threads: 1 });
  const fill = (onFilled: () => unknown) =>
    pool.fill([{ tensor: pool.empty([100_000]), initializer: 'ones', onFilled }]);
  const others: Promise<unknown>[] = [];
  for (let i = 0; i < 3; i++) {
    const began = registered.size;
    await fill(() => {
      others.push(pool.init.ones_(pool.empty([100_000])));
      expect(registered.size).toBe(began + 1);
    });
    await Promise.all(others);
  }
  expect(registered.size).toBe(0);
});
