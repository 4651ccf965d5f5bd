import { checkOneOf, checkShape, isPlainObject, typeError, unknownOption } from '../../core/check.js';
import { flatten, type Layer, type LayerTensor } from '../flatten.js';
import { eachTensor, type Module } from '../module.js';
import { type LayerKind, layerDefinition, layerKinds } from '../modules/table.js';
import { type Argument, checkArgument, type Value, type ValuesOf } from './argument.js';

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
  return flatten(describe(checkKind('layer', 'kind', kind), args, 0));
}

/** The tensors of `layer(kind, args)`: what recipes and plans need, and all that order-independent engines do. */
export function layerTensors(kind: LayerKind, args: Readonly<Record<string, unknown>> = {}): readonly LayerTensor[] {
  return layer(kind, args).tensors;
}

function checkKind(fn: string, argument: string, kind: unknown): LayerKind {
  return checkOneOf(fn, argument, kind, layerKinds);
}

function describe(kind: LayerKind, args: unknown, depth: number): Module {
  if (!isPlainObject(args)) throw typeError(kind, 'arguments', 'a plain object', args);
  const { arguments: known } = layerDefinition(kind);
  for (const name of Object.keys(args)) {
    if (!known.some((argument) => argument.name === name)) throw unknownArgument(kind, name);
  }
  return build(kind, (name) => (Object.hasOwn(args, name) ? args[name] : undefined), depth);
}

/** The error for an argument that a layer does not have. */
export function unknownArgument(kind: LayerKind, name: string, others: readonly string[] = []): TypeError {
  return unknownOption(kind, name, [...layerDefinition(kind).arguments.map((argument) => argument.name), ...others]);
}

/** Checks arguments and builds the module. `given` finds an argument's value, undefined where it was left out. */
export function build(kind: LayerKind, given: (name: string) => unknown, depth = 0): Module {
  const definition = layerDefinition(kind);
  const nested = (
    fn: string,
    argument: string,
    { layer: inner, ...rest }: Readonly<Record<string, unknown>>,
  ): Module => {
    if (depth >= deepest) throw typeError(fn, argument, `at most ${deepest} layers in one another`, rest);
    return describe(checkKind(fn, `${argument}.layer`, inner), rest, depth + 1);
  };
  const values: Record<string, Value> = {};
  for (const argument of definition.arguments) {
    const value = given(argument.name);
    values[argument.name] = checkArgument(kind, argument, value === undefined ? argument.default : value, nested);
  }
  const built = definition.build(values as ValuesOf<readonly Argument[]>, kind);
  eachTensor(built, (_, { shape }) => void checkShape(kind, shape));
  return built;
}
