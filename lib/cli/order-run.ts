import { resolve } from 'node:path';
import type { OrderProgress } from '../cluster/order.js';
import { namedOrder, type QueuedOrder } from '../cluster/queued-order.js';
import { InputError, InterruptedError } from '../core/errors.js';
import { count, counted, printable, size } from '../core/text.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { GenerateOptions } from './generate-run.js';
import { writeJson } from './json.js';
import type { Streams } from './program.js';
import { type Progress, showProgress } from './progress.js';
import { redisOf } from './redis.js';
import { warn } from './say.js';
import { withSignals } from './signals.js';

/** So long nobody need be at an order before that is said. */
const idleMs = 10_000;

/** Orders a checkpoint, or one for each of many seeds, from the workers at a Redis, and waits for it. */
export async function runOrder(plan: LoadedPlan, options: GenerateOptions, streams: Streams): Promise<void> {
  const { output, seed, seeds, engine, format, maxShardSize, name, parts, priority, force } = options;
  const layout = { engine, format, maxShardSize, name };
  const given = { redis: redisOf(options.redis), parts, priority, existing: force ? 'replace' : 'resume' } as const;
  const which = seeds === undefined ? { seed } : { seeds };
  // Machines that share a folder have it under the same name.
  const folder = output.startsWith('s3://') ? output : resolve(output);
  const order = await namedOrder('nninit', plan, folder, { ...layout, ...given, ...which }, seeds !== undefined);
  try {
    const facts = { order: order.id, path: order.path, parts: order.parts, bytes: order.bytes };
    const tell = (fact: Readonly<Record<string, boolean>>, what: string): void => {
      if (options.json) writeJson(streams.stdout, { ...facts, ...fact });
      else if (!options.quiet) streams.stdout.write(`${printable(order.path)}: ${what}\n`);
    };
    if (options.cancel) {
      const was = await order.end();
      if (was === 'none') throw noSuchOrder(order.path);
      tell(
        { cancelled: was === 'cancelled' },
        was === 'cancelled' ? 'the order is cancelled' : 'it is complete already',
      );
      return;
    }
    await order.begin();
    if (options.detach) tell({ ordered: true }, `${counted(order.parts, 'part')} ordered`);
    else await wait(order, plan.tensors.length, options, streams);
  } finally {
    await order.close();
  }
}

/** Whoever has mistyped a seed must not take the order for ended. */
function noSuchOrder(path: string): InputError {
  const what =
    'expected an order to cancel, but there is none of these arguments (one that has ended is known for an hour)';
  return new InputError(`${path}: ${what}`, { path });
}

async function wait(
  order: QueuedOrder,
  tensors: number,
  { seeds, json, quiet }: GenerateOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const start = performance.now();
  const { path, bytes } = order;
  const work = { path, checkpoints: seeds?.length, tensors, files: 1, bytes, doneBytes: 0 };
  let progress: Progress | undefined;
  const isIdle = idleness();
  try {
    const onMessage = (text: string) => warn(stderr, text);
    const waiting = async (signal: AbortSignal) => {
      if (!json && !quiet) progress = await showProgress(stderr, work);
      const onProgress = (seen: OrderProgress) => {
        progress?.update(seen.bytes);
        if (isIdle(seen)) onMessage('no worker has been at it for 10 s: `nninit worker` at the same Redis is one');
      };
      return order.wait({ signal, onProgress, onMessage });
    };
    const written = await withSignals(waiting, { left: '; the order goes on', json });
    progress?.stop();
    const seconds = (performance.now() - start) / 1000;
    if (json) writeJson(stdout, { ...written, order: order.id, parts: order.parts, seconds });
    else if (!quiet) {
      const what = `${counted(written.files, 'file')}, ${count(written.bytes)} bytes (${size(written.bytes)})`;
      stdout.write(`${printable(written.path)}: ${what} in ${seconds.toFixed(2)} s\n`);
    }
  } catch (cause) {
    if (!json && cause instanceof InterruptedError && cause.cause !== 'cancelled') {
      stderr.write('nninit: the order goes on: the same command joins it, and with --cancel ends it\n');
    }
    throw cause;
  } finally {
    progress?.stop();
  }
}

/** Tells once for each time that nobody is at an order and nothing of it gets done. */
function idleness(): (seen: OrderProgress) => boolean {
  let [since, parts, told] = [performance.now(), -1, false];
  return (seen) => {
    const isBusy = seen.workers > 0 || seen.parts !== parts || seen.parts === seen.totalParts;
    parts = seen.parts;
    if (isBusy) [since, told] = [performance.now(), false];
    if (told || performance.now() - since < idleMs) return false;
    told = true;
    return true;
  };
}
