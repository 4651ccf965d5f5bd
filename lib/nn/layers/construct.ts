import { type Arguments, argumentsOf, readArguments, type Setting, type Values } from '../../core/arguments.js';
import { checkDtype } from '../../core/check.js';
import type { Dtype, TensorData } from '../../core/dtype.js';
import type { Fill } from '../../core/fill.js';
import { elementsOf } from '../../core/shape.js';
import { generatorSetting, threadsSetting } from '../../init/binding.js';
import { type Draw, isDrawn } from '../../init/draw.js';
import type { Initializer } from '../../init/initializers.js';
import { resolve } from '../../init/resolve.js';
import { fillRange } from '../../native/addon.js';
import { default_generator, type Generator } from '../../random/generator.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { flatten, type Layer } from '../flatten.js';
import { type LayerKind, layerDefinition } from '../modules/table.js';
import { moduleOf } from './describe.js';
import type { LayerFunction } from './signature.js';
import type { Counter } from './state.js';

const settings = [
  { kind: 'setting', name: 'dtype', nullable: true, check: checkDtype },
  { ...generatorSetting, nullable: true },
  threadsSetting,
] as const satisfies readonly Setting[];

/** A layer's description has a key of its own, so it is told from keywords. */
const isValue = (object: object): boolean => Array.isArray(object) || Object.hasOwn(object, 'layer');

/** What a layer is made of, and how. */
export interface Settings {
  readonly dtype: Dtype;
  readonly generator: Generator;
  /** 0 for all there are. */
  readonly threads: number;
}

/** How a layer's function is called; `extra` are an executor's own settings. */
export function layerArguments(kind: LayerKind, extra: readonly Setting[] = []): Arguments {
  return argumentsOf(kind, layerDefinition(kind).arguments, [...settings, ...extra], { before: [], isValue });
}

/** The settings among a call's values. */
export function settingsOf(values: Values): Settings {
  const { dtype = 'float32', generator = default_generator, threads = 0 } = values as Partial<Settings>;
  return { dtype, generator, threads };
}

/**
 * The function that makes a layer's tensors on this thread and its native helpers: arguments as PyTorch's constructor
 * takes them, keywords in a last plain object. Everything is checked before the generator moves.
 */
export function constructorOf<K extends LayerKind>(kind: K): LayerFunction<K> {
  const known = layerArguments(kind);
  const make = (...args: readonly unknown[]) => {
    const values = readArguments(known, args);
    const given = settingsOf(values);
    const made = construct(flatten(moduleOf(kind, values)), given, (shape) => empty(shape, { dtype: given.dtype }));
    for (const step of made.steps) fillNow(step, given);
    for (const row of made.zeroRows) row.fill(0);
    for (const { from, to } of made.copies) to.set(from);
    return made.state;
  };
  Object.defineProperty(make, 'name', { value: kind });
  return make as unknown as LayerFunction<K>;
}

function fillNow({ tensor, shape, fill, drawn }: Step, { dtype, generator, threads }: Settings): void {
  if (tensor === undefined) generator.nextKey(fill, dtype, elementsOf(shape));
  else if (drawn) generator.fill(tensor.data, dtype, fill, threads);
  else fillRange(tensor.data, dtype, fill, undefined, 0, threads);
}

/** One fill of a construction. */
export interface Step {
  readonly initializer: Initializer;
  readonly shape: readonly number[];
  readonly fill: Fill;
  /** Whether it draws from the generator. */
  readonly drawn: boolean;
  /** Undefined for what is drawn in vain. */
  readonly tensor: Tensor | undefined;
}

/** What the construction of a layer comes to, whoever does it. */
export interface Construction {
  readonly state: Record<string, Tensor | Counter>;
  /** In order, those without elements left out. */
  readonly steps: readonly Step[];
  /** To be set to zero after them. */
  readonly zeroRows: readonly TensorData[];
  /** Then to be copied. */
  readonly copies: readonly { readonly from: TensorData; readonly to: TensorData }[];
}

/** Resolves all that is to be filled, then makes the tensors. */
export function construct(
  layer: Layer,
  { dtype, generator }: Settings,
  make: (shape: readonly number[]) => Tensor,
): Construction {
  const constants = layer.tensors.filter((tensor) => tensor.dtype === undefined && !isDrawn(tensor.initializer));
  const kept = keptDraws(layer);
  const draws = layer.draws.filter((draw) => kept.has(draw) || generator.engine === 'torch');
  const resolved = [
    ...constants.map(({ name, shape, initializer }) => ({ name, shape, initializer, drawn: false })),
    // The engine torch draws what is overwritten, too, as PyTorch does.
    ...draws.map((draw) => ({ ...draw, name: kept.has(draw) ? draw.tensor : undefined, drawn: true })),
  ]
    .filter(({ shape }) => elementsOf(shape) > 0)
    .map((each) => ({ ...each, fill: resolve(each.initializer, each.shape, { dtype }) }));
  const state: Construction['state'] = {};
  const tensors = new Map<string | undefined, Tensor>();
  for (const { name, shape, dtype: own } of layer.tensors) {
    if (own === 'int64') {
      state[name] = { data: new BigInt64Array(elementsOf(shape)), shape, dtype: own };
    } else {
      const tensor = make(shape);
      state[name] = tensor;
      tensors.set(name, tensor);
    }
  }
  const steps = resolved.map(({ name, ...step }) => ({ ...step, tensor: tensors.get(name) }));
  return { state, steps, ...afterwards(layer, tensors) };
}

function afterwards({ tensors }: Layer, made: ReadonlyMap<string | undefined, Tensor>) {
  const zeroRows: TensorData[] = [];
  const copies: { from: TensorData; to: TensorData }[] = [];
  for (const { name, zeroRow, copyOf, shape } of tensors) {
    const data = made.get(name)?.data;
    const source = copyOf === undefined ? undefined : made.get(copyOf)?.data;
    const [, width = 0] = shape;
    if (data !== undefined && source !== undefined) copies.push({ from: source, to: data });
    else if (data !== undefined && zeroRow !== undefined)
      zeroRows.push(data.subarray(zeroRow * width, (zeroRow + 1) * width));
  }
  return { zeroRows, copies };
}

/** The draws whose values stay: the last one of each tensor that is random in the end. */
function keptDraws({ tensors, draws }: Layer): ReadonlySet<Draw> {
  const last = new Map(draws.map((draw) => [draw.tensor, draw]));
  const kept = tensors.filter(({ initializer }) => isDrawn(initializer)).map(({ name }) => last.get(name));
  return new Set(kept.filter((draw) => draw !== undefined));
}
