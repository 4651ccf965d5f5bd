import { max_threads } from '../bind.js';
import { check_dtype, check_integer, is_plain_object, type_error } from '../check.js';
import type { Dtype } from '../dtype.js';
import { default_generator, Generator } from '../generator.js';
import { type Key, run_fill } from '../native.js';
import { resolve } from '../resolve.js';
import { empty, type Tensor } from '../tensor.js';
import { build, unknown_argument } from './describe.js';
import { is_drawn, kept_draws, type Layer } from './layer.js';
import type { Counter, LayerFunction } from './signature.js';
import { type LayerKind, layer_definition } from './table.js';

const options = ['dtype', 'generator', 'threads'] as const;

interface Settings {
  readonly dtype: Dtype;
  readonly generator: Generator;
  readonly threads: number | undefined;
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
  const generator = given.get('generator') ?? default_generator;
  if (!(generator instanceof Generator)) throw type_error(kind, 'generator', 'a Generator', generator);
  const threads = given.get('threads');
  return {
    dtype: check_dtype(kind, given.get('dtype') ?? 'float32'),
    generator,
    threads: threads === undefined ? undefined : check_integer(kind, 'threads', threads, 1, max_threads),
  };
}

function construct(layer: Layer, { dtype, generator, threads = 0 }: Settings): Record<string, Tensor | Counter> {
  const fills = new Map(
    layer.tensors.map((tensor) => [tensor.name, resolve(tensor.initializer, tensor.shape, { dtype })]),
  );
  const state: Record<string, Tensor | Counter> = {};
  const tensors = new Map<string, Tensor>();
  for (const { name, shape, dtype: own } of layer.tensors) {
    if (own === 'int64') {
      state[name] = { data: new BigInt64Array(shape.reduce((product, size) => product * size, 1)), shape, dtype: own };
    } else {
      const tensor = empty(shape, { dtype }) as Tensor;
      state[name] = tensor;
      tensors.set(name, tensor);
    }
  }
  const write = (name: string, key?: Key) => {
    const data = tensors.get(name)?.data;
    const fill = fills.get(name);
    if (data !== undefined && fill !== undefined && data.length > 0) run_fill(data, dtype, fill, key, 0, threads);
  };
  const kept = kept_draws(layer);
  for (const draw of layer.draws) {
    // What is overwritten moves nothing but engines that draw in sequence.
    if (kept.has(draw) && tensors.get(draw.tensor)?.data.length !== 0) write(draw.tensor, generator.next_key());
  }
  for (const { name, initializer, zero_row: row, copy_of, shape } of layer.tensors) {
    if (!is_drawn(initializer)) write(name);
    else if (copy_of !== undefined) copy(tensors.get(copy_of), tensors.get(name));
    else if (row !== undefined) zero_row(tensors.get(name), row, shape[1] ?? 0);
  }
  return state;
}

function copy(from: Tensor | undefined, to: Tensor | undefined): void {
  if (from !== undefined) to?.data.set(from.data);
}

function zero_row(tensor: Tensor | undefined, row: number, length: number): void {
  tensor?.data.fill(0, row * length, (row + 1) * length);
}
