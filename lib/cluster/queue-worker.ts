import { setMaxListeners } from 'node:events';
import { isAbsolute, relative, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Job, Queue, Worker } from 'bullmq';
import { isAddress } from '../checkpoint/write/s3/address.js';
import { checkThreads } from '../checkpoint/write/write-checkpoint.js';
import { checkInteger, checkOptions, typeError } from '../core/check.js';
import { errorCode, InputError } from '../core/errors.js';
import { printable } from '../core/text.js';
import { answers, type Connection, connect, isReply, queueName, replyOf, standingOf } from './connection.js';
import {
  type FinishJob,
  finishJob,
  type JobFacts,
  type LaidOrder,
  layOrder,
  otherVersion,
  type PartJob,
  partJob,
  refusal,
  unpack,
} from './order-data.js';
import type { Performer } from './perform.js';
import type { ClusterWorker, WorkerOptions } from './worker.js';

/** Signs of life, and looks whether an order was stopped. */
const beatMs = 1000;
/** What this worker refuses is offered to others, and after so long here again. */
const refusedMs = 3000;
/** A part that has ended so many workers is not tried any more. */
const mostStalls = 25;
const keptOrders = 4;
/** Of an order's log. */
const mostLines = 1000;

/** startWorker, for another way of doing parts: measurements have one that writes nothing. */
export async function startPerforming(
  options: WorkerOptions,
  perform: (threads: number | undefined) => Performer,
): Promise<ClusterWorker> {
  const fn = 'startWorker';
  const given = checkOptions(fn, options, ['redis', 'root', 'threads', 'lostAfterMs', 'onMessage']);
  const { root = '.', onMessage = () => {} } = given;
  if (typeof root !== 'string' || root === '') throw typeError(fn, 'root', "a folder's name", root);
  if (typeof onMessage !== 'function') throw typeError(fn, 'onMessage', 'a function', onMessage);
  const threads = checkThreads(fn, given.threads);
  const lostAfterMs = checkInteger(fn, 'lostAfterMs', given.lostAfterMs ?? 30_000, 1000, 2 ** 31 - 1);
  // What listeners throw is no failure of a part: others have ordered that.
  const say = (text: string): void => {
    try {
      onMessage(printable(text));
    } catch (cause) {
      process.emitWarning(cause instanceof Error ? cause : String(cause));
    }
  };
  const connection = await connect(fn, given.redis as string, say);
  return new QueueWorker(connection, resolve(root), lostAfterMs, perform(threads), say);
}

/** A job that is done as long as its order is not stopped. */
interface Watched {
  readonly orderName: string;
  readonly abort: AbortController;
  /** Of `abort`, and of the worker that is closed. */
  readonly signal: AbortSignal;
}

class QueueWorker implements ClusterWorker {
  readonly redis: string;
  readonly #connection: Connection;
  readonly #root: string;
  readonly #performer: Performer;
  readonly #say: (text: string) => void;
  readonly #queue: Queue;
  readonly #worker: Worker;
  readonly #closing = new AbortController();
  /** Orders by their names, those that were used last at the end. */
  readonly #orders = new Map<string, LaidOrder>();
  /** Orders of which it was said why they are not done, by their names and when they were made. */
  readonly #refused = new Set<string>();
  /** What Redis refuses, told once until it hands out a job again. */
  readonly #refusedByRedis = new Set<string>();
  #closed: Promise<void> | undefined;

  constructor(
    connection: Connection,
    root: string,
    lostAfterMs: number,
    performer: Performer,
    say: (text: string) => void,
  ) {
    this.redis = connection.shown;
    this.#connection = connection;
    this.#root = root;
    this.#performer = performer;
    this.#say = say;
    setMaxListeners(0, this.#closing.signal); // one of each job that is put back
    const { bullmq, redis } = connection;
    this.#queue = new bullmq.Queue(queueName, { connection: redis });
    this.#worker = new bullmq.Worker(queueName, (job, token) => this.#do(job, token ?? ''), {
      connection: redis,
      lockDuration: lostAfterMs,
      stalledInterval: Math.ceil(lostAfterMs / 2),
      maxStalledCount: mostStalls,
      runRetryDelay: beatMs,
    });
    this.#queue.on('error', () => {}); // connections are told of already
    this.#worker.on('error', (error) => this.#lookAt(error));
    this.#worker.on('active', () => this.#refusedByRedis.clear());
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Tells what Redis refuses, such as one that is read-only or full: the worker gets nothing to do meanwhile, and tries again. */
  #lookAt(error: Error): void {
    if (!isReply(error)) return;
    const text = replyOf(error);
    if (this.#refusedByRedis.has(text)) return;
    this.#refusedByRedis.add(text);
    this.#say(`${this.redis} refuses, and is asked again: ${text}`);
  }

