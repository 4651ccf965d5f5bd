/**
 * nninit: `torch.nn.init` for Node.js.
 *
 *     import { empty, init, manual_seed } from 'nninit';
 *
 *     manual_seed(0);
 *     const w = init.kaiming_normal_(empty([64, 3, 7, 7]), { nonlinearity: 'relu' });
 */

export { layout as safetensors_layout } from './checkpoint/safetensors.js';
export type { Definition } from './definition.js';
export type { Dtype, TensorData } from './dtype.js';
export { calculate_fans, type FanOptions, type Fans } from './fan.js';
export type { Fill } from './fill.js';
export { calculate_gain, type Gain, gain_of, gains, type Nonlinearity } from './gain.js';
export {
  default_generator,
  type Engine,
  Generator,
  get_rng_state,
  initial_seed,
  manual_seed,
  seed,
  set_rng_state,
} from './generator.js';
export * as init from './init.js';
export { type Initializer, initializers, type Name, type Options } from './initializers.js';
export * as layers from './layers/index.js';
export { get_num_threads, type Key, set_num_threads, simd_target } from './native.js';
export type { Parameter } from './parameter.js';
export type { FillItem } from './pool/item.js';
export type { FillResult } from './pool/list.js';
export type { Progress, RunOptions } from './pool/operation.js';
export { createPool, type Pool, type PoolInit, type PoolStatistics } from './pool/pool.js';
export { run_fill } from './range.js';
export { resolve } from './resolve.js';
export type { InitFunction, Keywords } from './signature.js';
export type { Slice, SliceRange } from './slice.js';
export { type FillSliceOptions, fill_slice, shard_range } from './slice_fill.js';
export { empty, type Float16ArrayLike, type Tensor, type TensorLike, tensor } from './tensor.js';
export { version } from './version.js';
export { toFloat32Array } from './widen.js';
