/**
 * nninit/checkpoint: whole checkpoints from a config.json, a recipe, a model's name, or a checkpoint to be like.
 *
 *     import { loadPlan, writeCheckpoint } from 'nninit/checkpoint';
 *
 *     await writeCheckpoint(await loadPlan('resnet18'), 'out', { seed: 42 });
 *
 * @module nninit/checkpoint
 */

export type { CheckpointProgress } from './checkpoint/progressing.js';
export {
  type OpenCheckpoint,
  openCheckpoint,
  type ReadTensor,
  type StoredData,
  type TensorInfo,
} from './checkpoint/read/open-checkpoint.js';
export type { Difference } from './checkpoint/verify/match.js';
export type { Measured } from './checkpoint/verify/statistics/compare.js';
export {
  type VerifyCheckpointOptions,
  type VerifyReport,
  verifyCheckpoint,
} from './checkpoint/verify/verify-checkpoint.js';
export type { ReadOptions, VirtualCheckpoint } from './checkpoint/virtual/virtual.js';
export { type LayoutOptions, virtualCheckpoint } from './checkpoint/virtual/virtual-checkpoint.js';
export { type Ensemble, type WriteEnsembleOptions, writeEnsemble } from './checkpoint/write/ensemble.js';
export { type FinishOptions, finishCheckpoint } from './checkpoint/write/parts/finish.js';
export type { Part } from './checkpoint/write/parts/shares.js';
export { type StreamCheckpointOptions, streamCheckpoint } from './checkpoint/write/stream-checkpoint.js';
export type { Work, Written } from './checkpoint/write/write.js';
export { type Existing, type WriteCheckpointOptions, writeCheckpoint } from './checkpoint/write/write-checkpoint.js';
export { InputError, InterruptedError, PoolClosedError, WriteError } from './core/errors.js';
export type { StoredDtype } from './core/stored-dtype.js';
export type { Format } from './formats/names.js';
export { type LoadedPlan, loadPlan, type PlanInput, type PlanOptions } from './plan/load-plan.js';
export type { LoraOptions } from './plan/lora/options.js';
export type { Plan, PlannedTensor, PlanSource } from './plan/plan.js';
