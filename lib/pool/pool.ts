import { checkBoolean, checkInteger, checkOptions } from '../core/check.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { type Binding, bind, type Call, checkGenerator, checkThreads, prepare } from '../init/binding.js';
import { type Name, names } from '../init/initializers.js';
import { checkRange } from '../init/run-fill.js';
import type { InitFunction } from '../init/signature.js';
import { fillRange, get_num_threads, type Key, noKey } from '../native/addon.js';
import { default_generator, type Generator } from '../random/generator.js';
import { type DataOf, empty, type Tensor } from '../tensor/tensor.js';
import { type FillItem, takeKeys, totalOf } from './item.js';
import type { Job, Order, Task } from './job.js';
import { type FillResult, iteratorOf, List } from './list.js';
import { weigh } from './memory.js';
import {
  type CheckedFillOptions,
  checkFillOptions,
  type FillOptions,
  fillOptions,
  Operation,
  reasonOf,
} from './operation.js';
import { Scheduler } from './scheduler.js';
import { isTiny } from './split.js';
import { fillInTurn, keyAtOnce, listInTurn } from './turn.js';

const mostThreads = 128;

/** `init.*_` on the pool: the same names and arguments, `signal` and `onProgress` besides, and a promise of the tensor. */
export type PoolInit = { readonly [N in Name as `${N}_`]: InitFunction<N, 'promise', FillOptions> };

/** What a pool is doing. */
export interface PoolStatistics {
  /** Worker threads. */
  readonly threads: number;
  /** Tensors that were asked for and are not filled yet. */
  readonly pending: number;
  /** Tasks that wait for a worker, in Piscina's queue. */
  readonly queue: number;
  /** Tasks done so far. */
  readonly completed: number;
  /** The share of all workers' time that was spent in tasks, 0 to 1. */
  readonly utilization: number;
  /** Milliseconds that tasks waited for a worker, and ran. */
  readonly waitTime: { readonly average: number; readonly p99: number };
  readonly runTime: { readonly average: number; readonly p99: number };
}

/**
 * Worker threads that fill tensors, while this thread goes on. Made by createPool.
 *
 *     await using pool = createPool();
 *     const w = pool.empty([4096, 4096]);
 *     await pool.init.kaiming_normal_(w, { nonlinearity: 'relu', signal });
 *
 * Everything is checked, and its stream taken, when a function is called; so the bytes are those of the same calls of `init`, in
 * the same order, whenever the workers come to them. Do not touch a tensor before its promise settles.
 */
export class Pool {
  /** `init.*_`, each returning a promise of its tensor. */
  readonly init: PoolInit;
  readonly #scheduler: Scheduler;
  #closing: Promise<void> | undefined;
  readonly #operations = new Set<Operation>();
  /** Called when no operation is left. */
  #drained: (() => void)[] = [];

  /** Worker threads. */
  readonly threads: number;

  /** Use createPool. */
  constructor(threads: number) {
    this.threads = threads;
    this.#scheduler = new Scheduler(threads);
    const run = (binding: Binding, tensor: unknown, args: readonly unknown[]) => this.#run(binding, tensor, args);
    const functions = names.map((name) => [`${name}_`, bind(name, run, fillOptions)] as const);
    this.init = Object.freeze(Object.fromEntries(functions)) as unknown as PoolInit;
  }

  /**
   * A new tensor of zeros in shared memory, which workers fill in place. Other memory costs a copy on this thread.
   *
   * @param shape integers ≥ 0
   * @param options.dtype 'float32' by default
   */
  empty<D extends Dtype = 'float32'>(
    shape: readonly number[],
    options?: { readonly dtype?: D | undefined },
  ): Tensor<DataOf<D>> {
    const { dtype } = checkOptions('empty', options, ['dtype']);
    const made = empty<D>(shape, { dtype: dtype as D | undefined, shared: true });
    weigh(made.data.buffer as SharedArrayBuffer);
    return made;
  }

