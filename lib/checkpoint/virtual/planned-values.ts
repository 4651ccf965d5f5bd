import type { Keys } from '../../plan/keys.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { sharedBytes } from '../../pool/memory.js';
import type { Executor } from './executor.js';
import { isWorthKeeping, keyed, partsOf } from './range.js';
import { WholeTensors } from './whole-tensors.js';

/** What is made at a time. */
const pieceBytes = 2 ** 20;

/** Makes what is planned, tensor after tensor, where no file is laid out. */
export class PlannedValues {
  readonly #keys: Keys;
  readonly #executor: Executor;
  readonly #signal: AbortSignal | undefined;
  /** One at a time: tensors come one after another. */
  readonly #wholes = new WholeTensors(0);
  #memory: Uint8Array = new Uint8Array(0);

  constructor(keys: Keys, executor: Executor, signal?: AbortSignal) {
    this.#keys = keys;
    this.#executor = executor;
    this.#signal = signal;
  }

  /** A tensor's bytes from one on; valid until the next are asked for. */
  async bytesOf(planned: ResolvedTensor, begin: number, length: number): Promise<Uint8Array> {
    const tensors = keyed({ ...planned, offset: 0 }, this.#keys);
    const [tensor] = tensors;
    if (tensor !== undefined && isWorthKeeping(tensor)) {
      const { bytes, release } = await this.#wholes.lease(tensor, this.#executor, this.#signal);
      release(); // nothing else is made before these bytes are looked at
      return bytes.subarray(begin, begin + length);
    }
    if (this.#memory.length < length) this.#memory = sharedBytes(length);
    const memory = this.#memory.subarray(0, length);
    const range = { parts: partsOf(tensors, begin, begin + length), bytes: length, pieceBytes };
    const count = Math.ceil(length / pieceBytes);
    await this.#executor.run({ of: 'range', range, sink: { memory } }, count, length, { signal: this.#signal });
    return memory;
  }
}
