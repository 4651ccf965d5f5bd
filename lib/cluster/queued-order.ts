import { setTimeout } from 'node:timers/promises';
import type { FlowJob, Job, JobsOptions, Queue } from 'bullmq';
import { layoutOptions } from '../checkpoint/virtual/virtual-checkpoint.js';
import { checkSeeds } from '../checkpoint/write/ensemble.js';
import { checkFolder } from '../checkpoint/write/folder.js';
import { mostParts } from '../checkpoint/write/parts/shares.js';
import { isAddress } from '../checkpoint/write/s3/address.js';
import type { Written } from '../checkpoint/write/write.js';
import { checkInteger, checkOneOf, checkOptions, typeError } from '../core/check.js';
import { InputError, InterruptedError, WriteError } from '../core/errors.js';
import type { Plan } from '../plan/plan.js';
import { checkSeed } from '../random/names.js';
import { type Connection, connect, queueName, refusedBy, standingOf } from './connection.js';
import { partsFor } from './cut.js';
import type { Order, OrderEnsembleOptions, OrderOptions, OrderProgress, WaitOptions } from './order.js';
import {
  type FinishJob,
  type LaidOrder,
  layOrder,
  type Ordered,
  orderId,
  type PartJob,
  pack,
  unpack,
} from './order-data.js';
import { Waiting } from './waiting.js';

const mostOrdered = 100_000;

/** Each job is tried so often where the system refuses, with growing pauses; another worker's disk may be the better one. */
const retried: JobsOptions = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1000, jitter: 0.5 },
  stackTraceLimit: 1,
};
/** For whoever waits for it, and for those who look what has been. */
const kept: JobsOptions = { removeOnComplete: { age: 3600, count: 20 }, removeOnFail: { age: 3600, count: 20 } };
/** What is done is known to the order. */
const gone: JobsOptions = { removeOnComplete: true, removeOnFail: true };

const [firstPauseMs, longestPauseMs] = [10, 500];
/** So long those who wait for a Redis that is away may take to hear that an order was cancelled. */
const cancelledSeconds = 3600;

const orderOptions = ['redis', 'parts', 'priority', 'existing'] as const;
const ensembleOptions = [...layoutOptions.filter((name) => name !== 'seed'), ...orderOptions] as const;

/** An order that is joined, or made. */
export async function begunOrder(...args: Parameters<typeof namedOrder>): Promise<Order> {
  const order = await namedOrder(...args);
  try {
    await order.begin();
    return order;
  } catch (cause) {
    await order.close();
    throw cause;
  }
}

/** An order that may be under way or not; nothing is changed yet. */
export async function namedOrder(
  fn: string,
  plan: Plan,
  folder: string,
  options: OrderOptions | OrderEnsembleOptions,
  isEnsemble: boolean,
): Promise<QueuedOrder> {
  const given = checkOptions(
    fn,
    options,
    isEnsemble ? [...ensembleOptions, 'seeds'] : [...layoutOptions, ...orderOptions],
  );
  const { redis, parts, priority = 10, existing = 'resume', seed = 0, seeds: many, ...layout } = given as Given;
  const seeds = isEnsemble ? checkSeeds(fn, many) : [checkSeed(fn, seed)];
  if (seeds.length === 0) throw typeError(fn, 'seeds', 'at least one seed', many);
  checkFolder(fn, folder);
  if (isAddress(folder)) throw new InputError(`a checkpoint in parts needs a folder, not ${folder}`);
  const replaces = checkOneOf(fn, 'existing', existing, ['resume', 'replace']) === 'replace';
  const sooner = checkInteger(fn, 'priority', priority, 1, 1000);
  const ordered: Ordered = { plan, layout, seeds: seeds.map(String), isEnsemble, replaces };
  const own = layOrder(fn, ordered);
  const packed = pack(ordered);
  if (layOrder(fn, unpack(packed)).facts.digest !== own.facts.digest) {
    throw typeError(fn, 'plan', 'plain data, which JSON keeps', plan);
  }
  const most = Math.min(isEnsemble ? seeds.length : mostParts, mostOrdered);
  const usual = Math.min(most, partsFor(own.bytes, own.laid.set.files.length * seeds.length));
  const count = checkInteger(fn, 'parts', parts ?? usual, 1, most);
  let tell: (message: string) => void = () => {};
  const connection = await connect(fn, redis as string, (message) => tell(message));
  const made = new QueuedOrder(connection, own, folder, count, sooner, packed);
  tell = (message) => made.tell(message);
  return made;
}

type Given = { readonly [K in (typeof layoutOptions)[number] | (typeof orderOptions)[number] | 'seeds']?: unknown };