  /**
   * Fills many tensors, many at once.
   *
   *     await pool.fill([{ tensor: w, initializer: { init: 'normal', std: 0.02 }, name: 'wte' }, { tensor: b, initializer: 'zeros' }])
   *
   * Of an iterable, endless ones included, it takes no more than 1024 items ahead of the workers, nor more than 64 MiB (but two
   * items). The items of an array take their streams when fill is called, in their order; those of an iterable when they are taken.
   *
   * @param items an array, or an iterable or async iterable
   * @param options.generator where all draw from; default_generator by default
   * @returns how much was filled
   * @throws AggregateError when the others are filled, if items were refused or failed: its `errors` name them; the signal's
   *   reason; what the iterable throws
   */
  async fill(
    items: Iterable<FillItem> | AsyncIterable<FillItem>,
    options?: FillOptions & { readonly generator?: Generator | undefined },
  ): Promise<FillResult> {
    const fn = 'fill';
    this.#checkOpen(fn);
    const { generator, ...rest } = checkOptions(fn, options, ['generator', ...fillOptions]);
    const drawn = generator === undefined ? default_generator : checkGenerator(fn, generator);
    const checked = checkFillOptions(fn, rest);
    const list = Array.isArray(items) ? [...(items as unknown[])] : undefined;
    const source = list ?? iteratorOf(items);
    const keys = list === undefined ? [] : takeKeys(list, drawn);
    const total = list === undefined || checked.onProgress === undefined ? undefined : totalOf(list);
    const operation = new Operation(checked, total);
    const ended = this.#track(operation);
    const run = (from: Generator): Promise<FillResult> =>
      new List(this.#scheduler, operation, source, keys, from).run();
    try {
      const inTurn = list !== undefined && drawn.engine === 'torch';
      const result = await (inTurn ? listInTurn(drawn, operation, run) : run(drawn));
      operation.end(true);
      return result;
    } finally {
      operation.end(false);
      ended();
    }
  }

  /**
   * runFill on the pool: writes elements [begin, begin + data.length) of a fill, such as a chunk of a tensor that never is in
   * memory as a whole.
   *
   * @param fill what resolve gave
   * @param key the generator's, from `nextKey(fill, dtype, elements)`; the same for all chunks of a tensor
   * @param begin index of data[0] within the fill; 0 for orthogonal and sparse ones, which cannot be cut
   */
  async runFill(
    data: TensorData,
    dtype: Dtype,
    fill: Fill,
    key: Key = noKey,
    begin = 0,
    options?: FillOptions & { readonly threads?: number | undefined },
  ): Promise<void> {
    const fn = 'runFill';
    this.#checkOpen(fn);
    const { threads, ...rest } = checkOptions(fn, options, ['threads', ...fillOptions]);
    const range = checkRange(fn, data, dtype, fill, key, begin);
    const order = { fn, ...range, threads: threads === undefined ? 0 : checkThreads(fn, threads) };
    await this.#fill(order, checkFillOptions(fn, rest));
  }

  /**
   * Does another room's work on the pool's threads.
   *
   * @internal
   */
  async runTask(task: Task, options: CheckedFillOptions): Promise<void> {
    this.#checkOpen(task.fn);
    if (options.signal?.aborted) throw reasonOf(options.signal);
    if (task.count > 0)
      await this.#submit(task.bytes, task.bytes, options, (conclude) => this.#scheduler.submitTask(task, conclude));
  }

  /** How busy the pool is, and has been. */
  statistics(): PoolStatistics {
    const { piscina } = this.#scheduler.host;
    const { waitTime, runTime } = piscina.histogram;
    return {
      threads: piscina.threads.length,
      pending: this.#scheduler.jobs,
      queue: piscina.queueSize,
      completed: piscina.completed,
      utilization: piscina.utilization,
      waitTime: { average: waitTime.average || 0, p99: waitTime.p99 }, // NaN before the first task
      runTime: { average: runTime.average || 0, p99: runTime.p99 },
    };
  }

  /**
   * Ends the threads, after the work that was asked for. Calls from now on are refused.
   *
   * @param options.force drop that work: its promises reject
   */
  close(options?: { readonly force?: boolean | undefined }): Promise<void> {
    try {
      const { force = false } = checkOptions('close', options, ['force']);
      if (checkBoolean('close', 'force', force)) {
        const reason = new Error('the pool was closed by force');
        for (const operation of this.#operations) operation.stop(reason);
        this.#scheduler.cancelAll(reason);
      }
    } catch (error) {
      return Promise.reject(error);
    }
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #track(operation: Operation): () => void {
    this.#operations.add(operation);
    return () => {
      this.#operations.delete(operation);
      if (this.#operations.size > 0) return;
      for (const tell of this.#drained) tell();
      this.#drained = [];
    };
  }

  async #close(): Promise<void> {
    // Lists still feed, and matter to nobody else: an operation ends after its jobs.
    if (this.#operations.size > 0) await new Promise<void>((resolve) => this.#drained.push(resolve));
    await this.#scheduler.idle();
    await this.#scheduler.host.close();
  }

  #checkOpen(fn: string): void {
    if (this.#closing !== undefined) throw new Error(`${fn}: the pool is closed`);
  }

  #run(binding: Binding, tensor: unknown, args: readonly unknown[]): Promise<unknown> {
    try {
      this.#checkOpen(binding.fn);
      return this.#start(prepare(binding, tensor, args), tensor);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #start(call: Call, result: unknown): Promise<unknown> {
    const { fn, tensor, fill, random, generator, threads, extra } = call;
    const options = checkFillOptions(fn, extra);
    const source = generator ?? default_generator;
    const { dtype, size } = tensor;
    const key = random ? keyAtOnce(source, fill, dtype, size) : noKey;
    const order = { fn, tensor, fill, begin: 0, threads };
    if (key === undefined) return this.#wait(source, order, options).then(() => result);
    if (options.onProgress === undefined && isTiny(fill, tensor.dtype, tensor.size)) {
      if (tensor.size > 0) fillRange(tensor.data, tensor.dtype, fill, key, 0, 1);
      return Promise.resolve(result);
    }
    return this.#fill({ ...order, key }, options).then(() => result);
  }

  async #wait(generator: Generator, order: Omit<Order, 'key'>, options: CheckedFillOptions): Promise<void> {
    const { size, data } = order.tensor;
    const operation = new Operation(options, { elements: size, bytes: data.byteLength });
    const ended = this.#track(operation);
    try {
      await fillInTurn(generator, order, operation, this.#scheduler);
      operation.end(true);
    } finally {
      operation.end(false);
      ended();
    }
  }

  #fill(order: Order, options: CheckedFillOptions): Promise<void> {
    const { size, data } = order.tensor;
    if (size === 0) return Promise.resolve();
    return this.#submit(size, data.byteLength, options, (conclude) => this.#scheduler.submit(order, conclude));
  }

  #submit(
    elements: number,
    bytes: number,
    options: CheckedFillOptions,
    start: (conclude: (error: unknown) => void) => Job,
  ): Promise<void> {
    const plain = options.signal === undefined && options.onProgress === undefined;
    const operation = plain ? undefined : new Operation(options, { elements, bytes });
    return new Promise((resolve, reject) => {
      const conclude = (error: unknown): void => {
        operation?.remove(job, error === undefined);
        try {
          operation?.end(error === undefined);
        } catch (thrown) {
          reject(thrown); // by onProgress
          return;
        }
        if (error === undefined) resolve();
        else reject(error);
      };
      let job: Job;
      try {
        job = start(conclude);
      } catch (error) {
        operation?.end(false);
        throw error;
      }
      operation?.add(job);
    });
  }
}

/**
 * Starts worker threads that fill tensors without holding the event loop.
 *
 *     await using pool = createPool({ threads: 8 });
 *
 * One pool for a whole program, for long: each thread takes some tens of milliseconds to start. An idle pool does not keep the
 * process from ending.
 *
 * @param options.threads worker threads, 1 to 128; the number of set_num_threads by default, which is that of the cores at first
 */
export function createPool(options?: { readonly threads?: number | undefined }): Pool {
  const fn = 'createPool';
  const { threads } = checkOptions(fn, options, ['threads']);
  const count =
    threads === undefined
      ? Math.min(get_num_threads(), mostThreads)
      : checkInteger(fn, 'threads', threads, 1, mostThreads);
  return new Pool(count);
}
