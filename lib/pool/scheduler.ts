import { types } from 'node:util';
import { isWhole } from '../core/fill.js';
import { isTorchKey, noKey } from '../native/addon.js';
import { checkUnreleased } from '../tensor/released.js';
import { isNarrowTarget } from '../tensor/target.js';
import { Copier } from './copier.js';
import { atExit } from './exit.js';
import { afterEarlier } from './filling.js';
import { Host, tasksAtWorker } from './host.js';
import { ClaimedJob, hasMemory, type Job, type Order, SharedJob, StagedJob, type Task, TaskJob } from './job.js';
import { type Failure, type Report, slotDataBytes } from './messages.js';
import { Slot } from './slot.js';
import { batchNanoseconds, costOf, isSequential } from './split.js';

/** Smaller tensors cost less to copy than to share: sending a worker the handle of a buffer takes some microseconds. */
const leastInPlaceBytes = 128 << 10;
/** A fill whose workers die so often is at fault itself. */
const mostDeaths = 3;
const mostSlots = 32;
/** Jobs made within one tick go to the workers together, unless there are this many, or idle workers for half of a batch. */
const mostGathered = 128;

/**
 * Who works on what: it cuts, batches and hands out jobs, and gives no worker more than about a millisecond's worth to do
 * while others wait. (A whole matrix, which cannot be cut, may take longer.)
 */
export class Scheduler {
  readonly host: Host;
  readonly #threads: number;
  readonly copier = new Copier();
  /** Jobs with something to hand out, the next one first. */
  readonly #staged = new Set<StagedJob>();
  readonly #shared = new Set<ClaimedJob>();
  /** All jobs that have not settled. */
  readonly #jobs = new Set<Job>();
  /** Parties whose jobs are in a turn, and in how many. */
  readonly #parties = new Map<unknown, number>();
  /** Told to workers: not 0 while another party's work waits for one of them. */
  readonly #waiting = new Int32Array(new SharedArrayBuffer(4));
  readonly #free: Slot[] = [];
  #slots = 0;
  /** How many there may be; fewer where there was no memory for one more, until all is done. */
  #mostSlots: number;
  /** Tasks at Piscina. */
  #tasks = 0;
  /** Native threads in use by them. */
  #load = 0;
  /** How many of them are of a job alone. */
  #alone = 0;
  /** Jobs that came since the last pump, and what they cost. */
  #gathered = 0;
  #gatheredCost = 0;
  #stagedLast = false;
  #idle: (() => void)[] = [];
  #broken: Error | undefined;
  /** Takes back that workers are stopped when the process exits. */
  #stayAtExit: () => void = () => undefined;

