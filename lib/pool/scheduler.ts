import { types } from 'node:util';
import { viewOf } from '../core/dtype.js';
import { isWhole } from '../core/fill.js';
import { isTorchKey, noKey } from '../native/addon.js';
import { Copier } from './copier.js';
import { Host } from './host.js';
import { ClaimedJob, hasMemory, type Job, type Order, SharedJob, StagedJob, type Task, TaskJob } from './job.js';
import { type Report, slotDataBytes } from './messages.js';
import { Slot } from './slot.js';
import { batchNanoseconds, costOf, isSequential } from './split.js';

/** Smaller tensors cost less to copy than to share: sending a worker the handle of a buffer takes some microseconds. */
const leastInPlaceBytes = 128 << 10;
/** A fill whose workers die so often is at fault itself. */
const mostDeaths = 3;
const mostSlots = 32;
/** Jobs made within one tick go to the workers together, unless there are this many. */
const mostGathered = 128;

/**
 * Who works on what: it cuts, batches and hands out jobs, and gives no worker more than about a millisecond's worth to do
 * while others wait. (A whole matrix, which cannot be cut, may take longer.)
 */
export class Scheduler {
  readonly host: Host;
  readonly #threads: number;
  readonly #copier = new Copier();
  /** Jobs with something to hand out, the next one first. */
  readonly #staged = new Set<StagedJob>();
  readonly #shared = new Set<ClaimedJob>();
  /** All jobs that have not settled. */
  readonly #jobs = new Set<Job>();
  /** Told to workers: not 0 while work waits for one of them. */
  readonly #waiting = new Int32Array(new SharedArrayBuffer(4));
  readonly #free: Slot[] = [];
  #slots = 0;
  /** Tasks at Piscina. */
  #tasks = 0;
  /** Native threads in use by them. */
  #load = 0;
  /** Jobs that came since the last pump. */
  #gathered = 0;
  #stagedLast = false;
  #idle: (() => void)[] = [];
  #broken: Error | undefined;

