import { checkShape } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import { isRandom, isWhole } from '../core/fill.js';
import { isGrid } from '../core/grid.js';
import { isFillable } from '../core/stored-dtype.js';
import { type Draw, isDrawn } from '../init/draw.js';
import { resolve } from '../init/resolve.js';
import { isTorchKey, type Key, noKey } from '../native/addon.js';
import { sharedBytes } from '../pool/memory.js';
import { type Engine, Generator } from '../random/generator.js';
import type { ResolvedTensor } from './plan.js';

/** What the tensors of a checkpoint are drawn from: the one place where an engine, a seed and a tensor become a key. */
export interface Keys {
  readonly engine: Engine;
  /** In [0, 2^64). */
  readonly seed: bigint;
  /** The key of one of the plan's tensors. */
  of(tensor: ResolvedTensor): Key;
}

/** The version of each engine's numbers: part of what makes the bytes. */
export const streamVersions: Readonly<Record<Engine, number>> = { philox: 1, torch: 1 };

/** A plan's tensors, and its draws where they are not simply those of the tensors. */
interface Drawn {
  readonly tensors: readonly ResolvedTensor[];
  readonly draws?: readonly Draw[] | undefined;
}

/**
 * The keys of a plan in an engine. With 'torch' this walks through all draws, a fraction of a millisecond each.
 *
 * @throws InputError naming the tensor, for a truncated normal whose draws would go on and on, and for draws of a plan out of JSON that make no sense
 */
export function keysFor(engine: Engine, seed: bigint, plan: Drawn): Keys {
  return engine === 'torch' ? torchKeys(seed, plan) : philoxKeys(seed);
}

/** Each tensor has a stream of its own, which follows from its name: any order, any part of a plan. */
export function philoxKeys(seed: bigint): Keys {
  return { engine: 'philox', seed, of: ({ stream }) => ({ seed, stream }) };
}

/**
 * The generator's places as PyTorch constructs the model: it makes one draw after the other, and a tensor has the values of the
 * last one with its name. Draws are in the model's dtype.
 */
export function torchKeys(seed: bigint, { tensors, draws }: Drawn): Keys {
  const generator = new Generator({ engine: 'torch', seed });
  const dtypes = new Map<string, Dtype>();
  for (const { name, dtype, partOf, joinOf, codes, norms } of tensors) {
    if (norms !== undefined) continue;
    // Codes are of values in float32.
    const drawn = codes !== undefined || isGrid(dtype) ? 'float32' : dtype;
    if (!isFillable(drawn)) continue;
    for (const one of joinOf ?? [partOf?.tensor ?? codes?.of ?? name]) dtypes.set(one, drawn);
  }
  const [usual = 'float32'] = dtypes.values();
  const keys = new Map<string, Key>();
  const all = draws ?? ownDraws(tensors);
  const keep = sharedStates(all.length);
  for (const { tensor, shape, initializer } of all) {
    const dtype = dtypes.get(tensor) ?? usual;
    naming(tensor, () => {
      const fill = resolve(initializer, shape, { dtype });
      const total = checkShape('draw', shape);
      if (total === 0) return;
      const key = generator.nextKey(fill, dtype, total);
      if (isRandom(fill)) keys.set(tensor, keep(key));
    });
  }
  return {
    engine: 'torch',
    seed,
    of({ name, copyOf, partOf, codes, norms, fill, elements }) {
      if (!isRandom(fill) || elements === 0) return noKey;
      const key = keys.get(partOf?.tensor ?? copyOf ?? codes?.of ?? norms?.of ?? name);
      if (key === undefined) {
        const what =
          'expected a draw of it among the draws of the plan, which the engine torch needs, but there is none';
        throw new InputError(`tensor ${JSON.stringify(name)}: ${what}`);
      }
      return partOf === undefined ? key : { ...key, offset: partOf.begin };
    },
  };
}

/**
 * A tensor by what is drawn for it: all at once, or in the engine torch those of the model's that it joins, one after another. Those of slices and of
 * whole matrices nobody draws: they are refused for want of a key.
 *
 * @param tensor which may have a place
 */
export function drawnFor<T extends ResolvedTensor & { readonly offset?: number }>(tensor: T, { engine }: Keys): T[] {
  const { joinOf, slice, fill, elements, bytes, offset = 0 } = tensor;
  const [rows = 1, ...others] = tensor.shape;
  const count = joinOf?.length ?? 1;
  if (engine !== 'torch' || joinOf === undefined || slice !== undefined || !isRandom(fill)) return [tensor];
  if (isWhole(fill) || bytes % count !== 0) return [tensor];
  const part = { shape: [rows / count, ...others], elements: elements / count, bytes: bytes / count };
  return joinOf.map((name, i) => ({ ...tensor, ...part, joinOf: undefined, name, offset: offset + i * part.bytes }));
}

function naming(tensor: string, draw: () => void): void {
  try {
    draw();
  } catch (cause) {
    if (!(cause instanceof RangeError || cause instanceof TypeError)) throw cause;
    throw new InputError(`tensor ${JSON.stringify(tensor)}: ${cause.message}`, { cause });
  }
}

/** States of 5 KB in one shared memory: threads that are sent a key read it there, in place of copies of their own. */
const mostASlab = 1024;

/** @param count how many there are */
function sharedStates(count: number): (key: Key) => Key {
  let left = count;
  let slab: Uint8Array = new Uint8Array();
  let used = 0;
  return (key) => {
    if (!isTorchKey(key)) return key;
    const { length } = key.state;
    if (used + length > slab.length) {
      slab = sharedBytes(Math.min(left, mostASlab) * length, 1);
      used = 0;
    }
    left -= 1;
    const state = slab.subarray(used, used + length);
    state.set(key.state);
    used += length;
    return { ...key, state };
  };
}

/** Also of what bounds that are equal make a constant: it moves the generator. */
function ownDraws(tensors: readonly ResolvedTensor[]): Draw[] {
  return tensors
    .filter(({ initializer, copyOf }) => isDrawn(initializer) && copyOf === undefined)
    .map(({ name, shape, slice, codes, initializer }) => {
      return { tensor: codes?.of ?? name, shape: slice?.shape ?? codes?.shape ?? shape, initializer };
    });
}
