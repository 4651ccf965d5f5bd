import { startWorker } from '../cluster/worker.js';
import { printable } from '../core/text.js';
import type { Streams } from './program.js';
import { redisOf } from './redis.js';
import { firstSignal, guarded } from './signals.js';
import type { WorkerCommandOptions } from './worker.js';

/** So long it may take to give back what is under way. */
const closeMs = 5000;

/** Does what is ordered until a signal comes. */
export async function runWorker(
  { redis, root, threads, lostAfter, quiet }: WorkerCommandOptions,
  { stderr }: Streams,
): Promise<void> {
  const say = (text: string) => {
    if (!quiet) stderr.write(`nninit: ${printable(text)}\n`);
  };
  const lostAfterMs = lostAfter === undefined ? undefined : 1000 * lostAfter;
  const worker = await startWorker({ redis: redisOf(redis), root, threads, lostAfterMs, onMessage: say });
  say(`waiting for orders at ${worker.redis}`);
  const first = firstSignal();
  const release = guarded(closeMs, 'nninit: interrupted\n');
  try {
    await first;
    await worker.close();
  } finally {
    release();
  }
}
