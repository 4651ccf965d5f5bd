import { checkOneOf, checkOptions, isPlainObject, rangeError, typeError } from '../../core/check.js';
import { checkSize } from '../../core/size.js';
import { type Format, formats } from '../../formats/names.js';
import { keysFor } from '../../plan/keys.js';
import type { Plan } from '../../plan/plan.js';
import { settled, sourceOf, tensorsOf } from '../../plan/resolved.js';
import { checkSeed, type Engine, engineNames } from '../../random/names.js';
import { checkWhole } from './check-whole.js';
import { adapterNames } from './layout.js';
import { fileSetOf } from './tensor-files.js';
import { VirtualCheckpoint } from './virtual.js';

/** All that decides the bytes of a checkpoint, besides its plan. */
export interface LayoutOptions {
  /** An integer in [-2^63, 2^64), 0 by default; a negative one means itself + 2^64. */
  readonly seed?: number | bigint | undefined;
  /** 'philox' by default; 'torch' for the values that PyTorch draws. */
  readonly engine?: Engine | undefined;
  /** 'safetensors' by default; 'npy' and 'raw' make a file for each tensor. */
  readonly format?: Format | undefined;
  /** Bytes of tensors a shard of safetensors, or text such as '5GB', the default; an adapter is not cut by default. A tensor that is larger gets a shard of its own. */
  readonly maxShardSize?: number | string | undefined;
  /**
   * What the names of safetensors files begin with, 'model' by default, of an adapter 'adapter_model': 'adapter_model' and 'diffusion_pytorch_model' are other
   * libraries' names. Letters, digits, `.`, `_` and `-`, a letter or digit first; 1 to 100 characters.
   */
  readonly name?: string | undefined;
}

/** The names of these options. */
export const layoutOptions = ['seed', 'engine', 'format', 'maxShardSize', 'name'] as const;

/**
 * A plan laid out into files under a seed: every byte is defined, and none is computed yet.
 *
 *     const virtual = virtualCheckpoint(await loadPlan('resnet18'), { seed: 42 });
 *     virtual.files;                                               // [{ name: 'model.safetensors', size: 46807664 }]
 *     await virtual.read('model.safetensors', 0, 1024, { pool });
 *
 * @param plan what loadPlan gave, or the same data out of JSON, or `{ tensors: [{ name, shape, dtype, initializer }] }`
 * @param options.seed 0 by default
 * @param options.engine 'philox' by default
 * @param options.format 'safetensors' by default
 * @param options.maxShardSize '5GB' by default; an adapter is one file, as PEFT reads no shards
 * @param options.name 'model' by default
 * @throws InputError for a plan that makes no sense; TypeError and RangeError for options
 */
export function virtualCheckpoint(plan: Plan, options?: LayoutOptions): VirtualCheckpoint {
  const fn = 'virtualCheckpoint';
  const { set, keys } = layOut(fn, plan, checkOptions(fn, options, layoutOptions));
  return VirtualCheckpoint.of(set, keys);
}

/**
 * Checks a plan and layoutOptions, and lays the plan out.
 *
 * @internal
 */
export function layOut(fn: string, plan: Plan, options: { readonly [K in keyof LayoutOptions]?: unknown }) {
  if (!isPlainObject(plan) || !Array.isArray(plan.tensors)) throw typeError(fn, 'plan', 'what loadPlan gave', plan);
  const { config, draws, source, adapter } = plan;
  if (config !== undefined && typeof config !== 'string') throw typeError(fn, 'plan.config', 'text', config);
  if (adapter !== undefined && adapter !== true) throw typeError(fn, 'plan.adapter', 'true', adapter);
  if (draws !== undefined && !(Array.isArray(draws) && draws.every(isPlainObject))) {
    throw typeError(fn, 'plan.draws', 'an array of objects', draws);
  }
  if (source !== undefined && !isPlainObject(source)) throw typeError(fn, 'plan.source', 'an object', source);
  const { seed: number = 0, maxShardSize: size } = options;
  const { engine: name = 'philox', format: kind = 'safetensors' } = options;
  const engine = checkOneOf(fn, 'engine', name, engineNames);
  const format = checkOneOf(fn, 'format', kind, formats);
  const seed = checkSeed(fn, number);
  const maxShardSize = size === undefined ? undefined : checkSize(fn, 'maxShardSize', size);
  if (maxShardSize !== undefined && format !== 'safetensors')
    throw rangeError(fn, 'maxShardSize', 'nothing', size, `files of ${format} have a tensor each`);
  const usual = adapter ? adapterNames.base : undefined;
  const base = options.name === undefined ? usual : checkName(fn, options.name, format);
  const own = settled(plan as unknown as Plan); // ranges are made of it long after the call
  const tensors = tensorsOf(own);
  checkWhole(tensors);
  const keys = keysFor(engine, seed, { tensors, draws: own.draws });
  const given = { keys, base, adapter, maxShardSize, config: own.config, source: sourceOf(own) };
  const set = fileSetOf(tensors, { ...given, format });
  return { set, keys, tensors };
}

function checkName(fn: string, name: unknown, format: Format): string {
  if (typeof name !== 'string') throw typeError(fn, 'name', 'what file names begin with', name);
  if (format !== 'safetensors')
    throw rangeError(fn, 'name', 'nothing', name, `files of ${format} have their tensors' names`);
  if (/^[a-z0-9][\w.-]{0,99}$/i.test(name) && !/\.safetensors$|\.json$|-\d{5}-of-\d{5}$/.test(name)) return name;
  const what =
    "1 to 100 letters, digits, '.', '_' and '-', of which the first is a letter or digit, without '.safetensors',";
  throw rangeError(fn, 'name', what, name);
}
