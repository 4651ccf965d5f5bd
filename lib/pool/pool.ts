import { checkBoolean, checkOptions } from '../core/check.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import type { Fill } from '../core/fill.js';
import { type Binding, bind, type Call, checkGenerator, checkThreads, prepare } from '../init/binding.js';
import { type FillSliceOptions, fillSliceOptions, prepareSlice } from '../init/fill-slice.js';
import { fillTarget } from '../init/fill-target.js';
import { type Initializer, type Name, names } from '../init/initializers.js';
import { checkRange } from '../init/run-fill.js';
import type { InitFunction } from '../init/signature.js';
import { type Key, noKey } from '../native/addon.js';
import { default_generator, type Generator } from '../random/generator.js';
import type { NarrowDtype, NarrowTensor } from '../tensor/narrow.js';
import { bytesEach, drawnIn } from '../tensor/target.js';
import type { TensorLike } from '../tensor/tensor.js';
import { isFilling, isFillingAny } from './filling.js';
import { byForce, Gate } from './gate.js';
import { type FillItem, takeKeys, totalOf, type Wasted } from './item.js';
import type { Job, Order, Task } from './job.js';
import { type FillResult, iteratorOf, List, type ListOptions } from './list.js';
import { slotDataBytes } from './messages.js';
import {
  type CheckedFillOptions,
  checkFillOptions,
  type FillOptions,
  fillOptions,
  Operation,
  reasonOf,
} from './operation.js';
import { Scheduler } from './scheduler.js';
import { type PoolOptions, type PoolSettings, poolSettings } from './settings.js';
import { fillSliceOn, isMadeWhole } from './slice.js';
import { isTiny } from './split.js';
import { type PoolTensorOf, Tensors } from './tensors.js';
import { fillInTurn, keyAtOnce, listInTurn } from './turn.js';

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
  /** Milliseconds that tasks waited for a worker, and were there: a worker is given one task while it is at another. */
  readonly waitTime: { readonly average: number; readonly p99: number };
  readonly runTime: { readonly average: number; readonly p99: number };
}

