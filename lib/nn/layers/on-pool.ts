import { readArguments } from '../../core/arguments.js';
import { passedOn } from '../../init/binding.js';
import { Wasted } from '../../pool/item.js';
import { checkFillOptions, type FillOptions, fillOptions } from '../../pool/operation.js';
import type { Pool } from '../../pool/pool.js';
import { flatten } from '../flatten.js';
import { type LayerKind, layerKinds } from '../modules/table.js';
import { construct, layerArguments, settingsOf } from './construct.js';
import { moduleOf } from './describe.js';
import type { LayerFunction } from './signature.js';

/** `layers.*` on a pool: the same names and arguments, `signal` and `onProgress` besides, and a promise of the tensors. */
export type PoolLayers = { readonly [K in LayerKind]: LayerFunction<K, 'promise', FillOptions> };

/** The functions that make layers on a pool's threads, in its memory; the bytes are those of `layers`. */
export function layersOn(pool: Pool): PoolLayers {
  return Object.freeze(Object.fromEntries(layerKinds.map((kind) => [kind, onPool(pool, kind)]))) as PoolLayers;
}

function onPool(pool: Pool, kind: LayerKind): unknown {
  const known = layerArguments(kind, passedOn(fillOptions));
  const make = async (...args: readonly unknown[]) => {
    using _call = pool.enter(kind);
    const values = readArguments(known, args);
    const options = checkFillOptions(kind, values);
    const settings = settingsOf(values);
    const { dtype } = settings;
    const made = construct(flatten(moduleOf(kind, values)), settings, (shape) => pool.empty(shape, { dtype }));
    const items = made.steps.map((step) => {
      const { tensor, initializer, shape, fill } = step;
      return tensor === undefined ? new Wasted(fill, dtype, shape) : { tensor, initializer };
    });
    await pool.fillList(kind, items, settings, options);
    for (const row of made.zeroRows) row.fill(0);
    for (const { from, to } of made.copies) await pool.copy(from, to, options.signal);
    return made.state;
  };
  Object.defineProperty(make, 'name', { value: kind });
  return make;
}