  /** @param worker what the threads run */
  constructor(threads: number, niceness?: number, worker?: string) {
    this.#threads = threads;
    this.#mostSlots = this.#slotsWanted;
    this.host = new Host(threads, (error) => this.#break(error), niceness, worker);
  }

  get #slotsWanted(): number {
    return Math.min(mostSlots, 3 * this.#threads);
  }

  /** Tensors that are not filled yet. */
  get jobs(): number {
    return this.#jobs.size;
  }

  /**
   * Starts a job. `onSettled` is called later, never from here, with undefined when the tensor is filled.
   *
   * @throws RangeError where there is no memory to begin with it, or it was released: then `onSettled` is not called
   */
  submit(order: Order, onSettled: (error: unknown) => void): Job {
    checkUnreleased(order.fn, order.tensor.data);
    const threads = Math.min(this.#threads, order.threads || this.#threads);
    return this.#start((leave) => makeJob({ ...order, threads }, leave), onSettled);
  }

  /** Starts another room's task, likewise. */
  submitTask(task: Task, onSettled: (error: unknown) => void): Job {
    return this.#start((leave) => new TaskJob(task, this.#threads, leave), onSettled);
  }

  #start(make: (leave: (error: unknown) => void) => Job, onSettled: (error: unknown) => void): Job {
    let settled = (): void => undefined;
    const leave = (error: unknown): void => {
      this.#jobs.delete(job);
      if (job instanceof StagedJob) this.#staged.delete(job);
      else if (job instanceof ClaimedJob) this.#shared.delete(job);
      settled();
      onSettled(error);
      if (this.#jobs.size > 0) return;
      this.#mostSlots = this.#slotsWanted;
      this.#stayAtExit();
      this.#tellIdle();
    };
    const job = make(leave);
    if (this.#jobs.size === 0) {
      this.#stayAtExit(); // where the last job's callback is what starts this one
      this.#stayAtExit = atExit(() => this.#stopWorkers());
    }
    this.#jobs.add(job);
    if (this.#broken !== undefined) {
      const error = this.#broken;
      queueMicrotask(() => job.settle(error));
      return job;
    }
    if (job.order === undefined) this.#enqueue(job);
    else settled = afterEarlier(job.order.tensor.data, () => this.#enqueue(job));
    return job;
  }

  #enqueue(job: Job): void {
    if (job instanceof StagedJob) this.#staged.add(job);
    else if (job instanceof ClaimedJob) this.#shared.add(job);
    if (++this.#gathered === 1) queueMicrotask(() => this.#pump());
    this.#gatheredCost += job.cost;
    const enough = this.#tasks < this.#threads && this.#gatheredCost > batchNanoseconds / 2;
    if (enough || this.#gathered > mostGathered) this.#pump();
  }

  /** Resolves when all jobs have settled. */
  async idle(): Promise<void> {
    if (this.#jobs.size > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  cancelAll(reason: () => unknown): void {
    for (const job of [...this.#jobs]) job.cancel(reason());
  }

  /** Has workers stop what they are at. */
  #stopWorkers(): void {
    const reason = new Error('the process exits');
    for (const job of this.#jobs) if (job instanceof ClaimedJob) job.fail(reason);
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
    this.#gatheredCost = 0;
    if (this.#broken !== undefined) return;
    while (true) {
      const turn = this.#canTurn();
      const batch = this.#staged.size > 0 && this.#canBatch();
      if (turn && !(batch && !this.#stagedLast)) this.#postTurn();
      else if (batch) this.#postBatch();
      else break;
    }
    Atomics.store(this.#waiting, 0, this.#othersWait() ? 1 : 0);
  }

  #othersWait(): boolean {
    if (this.#staged.size > 0) return true;
    for (const { party } of this.#shared) if (this.#parties.size !== 1 || !this.#parties.has(party)) return true;
    return false;
  }

  /** A task ahead for each worker saves it from waiting for this thread; but nothing is to wait behind a whole matrix. */
  get #most(): number {
    return this.#alone > 0 ? this.#threads : tasksAtWorker * this.#threads;
  }

  #canTurn(): boolean {
    for (const next of this.#shared) {
      if (next.wantsTurn) return this.#load < (next.alone ? this.#threads : this.#most);
      this.#shared.delete(next);
    }
    return false;
  }

  #canBatch(): boolean {
    if (this.#free.length === 0 && this.#slots >= this.#mostSlots) return false;
    return this.#tasks < this.#most;
  }

  #postBatch(): void {
    this.#stagedLast = true;
    const slot = this.#free.pop() ?? this.#newSlot();
    if (slot === undefined) return;
    for (const job of this.#staged) {
      const all = slot.take(job);
      if (job.next > 0) this.#staged.delete(job);
      if (all) continue;
      this.#staged.add(job); // at the end: the others come first
      break;
    }
    this.#runBatch(slot);
  }

  /** Undefined where there is no memory for one: those that there are have to do, and without any no staged job can be done. */
  #newSlot(): Slot | undefined {
    try {
      const slot = new Slot();
      this.#slots++;
      return slot;
    } catch (cause) {
      this.#mostSlots = Math.max(1, this.#slots);
      if (this.#slots > 0) return undefined;
      for (const job of this.#staged) queueMicrotask(() => job.settle(noMemory(job.fn, cause)));
      this.#staged.clear();
      return undefined;
    }
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
      for (const failure of outcome.report?.failures ?? []) slot.parts[failure.piece]?.job.settle(restored(failure));
    }
    this.copier.push(() => {
      slot.copyOut();
      slot.clear();
      this.#free.push(slot);
      this.#pump();
    });
    this.#pump();
  }

  #postTurn(): void {
    this.#stagedLast = false;
    const jobs = this.#nextJobs();
    for (const job of jobs) {
      this.#shared.delete(job);
      job.turns++;
      if (job.wantsTurn) this.#shared.add(job); // at the end
    }
    const [first] = jobs;
    if (first === undefined) return;
    // One native thread for each worker; a whole matrix, which a single worker makes, gets those of the idle ones.
    this.#runTurn(jobs, first.whole ? Math.min(this.#threads - this.#load, first.threads) : 1);
  }

  /** The jobs of one message: what is small goes together, though not all that there is, which would leave other workers without. */
  #nextJobs(): ClaimedJob[] {
    const jobs: ClaimedJob[] = [];
    const most = Math.ceil(this.#shared.size / (tasksAtWorker * this.#threads));
    let cost = 0;
    for (const job of this.#shared) {
      if (!job.wantsTurn) {
        this.#shared.delete(job);
        continue;
      }
      cost += job.cost;
      if (jobs.length > 0 && (job.alone || cost > batchNanoseconds)) break;
      jobs.push(job);
      if (jobs.length === most || job.alone) break;
    }
    return jobs;
  }

  async #runTurn(jobs: readonly ClaimedJob[], threads: number): Promise<void> {
    const alone = jobs[0]?.alone === true;
    this.#tasks++;
    this.#load += threads;
    if (alone) this.#alone++;
    for (const { party } of jobs) this.#parties.set(party, (this.#parties.get(party) ?? 0) + 1);
    const message = { kind: 'turn', jobs: jobs.map((job) => job.turn()), threads, waiting: this.#waiting } as const;
    const outcome = await this.#outcome(this.host.run(message));
    this.#tasks--;
    this.#load -= threads;
    if (alone) this.#alone--;
    for (const { party } of jobs) {
      const left = (this.#parties.get(party) ?? 1) - 1;
      if (left > 0) this.#parties.set(party, left);
      else this.#parties.delete(party);
    }
    if ('report' in outcome) {
      for (const failure of outcome.report?.failures ?? []) jobs[failure.piece]?.fail(restored(failure));
    }
    for (const job of jobs) {
      job.turns--;
      if ('death' in outcome && ++job.deaths > mostDeaths) job.fail(died(job, outcome.death));
      if (job.settled) continue;
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
    this.copier.push(() => {
      if (job.settled || !hasMemory(job)) return;
      const { data } = job.order.tensor;
      const count = Math.min(data.byteLength - begin, slotDataBytes);
      const { buffer, byteOffset } = job.memory;
      // A part at a time: Node.js 20 has no array of bytes over more than 4 GiB.
      const to = new Uint8Array(data.buffer, data.byteOffset + begin, count);
      to.set(new Uint8Array(buffer, byteOffset + begin, count));
      if (begin + count === data.byteLength) job.settle();
      else this.#copySlice(job, begin + count);
    });
  }
}

function makeJob(order: Order, onSettled: (error: unknown) => void): Job {
  const { tensor, fill, key } = order;
  const { buffer, byteOffset, byteLength: bytes } = tensor.data;
  // What the records of a batch have no room for.
  const alone = isSequential(fill, key) || order.slice !== undefined || isNarrowTarget(tensor);
  if (types.isSharedArrayBuffer(buffer) && (bytes >= leastInPlaceBytes || alone)) {
    return new SharedJob(order, { buffer, byteOffset }, true, onSettled);
  }
  const cost = costOf(fill, tensor.dtype, tensor.size);
  if (alone || (isWhole(fill) && (bytes > slotDataBytes || cost > batchNanoseconds))) {
    if (types.isSharedArrayBuffer(buffer)) return new SharedJob(order, { buffer, byteOffset }, true, onSettled);
    const own = new SharedArrayBuffer(bytes);
    return new SharedJob(order, { buffer: own, byteOffset: 0 }, false, onSettled);
  }
  return new StagedJob({ ...order, tensor, key: isTorchKey(key) ? noKey : key }, onSettled);
}

/** As the addon says it of memory of its own. */
function noMemory(fn: string, cause: unknown): Error {
  const error = new Error(`${fn}: not enough memory to work in`, { cause });
  return Object.assign(error, { code: 'ERR_MEMORY_ALLOCATION_FAILED' });
}

/** The error that a worker sent. */
const restored = ({ error, facts }: Failure): unknown =>
  facts !== undefined && error instanceof Error ? Object.assign(error, facts) : error;

function died(job: Job, cause: unknown): Error {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new Error(`${job.fn}: the worker threads died while filling (${why})`, { cause });
}