export class QueuedOrder implements Order {
  readonly id: string;
  readonly path: string;
  readonly parts: number;
  readonly bytes: number;
  readonly #connection: Connection;
  readonly #queue: Queue;
  readonly #facts: Omit<FinishJob, 'order' | 'count'>;
  readonly #priority: number;
  readonly #packed: string;
  readonly #waiting = new Set<Waiting>();
  /** Lines of the order's log that were told to those who have waited. */
  #told = 0;
  #cancelled = false;
  #closed = false;

  constructor(
    connection: Connection,
    { facts, bytes, ordered }: LaidOrder,
    path: string,
    parts: number,
    priority: number,
    packed: string,
  ) {
    this.#connection = connection;
    this.#queue = new connection.bullmq.Queue(queueName, { connection: connection.redis });
    this.#queue.on('error', () => {}); // connections are told of already
    this.#facts = { ...facts, output: path };
    this.#priority = priority;
    this.#packed = packed;
    this.path = path;
    this.parts = parts;
    this.bytes = bytes;
    this.id = orderId(this.#facts, parts, ordered.replaces);
  }

  /** Tells all who wait, by an event to which nobody listens for errors. */
  tell(text: string): void {
    for (const waiting of this.#waiting) waiting.tellOrFail(text);
  }

  /** Joins the order if it is under way, or makes it. */
  begin(): Promise<void> {
    return this.#asking('begin', () => this.#repeated(() => this.#begin()));
  }

  async #begin(): Promise<void> {
    for (;;) {
      const state = await this.#queue.getJobState(this.id);
      if (state === 'unknown') return this.#add();
      if (!['completed', 'failed'].includes(state) && (await this.#standing()).stopped === undefined) return; // nor gone since then
      // A part of it may still be under way: it sees that, and stops.
      await this.#forget();
      await setTimeout(firstPauseMs);
    }
  }

  /** Tells others who wait for the order that it was cancelled, once nothing else is left of it. */
  get #cancelledKey(): string {
    return this.#queue.toKey(`${this.id}:cancelled`);
  }

  async #add(): Promise<void> {
    const { parts: count, id } = this;
    await this.#connection.redis.del(this.#cancelledKey);
    const children = Array.from({ length: count }, (_, index): NonNullable<FlowJob['children']>[number] => {
      const data: PartJob = { ...this.#facts, index, count };
      const opts = { ...retried, ...gone, jobId: `${id}-${index}`, priority: this.#priority };
      return { name: 'part', queueName, data, opts: { ...opts, continueParentOnFailure: true } };
    });
    const flow = new this.#connection.bullmq.FlowProducer({ connection: this.#connection.redis });
    flow.on('error', () => {});
    try {
      const data: FinishJob = { ...this.#facts, count, order: this.#packed };
      // Without a priority, which is before all others: to finish takes little, and is waited for.
      await flow.add({ name: 'finish', queueName, data, opts: { ...retried, ...kept, jobId: id }, children });
    } finally {
      await flow.close();
    }
  }

  async wait(options?: WaitOptions): Promise<Written> {
    const { signal, onProgress, onMessage } = checkOptions('wait', options, [
      'signal',
      'onProgress',
      'onMessage',
    ]) as WaitOptions;
    const waiting = new Waiting(onMessage, this.#told);
    this.#waiting.add(waiting);
    try {
      const untilDone = () => this.#repeated(() => this.#waitUntilDone(waiting, signal, onProgress));
      return await this.#asking('wait', () =>
        interruptible(this.path, signal, () => Promise.race([untilDone(), waiting.failed])),
      );
    } finally {
      waiting.end();
      this.#waiting.delete(waiting);
      this.#told = Math.max(this.#told, waiting.told);
    }
  }

  async #waitUntilDone(
    waiting: Waiting,
    signal: AbortSignal | undefined,
    onProgress: WaitOptions['onProgress'],
  ): Promise<Written> {
    for (let pause = firstPauseMs; !signal?.aborted; pause = Math.min(pause * 1.5, longestPauseMs)) {
      const state = await this.#queue.getJobState(this.id);
      await this.#tellLog(waiting);
      if (state === 'completed' || state === 'failed') {
        const job = await this.#connection.bullmq.Job.fromId(this.#queue, this.id);
        if (job !== undefined) return this.#resultOf(job, state);
      } else if (state !== 'unknown') {
        onProgress?.(await this.#progress());
      } else if (this.#cancelled || (await this.#connection.redis.exists(this.#cancelledKey)) > 0) {
        throw interrupted(this.path, cancelled);
      } else {
        waiting.tell(
          'Redis knows nothing of the order any more: it is ordered again, and goes on with what is written',
        );
        await this.#add();
      }
      await setTimeout(pause, undefined, signal && { signal }).catch(() => {});
      if (waiting.ended) break;
    }
    throw interrupted(this.path, signal?.reason);
  }

  #resultOf({ returnvalue, failedReason = 'unknown', progress }: Job, state: 'completed' | 'failed'): Written {
    if (state === 'completed') return returnvalue as Written;
    if ((progress as { readonly stopped?: unknown }).stopped === cancelled) throw interrupted(this.path, cancelled);
    throw new WriteError('write', this.path, new Error(failedReason));
  }

  async #progress(): Promise<OrderProgress> {
    const { parts: totalParts, bytes: totalBytes } = this;
    const key = this.#queue.toKey(this.id);
    const parts = await this.#connection.redis.hlen(`${key}:processed`);
    const active = (await this.#queue.getActive()).filter((job) => job?.parent?.id === this.id);
    const begun = active.reduce((sum, { progress }) => sum + Number((progress as { bytes?: number }).bytes ?? 0), 0);
    const bytes = Math.min(totalBytes, Math.round((totalBytes * parts) / totalParts) + begun);
    return { bytes, totalBytes, parts, totalParts, workers: active.length };
  }

  /** What workers have said of the order. */
  async #tellLog(waiting: Waiting): Promise<void> {
    if (!waiting.listens) return;
    let { logs, count } = await this.#queue.getJobLogs(this.id, waiting.told);
    // Fewer than before: somebody has made the order anew.
    if (count < waiting.told) ({ logs, count } = await this.#queue.getJobLogs(this.id));
    waiting.told = count;
    for (const line of logs) waiting.tell(line);
  }

  async cancel(): Promise<void> {
    await this.end();
  }

  /** Cancels the order, and tells what there was of it: 'none' where Redis knows of no such order. */
  end(): Promise<'cancelled' | 'complete' | 'none'> {
    return this.#asking('cancel', () => this.#cancel());
  }

  async #cancel(): Promise<'cancelled' | 'complete' | 'none'> {
    this.#cancelled = true;
    const job = await this.#connection.bullmq.Job.fromId(this.#queue, this.id);
    if (job === undefined) return 'none';
    if (await job.isCompleted()) {
      await this.#forget();
      return 'complete';
    }
    await this.#connection.redis.set(this.#cancelledKey, '', 'EX', cancelledSeconds);
    await job.updateProgress({ stopped: cancelled }).catch(() => {}); // workers look at it
    await job.removeUnprocessedChildren();
    // Not one that somebody has made anew meanwhile.
    let isRemoved = false;
    while (!isRemoved) {
      const { isThere, stopped } = await this.#standing();
      if (!isThere || stopped === undefined) break;
      isRemoved = await this.#forget();
      if (!isRemoved) await setTimeout(longestPauseMs / 5);
    }
    // Nor one of which that happened between the two: whoever makes it takes the word of the cancelling away first.
    const isAnew = isRemoved && (await this.#connection.redis.exists(this.#cancelledKey)) === 0;
    if (isAnew && (await this.#queue.getJobState(this.id)) === 'unknown') await this.#add();
    return 'cancelled';
  }

  /** Removes all jobs of the order; false while a worker is at one. */
  async #forget(): Promise<boolean> {
    return (await this.#queue.remove(this.id, { removeChildren: true })) === 1;
  }

  #standing(): ReturnType<typeof standingOf> {
    return standingOf(this.#connection.redis, this.#queue.toKey(this.id));
  }

  /** Does what asks Redis, whose refusals are told as such, and so is that nobody can be asked any more. */
  async #asking<T>(fn: string, work: () => Promise<T>): Promise<T> {
    const closed = (cause?: unknown) => new Error(`${fn}: the order is closed`, { cause });
    if (this.#closed) throw closed();
    try {
      return await work();
    } catch (cause) {
      const isCutOff = this.#closed && cause instanceof Error && cause.message === 'Connection is closed.';
      throw isCutOff ? closed(cause) : refusedBy(this.#connection.shown, cause);
    }
  }

  /** Asks again where the connection broke before all answers were there. What Redis has done already is found, and not done again. */
  async #repeated<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (cause) {
        if (this.#closed || !isCutOff(cause)) throw cause;
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#connection.redis.status === 'ready') await this.#queue.close().catch(() => {});
    this.#connection.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** What ioredis says of pipelines and transactions that were answered in part; all else it asks again itself. */
const isCutOff = (cause: unknown): boolean =>
  cause instanceof Error && cause.message === 'Command aborted due to connection close';

const cancelled = 'cancelled';

/** What is written stays: the same order goes on with it. */
function interrupted(path: string, cause: unknown): InterruptedError {
  return Object.assign(new InterruptedError(path, cause), { resumable: true });
}

/** Commands wait for a Redis that is gone; whoever stops does not. */
async function interruptible<T>(path: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
  let stop = (): void => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(interrupted(path, signal?.reason));
  });
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  try {
    return await Promise.race([work(), stopped]);
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}
