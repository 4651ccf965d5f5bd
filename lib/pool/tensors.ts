import { rangeError, typeError } from '../core/check.js';
import type { Dtype, TensorData } from '../core/dtype.js';
import type { NarrowDtype, NarrowTensor } from '../tensor/narrow.js';
import { isReleased, markReleased } from '../tensor/released.js';
import type { Target } from '../tensor/target.js';
import { type DataOf, type DtypeOf, emptyOn, type Tensor } from '../tensor/tensor.js';
import { count, leastCountedBytes, usualShare } from './memory.js';

/** A tensor in a pool's memory. Disposing of it (`using`) is `pool.release`. */
export interface PoolTensor<Data extends TensorData = TensorData, D extends Dtype = DtypeOf<Data>>
  extends Tensor<Data, D>,
    Disposable {}

/** The tensor of a dtype in a pool's memory. */
export type PoolTensorOf<D extends Dtype | NarrowDtype> = D extends NarrowDtype
  ? NarrowTensor<D> & Disposable
  : D extends Dtype
    ? PoolTensor<DataOf<D>, D>
    : never;

/** Released memory that is kept for tensors of the same size. */
const mostKeptBytes = 256 << 20;
/** Of a cap this much is told V8 for each time that it collects at the latest, so that garbage does not fill the cap. */
const collectedBytes = 256 << 20;

interface Block {
  readonly buffer: SharedArrayBuffer;
  /** Outlives the buffer. */
  readonly life: { counts: boolean };
}

/**
 * The memory of a pool's tensors: what was released goes round. What is only dropped goes back to the system when V8 has collected it, and
 * to nobody else: another thread may have been given it, and see it still.
 */
export class Tensors {
  readonly #most: number;
  readonly #share: number;
  /** Bytes of all that is handed out or kept. An object of its own: what is told when a buffer is collected must not lead back to the buffers that are kept. */
  readonly #all = { bytes: 0 };
  /** The longest kept first. */
  readonly #kept = new Set<Block>();
  #keptBytes = 0;
  readonly #handed = new WeakMap<Target['data'], Block>();
  readonly #isBusy: (buffer: ArrayBufferLike) => boolean;

  /**
   * @param most bytes
   * @param isBusy whether a tensor on this buffer is being filled
   */
  constructor(most: number, isBusy: (buffer: ArrayBufferLike) => boolean) {
    this.#most = most;
    this.#share = Math.min(usualShare, Math.max(1, most / collectedBytes));
    this.#isBusy = isBusy;
  }

  /** Bytes of the tensors that are neither released nor collected. */
  get used(): number {
    return this.#all.bytes - this.#keptBytes;
  }

  /** Whether so many more bytes are within the cap. */
  hasRoom(bytes: number): boolean {
    return this.used + bytes <= this.#most;
  }

  empty(shape: readonly number[], dtype: unknown): Disposable {
    let block: Block | undefined;
    const made = emptyOn(shape, dtype, (bytes) => {
      block = this.#reuse(bytes) ?? this.#allocate(shape, bytes);
      return block.buffer;
    });
    this.#handed.set(made.data, block as unknown as Block);
    const dispose = { value: () => this.release(made) };
    return Object.defineProperty(made, Symbol.dispose, dispose) as typeof made & Disposable;
  }

  /** Takes a tensor's memory back, once. */
  release(tensor: unknown): void {
    const data = (tensor as Partial<Target> | null | undefined)?.data;
    const block = data && this.#handed.get(data);
    if (data === undefined || block === undefined)
      throw typeError('release', 'tensor', "a tensor that this pool's empty made", tensor);
    const { buffer } = block;
    if (isReleased(data)) return;
    if (this.#isBusy(buffer)) throw rangeError('release', 'tensor', 'a tensor that is not being filled', tensor);
    markReleased(data);
    if (buffer.byteLength < leastCountedBytes) return;
    this.#kept.add(block);
    this.#keptBytes += buffer.byteLength;
    this.#evict(mostKeptBytes);
  }

  /** Lets go of all that is kept. */
  clear(): void {
    this.#evict(0);
  }

  #reuse(bytes: number): Block | undefined {
    for (const block of this.#kept) {
      if (block.buffer.byteLength !== bytes) continue;
      this.#take(block);
      return block;
    }
    return undefined;
  }

  #allocate(shape: readonly number[], bytes: number): Block {
    const life = { counts: true };
    if (bytes < leastCountedBytes) return { buffer: new SharedArrayBuffer(bytes), life };
    if (this.#all.bytes + bytes > this.#most) this.#evict(Math.max(0, this.#most - this.used - bytes));
    if (!this.hasRoom(bytes)) {
      const why = `${bytes} bytes, and ${this.used} are in use: pool.release gives back those of a tensor`;
      const error = rangeError('empty', 'shape', `a size within maxMemory, ${this.#most} bytes,`, shape, why);
      throw Object.assign(error, { code: 'ERR_NNINIT_POOL_MEMORY' });
    }
    const buffer = new SharedArrayBuffer(bytes);
    const all = this.#all;
    all.bytes += bytes;
    count(buffer, this.#share, () => {
      if (life.counts) all.bytes -= bytes;
    });
    return { buffer, life };
  }

  #take(block: Block): void {
    this.#kept.delete(block);
    this.#keptBytes -= block.buffer.byteLength;
  }

  /** Lets go of kept memory beyond so many bytes. */
  #evict(most: number): void {
    for (const block of this.#kept) {
      if (this.#keptBytes <= most) return;
      this.#take(block);
      block.life.counts = false;
      this.#all.bytes -= block.buffer.byteLength;
    }
  }
}
