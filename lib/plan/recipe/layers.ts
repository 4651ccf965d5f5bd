import { z } from 'zod';
import { is_plain_object } from '../../core/check.js';
import type { Dtype } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { type JsonDocument, type JsonPath, show_path } from '../../core/json.js';
import { parse_with } from '../../core/json-problems.js';
import type { Draw } from '../../init/draw.js';
import { layer } from '../../nn/layers/describe.js';
import type { Layer } from '../../nn/layers/layer.js';
import { is_layer_kind, type LayerKind, layer_definition, layer_kinds } from '../../nn/layers/table.js';
import type { PlannedTensor } from '../plan.js';
import { unknown_name } from '../rules/initializer-schema.js';
import { layer_schema } from './schema.js';
import { claim, names_of_key } from './tensors.js';

/** The tensors that a recipe's layers have, and the draws of their construction. */
export interface ListedLayers {
  readonly tensors: readonly PlannedTensor[];
  readonly draws: readonly Draw[];
}

/** `layers`: each one's tensors under its name, initialized as PyTorch's constructor does. */
export function recipe_layers(
  document: JsonDocument,
  given: Readonly<Record<string, unknown>> | undefined,
  default_dtype: Dtype,
  places: Map<string, string>,
): ListedLayers {
  const { source } = document;
  const tensors: PlannedTensor[] = [];
  const draws: Draw[] = [];
  for (const key of document.keys_of('layers')) {
    const path = ['layers', key];
    const [kind, { dtype = default_dtype, ...args }] = parse_layer(given?.[key], source, path);
    const made = make(kind, args, source, path);
    for (const name of names_of_key(key, source, path)) {
      const prefix = name === '' ? '' : `${name}.`;
      for (const { copy_of, ...tensor } of made.tensors) {
        const full = prefix + tensor.name;
        claim(full, path, source, places);
        const { shape, initializer, zero_row } = tensor;
        tensors.push({
          ...{ name: full, shape, dtype: tensor.dtype ?? (dtype as Dtype), initializer },
          ...(zero_row !== undefined && { zero_row }),
          ...(copy_of !== undefined && { copy_of: prefix + copy_of }),
        });
      }
      for (const draw of made.draws) draws.push({ ...draw, tensor: prefix + draw.tensor });
    }
  }
  return { tensors, draws };
}

function make(kind: LayerKind, args: Readonly<Record<string, unknown>>, source: string, path: JsonPath): Layer {
  try {
    return layer(kind, args);
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new InputError(`${source}: ${show_path(path)}: ${cause.message}`, { path: source, cause });
  }
}

/** A layer's kind and its arguments, in which layers within it are `{ layer: kind, … }`. */
function parse_layer(
  value: unknown,
  source: string,
  path: JsonPath,
  nested = false,
): [LayerKind, Readonly<Record<string, unknown>>] {
  if (!is_plain_object(value)) {
    const error = 'a layer: an object with its "kind"';
    return parse_with(z.never({ error }), value, source, path);
  }
  const { kind } = value;
  if (!is_layer_kind(kind)) throw unknown_name(kind, layer_kinds, source, [...path, 'kind']);
  const schema = nested ? layer_schema(kind).omit({ dtype: true }) : layer_schema(kind);
  const { kind: _, ...args } = parse_with(schema, value, source, path);
  for (const { name, kind: type } of layer_definition(kind).arguments) {
    if (type !== 'layer' || args[name] === undefined || args[name] === null) continue;
    const [inner, rest] = parse_layer(args[name], source, [...path, name], true);
    args[name] = { layer: inner, ...rest };
  }
  return [kind, args];
}
