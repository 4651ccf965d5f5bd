import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { loadPlan, writeCheckpoint } from '../../lib/checkpoint.js';
import { queueName } from '../../lib/cluster/connection.js';
import { onFolder, type Performer } from '../../lib/cluster/perform.js';
import { startPerforming } from '../../lib/cluster/queue-worker.js';
import { type Order, orderCheckpoint, orderEnsemble, startWorker, type WorkerOptions } from '../../lib/cluster.js';
import { contentOf, temporaryFolder } from '../checkpoint/temporary.js';
import { RedisServer } from './redis-server.js';

export const recipe = (elements: number) => ({
  tensors: {
    a: { shape: [elements / 64, 64], init: 'kaiming_normal' },
    b: { shape: [64], init: 'zeros' },
    c: { shape: [96, 96], init: 'orthogonal' },
  },
});
export const small = recipe(2 ** 20);

/** A Redis for the tests of a file, and for each test a folder, workers and orders, which are closed after it. */
export function cluster() {
  const folder = temporaryFolder();
  const at = {} as { server: RedisServer };
  let closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    at.server = await RedisServer.start();
  });
  afterAll(() => at.server.stop());
  afterEach(async () => {
    await Promise.all(closing.map((close) => close()));
    closing = [];
    const redis = at.server.client();
    await redis.flushall();
    redis.disconnect();
  });

  const afterwards = (close: () => Promise<void>) => void closing.push(close);
  const worker = async (options: Partial<WorkerOptions> = {}) => {
    const started = await startWorker({ redis: at.server.url, root: folder.path, lostAfterMs: 1000, ...options });
    afterwards(() => started.close());
    return started;
  };
  /** A worker whose ways are those of folders but for some. */
  const odd = async (
    change: (usual: Performer) => Partial<Performer>,
    onMessage: (text: string) => void = () => {},
  ) => {
    const given = { redis: at.server.url, root: folder.path, lostAfterMs: 1000, onMessage };
    const started = await startPerforming(given, (threads) => {
      const usual = onFolder(threads);
      return { ...usual, ...change(usual) };
    });
    afterwards(() => started.close());
    return started;
  };
  /** The keys of all jobs. */
  const jobs = async () => {
    const redis = at.server.client();
    const keys = await redis.keys(`bull:${queueName}:*`);
    redis.disconnect();
    return keys;
  };
  const closed = (made: Order): Order => {
    afterwards(() => made.close());
    return made;
  };
  const order = async (name: string, options: object = {}, plan: object = small) => {
    const given = { redis: at.server.url, seed: 42, ...options };
    return closed(await orderCheckpoint(await loadPlan(plan as never), join(folder.path, name), given));
  };
  const ensemble = async (
    name: string,
    seeds: readonly number[],
    options: object = {},
    plan: object = recipe(4096),
  ) => {
    const given = { redis: at.server.url, seeds, ...options };
    return closed(await orderEnsemble(await loadPlan(plan as never), join(folder.path, name), given));
  };
  const expected = async (options: object = {}, plan: object = small) => {
    rmSync(join(folder.path, 'expected'), { recursive: true, force: true });
    await writeCheckpoint(await loadPlan(plan as never), join(folder.path, 'expected'), { seed: 42, ...options });
    return contentOf(join(folder.path, 'expected'));
  };
  const out = (name: string) => contentOf(join(folder.path, name));
  return { folder, at, afterwards, worker, odd, jobs, order, ensemble, expected, out };
}
