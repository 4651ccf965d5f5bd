import { deserialize, serialize } from 'node:v8';
import { isTorchKey, type Key } from '../../native/addon.js';
import { count } from '../../pool/memory.js';
import type { KeyedTensor, TensorList } from './range.js';

/** Tensors in little memory, of which a thread that is sent them has no work: some 300 bytes each, in pieces that are taken out one by one. */
export interface PackedTensors {
  readonly length: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where each block ends. */
  readonly ends: readonly number[];
  /** What the states of keys of the engine torch lie in. */
  readonly states: readonly SharedArrayBuffer[];
}

/** A tensor with the place of its key's state. */
type Plain = Omit<KeyedTensor, 'key'> & {
  readonly key: Key;
  readonly state?: readonly [of: number, at: number, length: number];
};

const tensorsABlock = 32;
/** Blocks that are kept unpacked of a checkpoint: some 5 MB. */
const mostUnpacked = 256;

/** Packs tensors. Memory of states must be shared. */
export function packTensors(tensors: readonly KeyedTensor[]): PackedTensors {
  const states: SharedArrayBuffer[] = [];
  const blocks: Buffer[] = [];
  const ends: number[] = [];
  let end = 0;
  for (let begin = 0; begin < tensors.length; begin += tensorsABlock) {
    const block = serialize(tensors.slice(begin, begin + tensorsABlock).map((tensor) => plain(tensor, states)));
    blocks.push(block);
    end += block.length;
    ends.push(end);
  }
  const bytes = new Uint8Array(end);
  for (const [i, block] of blocks.entries()) bytes.set(block, ends[i - 1] ?? 0);
  return { length: tensors.length, bytes, ends, states };
}

function plain({ key, ...tensor }: KeyedTensor, states: SharedArrayBuffer[]): Plain {
  const given = Object.fromEntries(Object.entries(tensor).filter(([, value]) => value !== undefined)) as typeof tensor;
  if (!isTorchKey(key)) return { ...given, key };
  const { state, ...others } = key;
  const memory = state.buffer as unknown as SharedArrayBuffer;
  if (!states.includes(memory)) states.push(memory);
  const place = [states.indexOf(memory), state.byteOffset, state.length] as const;
  return { ...given, key: others as Key, state: place };
}

/** What a checkpoint's files have unpacked lately, the least recently used first. It goes with the checkpoint: states of keys are large. */
export type Unpacked = Map<Uint8Array, readonly KeyedTensor[]>;

/** Packed tensors as they are asked for. */
export class UnpackedTensors implements TensorList {
  readonly length: number;
  readonly #blocks: readonly Uint8Array[];
  readonly #states: readonly SharedArrayBuffer[];
  readonly #unpacked: Unpacked;
  #last = -1;
  #lastTensors: readonly KeyedTensor[] = [];

  /** @param unpacked shared by the files of a checkpoint */
  constructor({ length, bytes, ends, states }: PackedTensors, unpacked: Unpacked = new Map()) {
    this.#unpacked = unpacked;
    this.length = length;
    this.#blocks = ends.map((end, i) => bytes.subarray(ends[i - 1] ?? 0, end));
    this.#states = states;
    for (const memory of states) count(memory, 1);
  }

  at(index: number): KeyedTensor | undefined {
    const block = Math.floor(index / tensorsABlock);
    if (block !== this.#last) {
      this.#lastTensors = this.#take(this.#blocks[block]);
      this.#last = block;
    }
    return this.#lastTensors[index - block * tensorsABlock];
  }

  #take(block: Uint8Array | undefined): readonly KeyedTensor[] {
    if (block === undefined) return [];
    const unpacked = this.#unpacked;
    const tensors = unpacked.get(block) ?? (deserialize(block) as Plain[]).map((each) => this.#keyed(each));
    unpacked.delete(block);
    unpacked.set(block, tensors); // now the most recently used
    if (unpacked.size > mostUnpacked) unpacked.delete(unpacked.keys().next().value as Uint8Array);
    return tensors;
  }

  #keyed({ state: place, ...tensor }: Plain): KeyedTensor {
    if (place === undefined) return tensor;
    const [of, at, length] = place;
    const memory = this.#states[of] as SharedArrayBuffer;
    return { ...tensor, key: { ...tensor.key, state: new Uint8Array(memory, at, length) } as Key };
  }
}