/**
 * Worker threads that fill tensors, while this thread goes on. Made by createPool.
 *
 *     const pool = createPool();
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
  readonly #tensors: Tensors;
  readonly #gate = new Gate();
  #closing: Promise<void> | undefined;

  /** Worker threads. */
  readonly threads: number;

  /** Use createPool. */
  constructor({ threads, maxMemory, niceness }: PoolSettings) {
    this.threads = threads;
    this.#scheduler = new Scheduler(threads, niceness);
    this.#tensors = new Tensors(maxMemory, isFilling);
    const run = (binding: Binding, tensor: unknown, args: readonly unknown[]) => this.#run(binding, tensor, args);
    const functions = names.map((name) => [`${name}_`, bind(name, run, fillOptions)] as const);
    this.init = Object.freeze(Object.fromEntries(functions)) as unknown as PoolInit;
  }

  /**
   * A new tensor in shared memory, which workers fill in place. Other memory costs a copy on this thread.
   *
   * It holds zeros, or in memory that was released whatever stood there.
   *
   * @param shape integers ≥ 0
   * @param options.dtype 'float32' by default; any that `empty` has
   * @throws RangeError where there is no memory, with the code ERR_NNINIT_POOL_MEMORY where it would exceed maxMemory
   */
  empty<D extends Dtype | NarrowDtype = 'float32'>(
    shape: readonly number[],
    options?: { readonly dtype?: D | undefined },
  ): PoolTensorOf<NoInfer<D>> {
    const { dtype } = checkOptions('empty', options, ['dtype']);
    return this.#tensors.empty(shape, dtype) as PoolTensorOf<NoInfer<D>>;
  }

  /**
   * Takes back the memory of a tensor that `empty` made, for later ones of the same size: new memory costs more than filling it. Nobody
   * may look at it any more, on other threads neither. A second time does nothing; `using w = pool.empty(…)` does it at the end of a block.
   *
   * @throws TypeError for another tensor, RangeError for one that is being filled
   */
  release(tensor: TensorLike | NarrowTensor): void {
    this.#tensors.release(tensor);
  }

  /**
   * Fills many tensors, many at once.
   *
   *     await pool.fill([{ tensor: w, initializer: { init: 'normal', std: 0.02 }, name: 'wte' }, { tensor: b, initializer: 'zeros' }])
   *
   * Of an iterable, endless ones included, it takes no more than 1024 items ahead of the workers, nor more than 64 MiB (but two
   * items), nor one more where it might exceed maxMemory. The items of an array take their streams when fill is called, in their order; those of an iterable when they are taken.
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
    this.#gate.check(fn);
    const { generator, ...rest } = checkOptions(fn, options, ['generator', ...fillOptions]);
    const drawn = generator === undefined ? default_generator : checkGenerator(fn, generator);
    const checked = checkFillOptions(fn, rest);
    const list = Array.isArray(items) ? [...(items as unknown[])] : undefined;
    return this.#fillAll(fn, list, list ?? iteratorOf(items), { generator: drawn, threads: 0 }, checked);
  }

  /**
   * fill, of a list of another room's.
   *
   * @param settings.threads how many threads each tensor may use at most; 0 for all
   *
   * @internal
   */
  async fillList(
    fn: string,
    list: readonly (FillItem | Wasted)[],
    settings: { readonly generator: Generator; readonly threads: number },
    options: CheckedFillOptions,
  ): Promise<void> {
    await this.#fillAll(fn, list, list, settings, options);
  }

  async #fillAll(
    fn: string,
    list: readonly unknown[] | undefined,
    items: ListOptions['items'],
    { generator, threads }: Pick<ListOptions, 'generator' | 'threads'>,
    options: CheckedFillOptions,
  ): Promise<FillResult> {
    const keys = list === undefined ? [] : takeKeys(list, generator);
    const total = list === undefined || options.onProgress === undefined ? undefined : totalOf(list);
    using operation = new Operation(options, total);
    using _call = this.#gate.enter(fn, (reason) => operation.stop(reason));
    const [scheduler, tensors] = [this.#scheduler, this.#tensors];
    const run = (from: Generator): Promise<FillResult> =>
      new List({ scheduler, tensors, operation, items, keys, generator: from, threads }).run();
    const inTurn = list !== undefined && generator.engine === 'torch';
    const result = await (inTurn ? listInTurn(generator, operation, run) : run(generator));
    operation.end(true);
    return result;
  }

  /**
   * runFill on the pool: writes elements [begin, begin + data.length) of a fill, such as a chunk of a tensor that never is in
   * memory as a whole.
   *
   * @param fill what resolve gave
   * @param key the generator's, from `nextKey(fill, dtype, elements)`; the same for all chunks of a tensor, of narrow dtypes that for
   *   float32
   * @param begin index of the first element within the fill; 0 for orthogonal and sparse ones, which cannot be cut
   */
  async runFill(
    data: TensorData | NarrowTensor['data'],
    dtype: Dtype | NarrowDtype,
    fill: Fill,
    key: Key = noKey,
    begin = 0,
    options?: FillOptions & { readonly threads?: number | undefined },
  ): Promise<void> {
    const fn = 'runFill';
    this.#gate.check(fn);
    const { threads, ...rest } = checkOptions(fn, options, ['threads', ...fillOptions]);
    const range = checkRange(fn, data, dtype, fill, key, begin);
    const order = { fn, ...range, threads: threads === undefined ? 0 : checkThreads(fn, threads) };
    await this.#fill(order, checkFillOptions(fn, rest));
  }

  /**
   * fillSlice on the pool: a rectangular part of what an initializer gives a larger tensor, with the same bytes.
   *
   *     await pool.fillSlice(up, 'xavier_uniform', { of: [16384, 4096], ranges: [{ dim: 0, start: 4096, length: 4096 }], signal })
   *
   * Where it cannot be cut the whole is made beside it: orthogonal and sparse, and truncated normals of the engine torch.
   *
   * @param options those of fillSlice, `signal` and `onProgress`
   * @returns the tensor
   * @throws TypeError and RangeError before the first byte is written; the signal's reason
   */
  async fillSlice<T extends TensorLike | NarrowTensor>(
    tensor: T,
    initializer: Initializer,
    options: FillSliceOptions & FillOptions,
  ): Promise<T> {
    const fn = 'fillSlice';
    this.#gate.check(fn);
    const { signal, onProgress, ...rest } = checkOptions(fn, options, [...fillSliceOptions, ...fillOptions]);
    const call = prepareSlice(fn, tensor, initializer, rest);
    const { target, elements } = call;
    const { dtype, size } = target;
    const [made, each] = isMadeWhole(call) ? [elements, drawnIn(dtype)] : [size, dtype];
    const total = { elements: made, bytes: made * bytesEach(each) };
    using operation = new Operation(checkFillOptions(fn, { signal, onProgress }), total);
    using _call = this.#gate.enter(fn, (reason) => operation.stop(reason));
    await fillSliceOn(this.#scheduler, operation, fn, call);
    operation.end(true);
    return tensor;
  }

  /**
   * Keeps the pool from closing during a call that is made of many tasks or fills; disposing of what is returned ends that.
   *
   * @throws PoolClosedError in the name of `fn`
   *
   * @internal
   */
  enter(fn: string): Disposable {
    return this.#gate.enter(fn);
  }

  /**
   * Does another room's work on the pool's threads, for a call that has entered.
   *
   * @internal
   */
  async runTask(task: Task, options: CheckedFillOptions): Promise<void> {
    this.#gate.checkInside(task.fn);
    if (options.signal?.aborted) throw reasonOf(options.signal);
    if (task.count > 0)
      await this.#submit(task.bytes, task.bytes, options, (conclude) => this.#scheduler.submitTask(task, conclude));
  }

  /**
   * Copies on this thread, a millisecond at a time. Rejects with the signal's reason.
   *
   * @internal
   */
  async copy(from: TensorData, to: TensorData, signal?: AbortSignal): Promise<void> {
    const step = slotDataBytes / from.BYTES_PER_ELEMENT;
    function* steps() {
      for (let begin = 0; begin < from.length && signal?.aborted !== true; begin += step) {
        yield () => to.set(from.subarray(begin, begin + step), begin);
      }
    }
    await this.#scheduler.copier.all(steps());
    if (signal?.aborted) throw reasonOf(signal);
  }

  /** How busy the pool is, and has been. */
  statistics(): PoolStatistics {
    const { piscina, utilization } = this.#scheduler.host;
    const { waitTime, runTime } = piscina.histogram;
    return {
      threads: piscina.threads.length,
      pending: this.#scheduler.jobs,
      queue: piscina.queueSize,
      completed: piscina.completed,
      utilization,
      waitTime: { average: waitTime.average || 0, p99: waitTime.p99 }, // NaN before the first task
      runTime: { average: runTime.average || 0, p99: runTime.p99 },
    };
  }

  /**
   * Ends the threads, after the calls under way, to their last task: lists, checkpoints, streams until they end or are given up.
   * Calls from now on are refused with an error whose `code` is ERR_NNINIT_POOL_CLOSED.
   *
   * @param options.force drop what is under way: its promises reject with such an error
   */
  close(options?: { readonly force?: boolean | undefined }): Promise<void> {
    try {
      const { force = false } = checkOptions('close', options, ['force']);
      if (checkBoolean('close', 'force', force)) {
        this.#gate.close();
        this.#gate.drop();
        this.#scheduler.cancelAll(byForce);
      }
      this.#gate.close();
    } catch (error) {
      return Promise.reject(error);
    }
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await this.#gate.empty();
    await this.#scheduler.idle();
    await this.#scheduler.host.close();
    this.#tensors.clear();
  }

  #run(binding: Binding, tensor: unknown, args: readonly unknown[]): Promise<unknown> {
    try {
      this.#gate.check(binding.fn);
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
    const atOnce = isTiny(fill, tensor.dtype, tensor.size) && !isFillingAny(tensor.data);
    if (options.onProgress === undefined && atOnce) {
      if (tensor.size > 0) fillTarget(tensor, fill, key, 1);
      return Promise.resolve(result);
    }
    return this.#fill({ ...order, key }, options).then(() => result);
  }

  async #wait(generator: Generator, order: Omit<Order, 'key'>, options: CheckedFillOptions): Promise<void> {
    const { size, data } = order.tensor;
    using operation = new Operation(options, { elements: size, bytes: data.byteLength });
    using _call = this.#gate.enter(order.fn, (reason) => operation.stop(reason));
    await fillInTurn(generator, order, operation, this.#scheduler);
    operation.end(true);
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

/** A pool without layers: `nn/pool` has the public one. */
export function createPool(options?: PoolOptions): Pool {
  return new Pool(poolSettings(options));
}