  async #close(): Promise<void> {
    this.#closing.abort(new Error('the worker is closed'));
    try {
      // Nothing waits for a Redis that is gone: what was under way is then found to be lost.
      const isThere = await answers(this.#connection);
      await (isThere ? this.#worker.close() : this.#worker.close(true));
      if (isThere) await this.#queue.close();
    } finally {
      this.#connection.close();
      await this.#performer.close();
    }
  }

  /** Does a job; what it throws tells BullMQ what becomes of it. */
  async #do(job: Job, token: string): Promise<unknown> {
    const { UnrecoverableError, WaitingError } = this.#connection.bullmq;
    const abort = new AbortController();
    const orderName = job.parent?.id ?? job.id ?? '';
    try {
      const other = otherVersion(job.data);
      if (other !== undefined) return await this.#refuse(job, token, orderName, other);
      const given = job.name === 'part' ? partJob.safeParse(job.data) : finishJob.safeParse(job.data);
      if (!given.success) throw new InputError('the job is none of nninit');
      const order = await this.#order(orderName);
      const why = order === undefined ? undefined : (this.#outside(given.data) ?? refusal(given.data, order.facts));
      if (why !== undefined) return await this.#refuse(job, token, orderName, why);
      const stopped = order === undefined ? 'its order is gone' : await this.#stopped(orderName);
      if (order === undefined || stopped !== undefined) throw new InputError(stopped ?? '');
      const signal = AbortSignal.any([abort.signal, this.#closing.signal]);
      const watched = { orderName, abort, signal };
      if (job.name !== 'part') return await this.#finish(job, order, given.data as FinishJob, watched);
      return await this.#part(job, order, given.data as PartJob, watched);
    } catch (cause) {
      if (cause instanceof this.#connection.bullmq.DelayedError) throw cause;
      if (this.#closing.signal.aborted) {
        await job.moveToWait(token);
        throw new WaitingError();
      }
      if (cause instanceof UnrecoverableError) throw cause;
      const told = (abort.signal.aborted ? abort.signal.reason : cause) as unknown;
      const text = told instanceof Error ? told.message : String(told);
      if (abort.signal.aborted || (told instanceof InputError && errorCode(told) !== 'EBUSY')) {
        throw new UnrecoverableError(text);
      }
      // Whoever else finishes it, such as a worker that Redis has lost sight of, is waited for as long as that takes.
      if (told instanceof InputError)
        return await this.#putBack(job, token, orderName, `${nameOf(job)} waits: ${text}`);
      await this.#log(orderName, `${nameOf(job)}: ${text}`);
      throw new Error(text);
    }
  }

  async #part(job: Job, order: LaidOrder, { index, count, output }: PartJob, watched: Watched): Promise<number> {
    const start = performance.now();
    let bytes = 0;
    const onProgress = (done: number): void => {
      bytes = done;
    };
    const tell = () => job.updateProgress({ bytes });
    const resumed = await this.#unlessStopped(watched, tell, () =>
      this.#performer.part(order, this.#place(output), { index, count }, watched.signal, onProgress),
    );
    const seconds = (performance.now() - start) / 1000;
    this.#say(`${nameOf(job)} of ${output} in ${seconds.toFixed(2)} s`);
    return resumed;
  }

  async #finish(job: Job, order: LaidOrder, { output }: FinishJob, watched: Watched): Promise<unknown> {
    const failures = await job.getFailedChildrenValues();
    const [failed] = Object.entries(failures);
    if (failed !== undefined) {
      const [child, reason] = failed;
      const text = `part ${child.slice(child.lastIndexOf('-') + 1)}: ${reason}`;
      await job.updateProgress({ stopped: text }); // those under way see it
      await job.removeUnprocessedChildren();
      throw new InputError(text);
    }
    const written = await this.#unlessStopped(
      watched,
      async () => {},
      () => this.#performer.finish(order, this.#place(output), watched.signal),
    );
    this.#say(`${output} is complete`);
    const resumed = Object.values(await job.getChildrenValues()).reduce((sum, bytes) => sum + Number(bytes ?? 0), 0);
    return { ...written, resumedBytes: Math.min(resumed, written.resumedBytes) }; // parts count heads too
  }

