import { checkOneOf, checkOptions, isPlainObject, typeError } from '../../core/check.js';
import { checkSize } from '../../core/size.js';
import { type Format, formats } from '../../formats/names.js';
import { keysFor } from '../../plan/keys.js';
import { tensorsOf } from '../../plan/load-plan.js';
import type { Plan } from '../../plan/plan.js';
import { checkSeed, type Engine, engineNames } from '../../random/names.js';
import { fileSetOf } from './tensor-files.js';
import { VirtualCheckpoint } from './virtual.js';
import { checkWhole } from './whole.js';

/** All that decides the bytes of a checkpoint, besides its plan. */
export interface LayoutOptions {
  /** An integer in [-2^63, 2^64), 0 by default; a negative one means itself + 2^64. */
  readonly seed?: number | bigint | undefined;
  /** 'philox' by default; 'torch' for the values that PyTorch draws. */
  readonly engine?: Engine | undefined;
  /** 'safetensors' by default; 'npy' and 'raw' make a file for each tensor. */
  readonly format?: Format | undefined;
  /** Bytes of tensors a shard of safetensors, or text such as '5GB', the default. A tensor that is larger gets a shard of its own. */
  readonly maxShardSize?: number | string | undefined;
}

/** The names of these options. */
export const layoutOptions = ['seed', 'engine', 'format', 'maxShardSize'] as const;

/**
 * A plan laid out into files under a seed: every byte is defined, and none is computed yet.
 *
 *     const virtual = virtualCheckpoint(await loadPlan('resnet18'), { seed: 42 });
 *     virtual.files;                                               // [{ name: 'model.safetensors', size: 46807446 }]
 *     await virtual.read('model.safetensors', 0, 1024, { pool });
 *
 * @param plan what loadPlan gave, or the same data out of JSON, or `{ tensors: [{ name, shape, dtype, initializer }] }`
 * @param options.seed 0 by default
 * @param options.engine 'philox' by default
 * @param options.format 'safetensors' by default
 * @param options.maxShardSize '5GB' by default
 * @throws InputError for a plan that makes no sense; TypeError and RangeError for options
 */
export function virtualCheckpoint(plan: Plan, options?: LayoutOptions): VirtualCheckpoint {
  const fn = 'virtualCheckpoint';
  const { set, keys } = layOut(fn, plan, checkOptions(fn, options, layoutOptions));
  return new VirtualCheckpoint(set, keys);
}

/** Checks a plan and layoutOptions, and lays the plan out. */
export function layOut(fn: string, plan: Plan, options: { readonly [K in keyof LayoutOptions]?: unknown }) {
  if (!isPlainObject(plan) || !Array.isArray(plan.tensors)) throw typeError(fn, 'plan', 'what loadPlan gave', plan);
  const { config, draws, source } = plan;
  if (config !== undefined && typeof config !== 'string') throw typeError(fn, 'plan.config', 'text', config);
  if (draws !== undefined && !(Array.isArray(draws) && draws.every(isPlainObject))) {
    throw typeError(fn, 'plan.draws', 'an array of objects', draws);
  }
  if (source !== undefined && !isPlainObject(source)) throw typeError(fn, 'plan.source', 'an object', source);
  const engine = checkOneOf(fn, 'engine', options.engine ?? 'philox', engineNames);
  const format = checkOneOf(fn, 'format', options.format ?? 'safetensors', formats);
  const seed = checkSeed(fn, options.seed ?? 0);
  const { maxShardSize: size } = options;
  const maxShardSize = size === undefined ? undefined : checkSize(fn, 'maxShardSize', size);
  const tensors = tensorsOf(plan as unknown as Plan);
  checkWhole(tensors);
  const keys = keysFor(engine, seed, { tensors, draws: plan.draws as Plan['draws'] });
  const given = { keys, maxShardSize, config: plan.config as Plan['config'], source: plan.source as Plan['source'] };
  const set = fileSetOf(tensors, { ...given, format });
  return { set, keys, tensors };
}
