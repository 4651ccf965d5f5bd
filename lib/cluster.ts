/**
 * nninit/cluster: checkpoints that are ordered at one place and written by workers on many machines, over BullMQ on Redis. The npm packages bullmq and ioredis
 * are to be installed beside.
 *
 *     import { orderCheckpoint, startWorker } from 'nninit/cluster';
 *
 *     await using worker = await startWorker({ redis: 'redis://localhost', root: '/shared' });
 *     await using order = await orderCheckpoint(await loadPlan('resnet18'), '/shared/out', { redis: 'redis://localhost', seed: 42 });
 *     await order.wait();
 *
 * @module nninit/cluster
 */

export type { Written } from './checkpoint/write/write.js';
export {
  type Order,
  type OrderEnsembleOptions,
  type OrderOptions,
  type OrderProgress,
  orderCheckpoint,
  orderEnsemble,
  type WaitOptions,
} from './cluster/order.js';
export { type ClusterWorker, startWorker, type WorkerOptions } from './cluster/worker.js';