  /** @param worker what the threads run */
  constructor(threads: number, worker?: string) {
    this.#threads = threads;
    this.host = new Host(threads, (error) => this.#break(error), worker);
  }

  /** Tensors that are not filled yet. */
  get jobs(): number {
    return this.#jobs.size;
  }

  /**
   * Starts a job. `onSettled` is called later, never from here, with undefined when the tensor is filled.
   *
   * @throws RangeError where there is no memory to begin with it: then `onSettled` is not called
   */
  submit(order: Order, onSettled: (error: unknown) => void): Job {
    const threads = Math.min(this.#threads, order.threads || this.#threads);
    return this.#start((leave) => makeJob({ ...order, threads }, leave), onSettled);
  }

  /** Starts another room's task, likewise. */
  submitTask(task: Task, onSettled: (error: unknown) => void): Job {
    return this.#start((leave) => new TaskJob(task, this.#threads, leave), onSettled);
  }

  #start(make: (leave: (error: unknown) => void) => Job, onSettled: (error: unknown) => void): Job {
    const leave = (error: unknown): void => {
      this.#jobs.delete(job);
      if (job instanceof StagedJob) this.#staged.delete(job);
      else if (job instanceof ClaimedJob) this.#shared.delete(job);
      onSettled(error);
      if (this.#jobs.size === 0) this.#tellIdle();
    };
    const job = make(leave);
    this.#jobs.add(job);
    if (this.#broken !== undefined) {
      const error = this.#broken;
      queueMicrotask(() => job.settle(error));
      return job;
    }
    if (job instanceof StagedJob) this.#staged.add(job);
    else if (job instanceof ClaimedJob) this.#shared.add(job);
    if (++this.#gathered === 1) queueMicrotask(() => this.#pump());
    else if (this.#gathered > mostGathered) this.#pump();
    return job;
  }

  /** Resolves when all jobs have settled. */
  async idle(): Promise<void> {
    if (this.#jobs.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  cancelAll(reason: unknown): void {
    for (const job of [...this.#jobs]) job.cancel(reason);
  }

  #tellIdle(): void {
    const waiting = this.#idle;
    this.#idle = [];
    for (const tell of waiting) tell();
  }

  #break(error: Error): void {
    this.#broken = error;
    for (const job of [...this.#jobs]) job.settle(error);
  }

  /** Hands out as much work as the workers can take. Both kinds of job get their turn. */
  #pump(): void {
    this.#gathered = 0;
    if (this.#broken !== undefined) return;
    while (true) {
      const turn = this.#load < this.#threads && this.#shared.size > 0;
      const batch = this.#staged.size > 0 && this.#canBatch();
      if (turn && !(batch && !this.#stagedLast)) this.#postTurn();
      else if (batch) this.#postBatch();
      else break;
    }
    Atomics.store(this.#waiting, 0, this.#staged.size + this.#shared.size > 0 ? 1 : 0);
  }

  #canBatch(): boolean {
    if (this.#free.length === 0 && this.#slots >= Math.min(mostSlots, 3 * this.#threads)) return false;
    // A batch ahead for each worker saves it from waiting for this thread; but it must not keep others from their turn.
    return this.#tasks < (this.#shared.size > 0 ? this.#threads : 2 * this.#threads);
  }

  #postBatch(): void {
    this.#stagedLast = true;
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = new Slot();
      this.#slots++;
    }
    for (const job of this.#staged) {
      const all = slot.take(job);
      if (job.next > 0) this.#staged.delete(job);
      if (all) continue;
      this.#staged.add(job); // at the end: the others come first
      break;
    }
    this.#runBatch(slot);
  }

  async #runBatch(slot: Slot): Promise<void> {
    this.#tasks++;
    this.#load++;
    const message = { kind: 'batch', slot: slot.memory, count: slot.parts.length } as const;
    const outcome = await this.#outcome(this.host.run(message));
    this.#tasks--;
    this.#load--;
    if ('death' in outcome) {
      const alive = slot.parts.some(({ job }) => !job.settled);
      if (alive && ++slot.deaths <= mostDeaths) {
        this.#runBatch(slot);
        return;
      }
      for (const { job } of slot.parts) job.settle(died(job, outcome.death));
    } else {
      for (const { piece, error } of outcome.report?.failures ?? []) slot.parts[piece]?.job.settle(error);
    }
    this.#copier.push(() => {
      slot.copyOut();
      slot.clear();
      this.#free.push(slot);
      this.#pump();
    });
    this.#pump();
  }

  #postTurn(): void {
    this.#stagedLast = false;
    const job = this.#shared.values().next().value;
    if (job === undefined) return;
    this.#shared.delete(job);
    if (!job.wantsTurn) return;
    job.turns++;
    if (job.wantsTurn) this.#shared.add(job);
    // One native thread for each worker; a whole matrix, which a single worker makes, gets those of the idle ones.
    const idle = this.#threads - this.#load;
    this.#runTurn(job, job.whole ? Math.min(idle, job.threads) : 1);
  }

  async #runTurn(job: ClaimedJob, threads: number): Promise<void> {
    this.#tasks++;
    this.#load += threads;
    const outcome = await this.#outcome(this.host.run(job.message(threads, this.#waiting)));
    this.#tasks--;
    this.#load -= threads;
    job.turns--;
    if ('death' in outcome) {
      if (++job.deaths > mostDeaths) job.fail(died(job, outcome.death));
    } else if (outcome.report !== undefined) {
      job.fail(restored(outcome.report.failures[0]?.error));
    }
    if (!job.settled) {
      job.turnEnded();
      if (job.complete) this.#finish(job);
      else if (job.wantsTurn) this.#shared.add(job);
    }
    this.#pump();
  }

  async #outcome(run: Promise<Report>): Promise<{ readonly report: Report } | { readonly death: unknown }> {
    try {
      return { report: await run };
    } catch (death) {
      return { death };
    }
  }

  #finish(job: ClaimedJob): void {
    if (job instanceof SharedJob && !job.inPlace) this.#copySlice(job, 0);
    else job.settle();
  }

  #copySlice(job: SharedJob, begin: number): void {
    this.#copier.push(() => {
      if (job.settled || !hasMemory(job)) return;
      const { data, dtype, size } = job.order.tensor;
      const count = Math.min(size - begin, slotDataBytes / job.bytesEach);
      const { buffer, byteOffset } = job.memory;
      data.set(viewOf(dtype, buffer, byteOffset + begin * job.bytesEach, count), begin);
      if (begin + count === size) job.settle();
      else this.#copySlice(job, begin + count);
    });
  }
}

function makeJob(order: Order, onSettled: (error: unknown) => void): Job {
  const { tensor, fill, key } = order;
  const { buffer, byteOffset, byteLength: bytes } = tensor.data;
  const sequential = isSequential(fill, key);
  if (types.isSharedArrayBuffer(buffer) && (bytes >= leastInPlaceBytes || sequential)) {
    return new SharedJob(order, { buffer, byteOffset }, true, onSettled);
  }
  const cost = costOf(fill, tensor.dtype, tensor.size);
  if (sequential || (isWhole(fill) && (bytes > slotDataBytes || cost > batchNanoseconds))) {
    if (types.isSharedArrayBuffer(buffer)) return new SharedJob(order, { buffer, byteOffset }, true, onSettled);
    const own = new SharedArrayBuffer(bytes);
    return new SharedJob(order, { buffer: own, byteOffset: 0 }, false, onSettled);
  }
  return new StagedJob(isTorchKey(key) ? { ...order, key: noKey } : order, onSettled);
}

/** The error whose parts a worker sent. */
function restored(error: unknown): unknown {
  if (error instanceof Error || typeof error !== 'object' || error === null || !('code' in error)) return error;
  return Object.assign(new Error(), error);
}

function died(job: Job, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${job.fn}: the worker threads died while filling (${why})`, { cause });
}
