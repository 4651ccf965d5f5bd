import { checkDtype, isPlainObject, typeError } from '../../core/check.js';
import type { Dtype, TensorData } from '../../core/dtype.js';
import { elementsOf } from '../../core/shape.js';
import { checkGenerator, checkThreads } from '../../init/binding.js';
import { type Draw, isDrawn } from '../../init/draw.js';
import { resolve } from '../../init/resolve.js';
import { runFill } from '../../native/addon.js';
import { default_generator, type Generator } from '../../random/generator.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { flatten, type Layer } from '../flatten.js';
import { type LayerKind, layerDefinition } from '../modules/table.js';
import { build, unknownArgument } from './describe.js';
import type { Counter, LayerFunction } from './signature.js';

const options = ['dtype', 'generator', 'threads'] as const;

interface Settings {
  readonly dtype: Dtype;
  readonly generator: Generator;
  /** 0 for the number of set_num_threads. */
  readonly threads: number;
}

/**
 * The function that makes a layer's tensors on this thread and its native helpers: arguments as PyTorch's constructor
 * takes them, keywords in a last plain object. Everything is checked before the generator moves.
 */
export function constructorOf<K extends LayerKind>(kind: K): LayerFunction<K> {
  const make = (...args: readonly unknown[]) => {
    const given = readArguments(kind, args);
    const layer = flatten(build(kind, (name) => given.get(name)));
    return construct(layer, readSettings(kind, given));
  };
  Object.defineProperty(make, 'name', { value: kind });
  return make as unknown as LayerFunction<K>;
}

/** A layer's description has a key of its own, so it is told from keywords. */
function isKeywords(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, 'layer');
}

function readArguments(kind: LayerKind, args: readonly unknown[]): ReadonlyMap<string, unknown> {
  const { arguments: known } = layerDefinition(kind);
  const positional = known.filter((argument) => argument.positional);
  const last = args[args.length - 1];
  const keywords = isKeywords(last) ? last : undefined;
  const byPosition = keywords === undefined ? args : args.slice(0, -1);
  const given = new Map<string, unknown>();
  for (const [i, value] of byPosition.entries()) {
    const argument = positional[i];
    if (argument !== undefined) given.set(argument.name, value);
    else if (value !== undefined) throw tooMany(kind, i, value);
  }
  if (keywords === undefined) return given;
  if (!isPlainObject(keywords)) {
    throw typeError(kind, positional[byPosition.length]?.name ?? 'options', 'a plain object of keywords', keywords);
  }
  for (const [name, value] of Object.entries(keywords)) {
    if (!known.some((argument) => argument.name === name) && !(options as readonly string[]).includes(name)) {
      throw unknownArgument(kind, name, options);
    }
    if (value === undefined) continue;
    if (given.get(name) !== undefined) {
      throw typeError(kind, name, 'one value', value, 'it was given by position already');
    }
    given.set(name, value);
  }
  return given;
}

function tooMany(kind: LayerKind, i: number, value: unknown): TypeError {
  const names = layerDefinition(kind).arguments.filter(({ positional }) => positional);
  const takes = [...names.map(({ name }) => name), '{ options }'].join(', ');
  return typeError(kind, `argument ${i + 1}`, 'nothing', value, `it takes ${takes}`);
}

function readSettings(kind: LayerKind, given: ReadonlyMap<string, unknown>): Settings {
  const generator = checkGenerator(kind, given.get('generator') ?? default_generator);
  const threads = given.get('threads');
  return {
    dtype: checkDtype(kind, given.get('dtype') ?? 'float32'),
    generator,
    threads: threads === undefined ? 0 : checkThreads(kind, threads),
  };
}

function construct(layer: Layer, settings: Settings): Record<string, Tensor | Counter> {
  const { dtype, threads } = settings;
  const constants = layer.tensors.filter((tensor) => tensor.dtype === undefined && !isDrawn(tensor.initializer));
  const fills = constants.map(
    ({ name, shape, initializer }) => [name, resolve(initializer, shape, { dtype })] as const,
  );
  const state: Record<string, Tensor | Counter> = {};
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, dtype: own } of layer.tensors) {
    if (own === 'int64') {
      state[name] = { data: new BigInt64Array(elementsOf(shape)), shape, dtype: own };
    } else {
      const tensor = empty(shape, { dtype }) as Tensor;
      state[name] = tensor;
      tensors.set(name, tensor);
    }
  }
  const dataOf = (name: string) => tensors.get(name)?.data;
  for (const [name, fill] of fills) {
    const data = dataOf(name);
    if (data !== undefined && data.length > 0) runFill(data, dtype, fill, undefined, 0, threads);
  }
  drawAll(layer, dataOf, settings);
  for (const { name, zeroRow: row, copyOf, shape } of layer.tensors) {
    const data = dataOf(name);
    const source = copyOf === undefined ? undefined : dataOf(copyOf);
    if (source !== undefined) data?.set(source);
    else if (row !== undefined) data?.fill(0, row * (shape[1] ?? 0), (row + 1) * (shape[1] ?? 0));
  }
  return state;
}

/** The draws whose values stay: the last one of each tensor that is random in the end. */
function keptDraws({ tensors, draws }: Layer): ReadonlySet<Draw> {
  const last = new Map(draws.map((draw) => [draw.tensor, draw]));
  const kept = tensors.filter(({ initializer }) => isDrawn(initializer)).map(({ name }) => last.get(name));
  return new Set(kept.filter((draw) => draw !== undefined));
}

function drawAll(
  layer: Layer,
  dataOf: (name: string) => TensorData | undefined,
  { dtype, generator, threads }: Settings,
): void {
  const kept = keptDraws(layer);
  const wastes = generator.engine === 'torch'; // draws what is overwritten, too, as PyTorch does
  for (const draw of layer.draws) {
    const size = elementsOf(draw.shape);
    if (size === 0 || !(wastes || kept.has(draw))) continue;
    const fill = resolve(draw.initializer, draw.shape, { dtype });
    const data = kept.has(draw) ? dataOf(draw.tensor) : undefined;
    if (data !== undefined) generator.fill(data, dtype, fill, threads);
    else generator.nextKey(fill, dtype, size);
  }
}
