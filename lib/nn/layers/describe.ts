import { readOptions, type Values } from '../../core/arguments.js';
import { checkOneOf, checkShape, isPlainObject, typeError } from '../../core/check.js';
import type { Parameter } from '../../core/parameter.js';
import { flatten, type Layer, type LayerTensor } from '../flatten.js';
import { eachTensor, type Module } from '../module.js';
import type { LayerValues } from '../modules/definition.js';
import { type LayerKind, layerDefinition, layerKinds } from '../modules/table.js';

/** How deep layers may stand in layers' arguments. */
const deepest = 32;

/**
 * A layer of `torch.nn` as plain data: its tensors as `state_dict` has them, and the draws of its construction.
 *
 *     layer('Linear', { in_features: 20, out_features: 30 }).tensors
 *     // [{ name: 'weight', shape: [30, 20], initializer: { init: 'kaiming_uniform', a: 2.23… } }, { name: 'bias', … }]
 *
 * @param kind the class's name in `torch.nn`
 * @param args the constructor's arguments by PyTorch's names, defaults left out; an argument that is a layer itself is
 *   `{ layer: kind, …its arguments }`
 * @throws TypeError for wrong types, unknown and missing arguments; RangeError for wrong values; in the name of `kind`
 */
export function layer(kind: LayerKind, args: Readonly<Record<string, unknown>> = {}): Layer {
  return flatten(describe(checkKind('layer', 'kind', kind), args));
}

/** The tensors of `layer(kind, args)`: what recipes and plans need, and all that order-independent engines do. */
export function layerTensors(kind: LayerKind, args: Readonly<Record<string, unknown>> = {}): readonly LayerTensor[] {
  return layer(kind, args).tensors;
}

function checkKind(fn: string, argument: string, kind: unknown): LayerKind {
  return checkOneOf(fn, argument, kind, layerKinds);
}

/** Checks a layer among a layer's arguments in its reader's own words, before it is read. */
export type CheckNested = (description: Values, path: readonly string[]) => void;

/**
 * The layer that a description says: `{ layer: kind, …its arguments }`.
 *
 * @param check sees the layers among its arguments, and the arguments' names that lead there
 * @throws as `layer` does
 */
export function readLayer({ layer: kind, ...args }: Values, check: CheckNested): Layer {
  return flatten(describe(checkKind('layer', 'layer', kind), args, { path: [], check }));
}

/** Where a layer stands among other layers' arguments. */
interface Place {
  readonly path: readonly string[];
  readonly check?: CheckNested;
}

const top: Place = { path: [] };

function describe(kind: LayerKind, args: unknown, place = top): Module {
  if (!isPlainObject(args)) throw typeError(kind, 'arguments', 'a plain object', args);
  return moduleOf(kind, readOptions(kind, layerDefinition(kind).arguments, args), place);
}

/** The module that checked values make; layers among them are built first. */
export function moduleOf(kind: LayerKind, values: Values, { path, check }: Place = top): Module {
  const definition = layerDefinition(kind);
  const built: Record<string, unknown> = { ...values };
  for (const { name, kind: type } of definition.arguments) {
    if (type !== 'layer' || values[name] === null) continue;
    const description = values[name] as Values;
    if (path.length >= deepest) throw typeError(kind, name, `at most ${deepest} layers in one another`, description);
    const place = { path: [...path, name], ...(check && { check }) };
    check?.(description, place.path);
    const { layer: inner, ...args } = description;
    built[name] = describe(checkKind(kind, `${name}.layer`, inner), args, place);
  }
  const made = definition.build(built as LayerValues<readonly Parameter[]>, kind);
  eachTensor(made, (_, { shape }) => void checkShape(kind, shape));
  return made;
}