  /** Does something, and looks now and then whether its order was stopped; each time that it was not, `tell` is called. */
  async #unlessStopped<T>(
    { orderName, abort }: Watched,
    tell: () => Promise<void>,
    work: () => Promise<T>,
  ): Promise<T> {
    const beat = this.#beat(async () => {
      const stopped = await this.#stopped(orderName);
      if (stopped !== undefined) abort.abort(new InputError(stopped));
      else await tell();
    });
    try {
      return await work();
    } finally {
      await beat();
    }
  }

  /** Calls something now and then, never twice at once, until what is returned is called. */
  #beat(look: () => Promise<void>): () => Promise<void> {
    let looking: Promise<void> | undefined;
    const timer = setInterval(() => {
      looking ??= look()
        .catch(() => {}) // the lock tells whether the job is still this worker's
        .finally(() => {
          looking = undefined;
        });
    }, beatMs);
    return async () => {
      clearInterval(timer);
      if (this.#connection.redis.status === 'ready') await looking;
    };
  }

  /** Why nothing more is to be done for an order; undefined if something is. */
  async #stopped(orderName: string): Promise<string | undefined> {
    return (await standingOf(this.#connection.redis, this.#queue.toKey(orderName))).stopped;
  }

  /** What was ordered, laid out; undefined if it is not there any more. */
  async #order(name: string): Promise<LaidOrder | undefined> {
    const known = this.#orders.get(name);
    this.#orders.delete(name);
    const order = known ?? (await this.#read(name));
    if (order === undefined) return undefined;
    this.#orders.set(name, order);
    for (const oldest of [...this.#orders.keys()].slice(0, -keptOrders)) this.#orders.delete(oldest);
    return order;
  }

  async #read(name: string): Promise<LaidOrder | undefined> {
    const job = await this.#connection.bullmq.Job.fromId(this.#queue, name);
    return job === undefined ? undefined : layOrder('startWorker', unpack(finishJob.parse(job.data).order));
  }

  /** Where an order goes: a relative path is below the root, whatever the working directory. */
  #place(output: string): string {
    return resolve(this.#root, output);
  }

  /** Why a place is none that this worker writes to. */
  #outside({ output }: JobFacts): string | undefined {
    const inside = relative(this.#root, this.#place(output));
    const isInside = !isAbsolute(inside) && inside.split(/[\\/]/)[0] !== '..' && !isAddress(output);
    return isInside ? undefined : `${output} is not in ${this.#root}, to which the worker writes`;
  }

  #refuse(job: Job, token: string, orderName: string, why: string): Promise<never> {
    return this.#putBack(job, token, orderName, `refused: ${why}`);
  }

  /** Puts a job back, which is no attempt of it; of an order, why is said once. */
  async #putBack(job: Job, token: string, orderName: string, why: string): Promise<never> {
    // Whoever orders the same once more has an order of the same name, and has heard of nothing.
    const made = await this.#connection.redis.hget(this.#queue.toKey(orderName), 'timestamp');
    const order = `${orderName} ${made}`;
    if (!this.#refused.has(order)) {
      this.#refused.add(order);
      await this.#log(orderName, why);
    }
    // Not left to clocks: what is delayed is due by that of whoever looks. Where this one is ahead the job would be nobody's for so long, or,
    // by the time of Redis, this worker's again at once.
    await job.moveToDelayed(Date.now() + 2 * refusedMs, token);
    void setTimeout(refusedMs, undefined, { signal: this.#closing.signal, ref: false })
      .catch(() => {}) // whoever leaves hands it out as it goes
      .then(() => job.promote())
      .catch(() => {}); // somebody has it, or it is gone
    throw new this.#connection.bullmq.DelayedError();
  }

  /** Says it here and, by the order, to whoever waits for that. The first lines stay: who waits counts those that it was told. */
  async #log(orderName: string, text: string): Promise<void> {
    this.#say(text);
    try {
      const { count } = await this.#queue.getJobLogs(orderName, 0, 0);
      if (count >= mostLines) return;
      const told = count === mostLines - 1 ? 'what more there is to say is said by the workers only' : text;
      await this.#connection.bullmq.Job.addJobLog(this.#queue, orderName, told);
    } catch {
      // It is said here, and what goes wrong is told by the job itself.
    }
  }
}

const nameOf = ({ name, data }: Job): string => (name === 'part' ? `part ${data.index}/${data.count}` : 'finishing');
