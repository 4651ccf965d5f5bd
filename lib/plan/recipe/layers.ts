import { z } from 'zod';
import type { Values } from '../../core/arguments.js';
import { isPlainObject } from '../../core/check.js';
import type { Dtype } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { type JsonDocument, type JsonPath, showPath } from '../../core/json.js';
import { parseWith } from '../../core/json-problems.js';
import type { Draw } from '../../init/draw.js';
import type { Layer } from '../../nn/flatten.js';
import { readLayer } from '../../nn/layers/describe.js';
import { isLayerKind, layerKinds } from '../../nn/modules/table.js';
import type { PlannedTensor } from '../plan.js';
import { unknownName } from '../rules/initializer-schema.js';
import { layerSchema } from './schema.js';
import { claim, namesOfKey } from './tensors.js';

/** The tensors that a recipe's layers have, and the draws of their construction. */
export interface ListedLayers {
  readonly tensors: readonly PlannedTensor[];
  readonly draws: readonly Draw[];
}

/** `layers`: each one's tensors under its name, initialized as PyTorch's constructor does. */
export function recipeLayers(
  document: JsonDocument,
  given: Readonly<Record<string, unknown>> | undefined,
  defaultDtype: Dtype,
  places: Map<string, string>,
): ListedLayers {
  const { source } = document;
  const tensors: PlannedTensor[] = [];
  const draws: Draw[] = [];
  for (const key of document.keysOf('layers')) {
    const path = ['layers', key];
    const { dtype = defaultDtype, ...description } = checkLayer(given?.[key], source, path);
    const made = make(description, source, path);
    for (const name of namesOfKey(key, source, path)) {
      const prefix = name === '' ? '' : `${name}.`;
      for (const { copyOf, ...tensor } of made.tensors) {
        const full = prefix + tensor.name;
        claim(full, path, source, places);
        const { shape, initializer, buffer, zeroRow } = tensor;
        tensors.push({
          ...{ name: full, shape, dtype: tensor.dtype ?? (dtype as Dtype), initializer },
          ...(buffer !== undefined && { buffer }),
          ...(zeroRow !== undefined && { zeroRow }),
          ...(copyOf !== undefined && { copyOf: prefix + copyOf }),
        });
      }
      for (const draw of made.draws) draws.push({ ...draw, tensor: prefix + draw.tensor });
    }
  }
  return { tensors, draws };
}

function make(description: Values, source: string, path: JsonPath): Layer {
  try {
    return readLayer(description, (inner, names) => void checkLayer(inner, source, [...path, ...names], true));
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new InputError(`${source}: ${showPath(path)}: ${cause.message}`, { path: source, cause });
  }
}

/** Refuses what is no layer, with its place in the file; layers among its arguments are not looked into. */
function checkLayer(value: unknown, source: string, path: JsonPath, nested = false): Values {
  if (!isPlainObject(value)) {
    const error = 'a layer: an object with its "layer"';
    return parseWith(z.never({ error }), value, source, path);
  }
  const { layer: kind } = value;
  if (!isLayerKind(kind)) throw unknownName(kind, layerKinds, source, [...path, 'layer']);
  return parseWith(layerSchema(kind, undefined, nested), value, source, path);
}
