import { expect, test } from 'vitest';
import { temporaryFolder } from '../checkpoint/temporary.js';
import { killOrders } from './killed-order.js';
import { hasRedis, unlessRedis } from './redis-server.js';

const root = temporaryFolder();

test.skipIf(!hasRedis)(
  `workers, Redis and who orders are killed at random moments${unlessRedis}`,
  async () => {
    const { kills, wrong, checkpoints } = await killOrders(root.path, 6, 2e8, 400);
    expect(wrong).toEqual([]);
    expect(checkpoints).toBeGreaterThan(0);
    expect(kills.worker + kills.Redis + kills.orderer).toBe(6);
  },
  120_000,
);
