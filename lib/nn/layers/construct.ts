import { argumentsOf, readArguments, type Setting } from '../../core/arguments.js';
import { checkDtype } from '../../core/check.js';
import type { Dtype, TensorData } from '../../core/dtype.js';
import { elementsOf } from '../../core/shape.js';
import { generatorSetting, threadsSetting } from '../../init/binding.js';
import { type Draw, isDrawn } from '../../init/draw.js';
import { resolve } from '../../init/resolve.js';
import { fillRange } from '../../native/addon.js';
import { default_generator, type Generator } from '../../random/generator.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { flatten, type Layer } from '../flatten.js';
import { type LayerKind, layerDefinition } from '../modules/table.js';
import { moduleOf } from './describe.js';
import type { Counter, LayerFunction } from './signature.js';

const settings = [
  { kind: 'setting', name: 'dtype', nullable: true, check: checkDtype },
  { ...generatorSetting, nullable: true },
  threadsSetting,
] as const satisfies readonly Setting[];

/** A layer's description has a key of its own, so it is told from keywords. */
const isValue = (object: object): boolean => Array.isArray(object) || Object.hasOwn(object, 'layer');

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
  const known = argumentsOf(kind, layerDefinition(kind).arguments, settings, { before: [], isValue });
  const make = (...args: readonly unknown[]) => {
    const values = readArguments(known, args);
    const { dtype = 'float32', generator = default_generator, threads = 0 } = values as Partial<Settings>;
    return construct(flatten(moduleOf(kind, values)), { dtype, generator, threads });
  };
  Object.defineProperty(make, 'name', { value: kind });
  return make as unknown as LayerFunction<K>;
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
    if (data !== undefined && data.length > 0) fillRange(data, dtype, fill, undefined, 0, threads);
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
