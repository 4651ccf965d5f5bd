import { check_dtype, is_plain_object, type_error } from '../../core/check.js';
import type { Dtype, TensorData } from '../../core/dtype.js';
import { elements_of } from '../../core/shape.js';
import { check_generator, check_threads } from '../../init/binding.js';
import { is_drawn } from '../../init/draw.js';
import { resolve } from '../../init/resolve.js';
import { run_fill } from '../../native/addon.js';
import { default_generator, type Generator } from '../../random/generator.js';
import { empty, type Tensor } from '../../tensor/tensor.js';
import { build, unknown_argument } from './describe.js';
import { kept_draws, type Layer } from './layer.js';
import type { Counter, LayerFunction } from './signature.js';
import { type LayerKind, layer_definition } from './table.js';

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
export function constructor_of<K extends LayerKind>(kind: K): LayerFunction<K> {
  const make = (...args: readonly unknown[]) => {
    const given = read_arguments(kind, args);
    const layer = build(kind, (name) => given.get(name));
    return construct(layer, read_settings(kind, given));
  };
  Object.defineProperty(make, 'name', { value: kind });
  return make as unknown as LayerFunction<K>;
}

/** A layer's description has a key of its own, so it is told from keywords. */
function is_keywords(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !Object.hasOwn(value, 'layer');
}

function read_arguments(kind: LayerKind, args: readonly unknown[]): ReadonlyMap<string, unknown> {
  const { arguments: known } = layer_definition(kind);
  const positional = known.filter((argument) => argument.positional);
  const last = args[args.length - 1];
  const keywords = is_keywords(last) ? last : undefined;
  const by_position = keywords === undefined ? args : args.slice(0, -1);
  const given = new Map<string, unknown>();
  for (const [i, value] of by_position.entries()) {
    const argument = positional[i];
    if (argument !== undefined) given.set(argument.name, value);
    else if (value !== undefined) throw too_many(kind, i, value);
  }
  if (keywords === undefined) return given;
  if (!is_plain_object(keywords)) {
    throw type_error(kind, positional[by_position.length]?.name ?? 'options', 'a plain object of keywords', keywords);
  }
  for (const [name, value] of Object.entries(keywords)) {
    if (!known.some((argument) => argument.name === name) && !(options as readonly string[]).includes(name)) {
      throw unknown_argument(kind, name, options);
    }
    if (value === undefined) continue;
    if (given.get(name) !== undefined) {
      throw type_error(kind, name, 'one value', value, 'it was given by position already');
    }
    given.set(name, value);
  }
  return given;
}

function too_many(kind: LayerKind, i: number, value: unknown): TypeError {
  const names = layer_definition(kind).arguments.filter(({ positional }) => positional);
  const takes = [...names.map(({ name }) => name), '{ options }'].join(', ');
  return type_error(kind, `argument ${i + 1}`, 'nothing', value, `it takes ${takes}`);
}

function read_settings(kind: LayerKind, given: ReadonlyMap<string, unknown>): Settings {
  const generator = check_generator(kind, given.get('generator') ?? default_generator);
  const threads = given.get('threads');
  return {
    dtype: check_dtype(kind, given.get('dtype') ?? 'float32'),
    generator,
    threads: threads === undefined ? 0 : check_threads(kind, threads),
  };
}

function construct(layer: Layer, settings: Settings): Record<string, Tensor | Counter> {
  const { dtype, threads } = settings;
  const constants = layer.tensors.filter((tensor) => tensor.dtype === undefined && !is_drawn(tensor.initializer));
  const fills = constants.map(
    ({ name, shape, initializer }) => [name, resolve(initializer, shape, { dtype })] as const,
  );
  const state: Record<string, Tensor | Counter> = {};
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, dtype: own } of layer.tensors) {
    if (own === 'int64') {
      state[name] = { data: new BigInt64Array(elements_of(shape)), shape, dtype: own };
    } else {
      const tensor = empty(shape, { dtype }) as Tensor;
      state[name] = tensor;
      tensors.set(name, tensor);
    }
  }
  const data_of = (name: string) => tensors.get(name)?.data;
  for (const [name, fill] of fills) {
    const data = data_of(name);
    if (data !== undefined && data.length > 0) run_fill(data, dtype, fill, undefined, 0, threads);
  }
  draw_all(layer, data_of, settings);
  for (const { name, zero_row: row, copy_of, shape } of layer.tensors) {
    const data = data_of(name);
    const source = copy_of === undefined ? undefined : data_of(copy_of);
    if (source !== undefined) data?.set(source);
    else if (row !== undefined) data?.fill(0, row * (shape[1] ?? 0), (row + 1) * (shape[1] ?? 0));
  }
  return state;
}

function draw_all(
  layer: Layer,
  data_of: (name: string) => TensorData | undefined,
  { dtype, generator, threads }: Settings,
): void {
  const kept = kept_draws(layer);
  const wastes = generator.engine === 'torch'; // draws what is overwritten, too, as PyTorch does
  for (const draw of layer.draws) {
    const size = elements_of(draw.shape);
    if (size === 0 || !(wastes || kept.has(draw))) continue;
    const fill = resolve(draw.initializer, draw.shape, { dtype });
    const data = kept.has(draw) ? data_of(draw.tensor) : undefined;
    if (data !== undefined) generator.fill(data, dtype, fill, threads);
    else generator.next_key(fill, dtype, size);
  }
}
