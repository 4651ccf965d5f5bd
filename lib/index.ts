/**
 * nninit: `torch.nn.init` for Node.js.
 *
 *     import { empty, init, manual_seed } from 'nninit';
 *
 *     manual_seed(0);
 *     const w = init.kaiming_normal_(empty([64, 3, 7, 7]), { nonlinearity: 'relu' });
 *
 * @module nninit
 */

export type { Dtype, TensorData } from './core/dtype.js';
export { PoolClosedError } from './core/errors.js';
export type {
  ConstantFill,
  DiagonalFill,
  Fill,
  NormalFill,
  OrthogonalFill,
  SparseFill,
  TruncNormalFill,
  UniformFill,
} from './core/fill.js';
export type { Parameter } from './core/parameter.js';
export { version } from './core/version.js';
export type { Definition } from './init/definition.js';
export { calculateFans, type FanOptions, type Fans } from './init/fan.js';
export { type FillSliceOptions, fillSlice, shardRange } from './init/fill-slice.js';
export { calculate_gain, type Gain, gainOf, gains, type Nonlinearity } from './init/gain.js';
export * as init from './init/init.js';
export { type Initializer, initializers, type Name, type Options } from './init/initializers.js';
export { resolve } from './init/resolve.js';
export { runFill } from './init/run-fill.js';
export type { InitFunction, Keywords } from './init/signature.js';
export {
  get_num_threads,
  type Key,
  type PhiloxKey,
  set_num_threads,
  simdTarget,
  type TorchKey,
} from './native/addon.js';
export * as layers from './nn/layers/index.js';
export type { PoolLayers } from './nn/layers/on-pool.js';
export { createPool, type Pool } from './nn/pool.js';
export type { FillItem } from './pool/item.js';
export type { FillResult } from './pool/list.js';
export type { FillOptions, Progress } from './pool/operation.js';
export type { PoolInit, PoolStatistics } from './pool/pool.js';
export type { PoolOptions } from './pool/settings.js';
export type { PoolTensor } from './pool/tensors.js';
export {
  default_generator,
  type Engine,
  Generator,
  get_rng_state,
  initial_seed,
  manual_seed,
  seed,
  set_rng_state,
} from './random/generator.js';
export type { NarrowDtype, NarrowTensor } from './tensor/narrow.js';
export type { Slice, SliceRange } from './tensor/slice.js';
export { empty, type Float16ArrayLike, type Tensor, type TensorLike, tensor } from './tensor/tensor.js';
export { toFloat32Array } from './tensor/widen.js';
