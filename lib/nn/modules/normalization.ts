import { rangeError } from '../../core/check.js';
import type { Initializer } from '../../init/initializers.js';
import { type Module, type OwnTensor, parameter } from '../module.js';
import type { Known, When } from '../typed.js';
import { bias, byName, define, eps, flag, size } from './definition.js';

/** A scale, and a shift where the argument `bias` says so. */
type ScaleAndShift = { readonly weight: OwnTensor; readonly bias?: When<{ bias: true }> };

/** The same where the argument `F` says so. */
type Affine<F extends string> = {
  readonly weight?: When<Record<F, true>>;
  readonly bias?: When<Record<F | 'bias', true>>;
};

/** A scale of ones and a shift of zeros. */
function affine(shape: readonly number[], hasScale: true, hasShift: boolean): ScaleAndShift;
function affine<F extends string>(shape: readonly number[], hasScale: boolean, hasShift: boolean): Affine<F>;
function affine<F extends string>(shape: readonly number[], hasScale: boolean, hasShift: boolean): Affine<F> {
  if (!hasScale) return {};
  const weight = parameter(shape, 'ones');
  return hasShift ? { weight, bias: parameter(shape, 'zeros') } : { weight };
}

/** `torch.nn.LayerNorm`. */
export function layerNorm(width: number, bias = true): Known<ScaleAndShift> {
  return { kind: 'LayerNorm', own: affine([width], true, bias), children: {} };
}

/** A norm with a weight only. */
export function rmsNorm(width: number, initial: Initializer = 'ones'): Known<{ readonly weight: OwnTensor }> {
  return { kind: 'RMSNorm', own: { weight: parameter([width], initial) }, children: {} };
}

type Tracked = When<{ track_running_stats: true }>;

/** The statistics of batches, and how many there were. */
function statistics(shape: readonly number[]) {
  return {
    running_mean: { shape, initial: 'zeros', buffer: true },
    running_var: { shape, initial: 'ones', buffer: true },
    num_batches_tracked: { shape: [], initial: 'zeros', dtype: 'int64', buffer: true },
  } as const;
}

/** `torch.nn.BatchNorm2d`. */
export function batchNorm(channels: number): Module {
  return { kind: 'BatchNorm2d', own: { ...affine([channels], true, true), ...statistics([channels]) } };
}

const normalizedShape = {
  name: 'normalized_shape',
  kind: 'sizes',
  min: 0,
  required: true,
  positional: true,
  doc: 'the last dimensions of the input: those that share a mean and a variance',
} as const;

const elementwiseAffine = flag('elementwise_affine', true, 'whether there is a weight (and a bias)');

interface Statistics {
  readonly num_features: number;
  readonly affine: boolean;
  readonly track_running_stats: boolean;
  readonly bias: boolean;
}

type WithStatistics = Affine<'affine'> & {
  readonly running_mean?: Tracked;
  readonly running_var?: Tracked;
  readonly num_batches_tracked?: Tracked & { readonly dtype: 'int64' };
};

function withStatistics(values: Statistics, kind: string): Known<WithStatistics> {
  const { num_features, affine: hasScale, track_running_stats: tracks, bias } = values;
  const shape = [num_features];
  return { kind, own: { ...affine<'affine'>(shape, hasScale, bias), ...(tracks && statistics(shape)) }, children: {} };
}

const momentum = {
  name: 'momentum',
  kind: 'number',
  nullable: true,
  default: 0.1,
  positional: true,
  unused: true,
  doc: 'the weight of a new batch in the running statistics; null for plain means',
} as const;

function statisticsArguments<const U extends boolean>(used: U) {
  return [
    size('num_features', 'channels of the input'),
    eps,
    momentum,
    flag('affine', used, 'whether there is a weight (and a bias)'),
    flag('track_running_stats', used, 'whether running statistics are kept, as buffers'),
    byName(bias),
  ] as const;
}

const withBuffers = 'weight 1, bias 0; running_mean 0, running_var 1, num_batches_tracked 0 (int64)';

function overBatch(rank: string) {
  const summary = `Normalization over the batch and all positions, for ${rank} inputs.`;
  return define({ summary, initialization: withBuffers, arguments: statisticsArguments(true), build: withStatistics });
}

function overInstance(rank: string) {
  const summary = `Normalization over the positions of one instance, for ${rank} inputs. Without any tensor by default.`;
  return define({ summary, initialization: withBuffers, arguments: statisticsArguments(false), build: withStatistics });
}

export const normalizationLayers = {
  LayerNorm: define({
    summary: 'Normalization over the last dimensions.',
    initialization: 'weight 1, bias 0',
    arguments: [normalizedShape, eps, elementwiseAffine, bias],
    build: ({ normalized_shape, elementwise_affine, bias }, kind) => ({
      kind,
      own: affine<'elementwise_affine'>(normalized_shape, elementwise_affine, bias),
      children: {},
    }),
  }),
  RMSNorm: define({
    summary: 'Division by the root of the mean square over the last dimensions.',
    initialization: 'weight 1',
    arguments: [
      normalizedShape,
      {
        name: 'eps',
        kind: 'number',
        nullable: true,
        default: null,
        positional: true,
        unused: true,
        doc: "what is added to the mean square; null for the dtype's epsilon",
      },
      elementwiseAffine,
    ],
    build({ normalized_shape, elementwise_affine }, kind): Known<Pick<Affine<'elementwise_affine'>, 'weight'>> {
      return { kind, own: affine(normalized_shape, elementwise_affine, false), children: {} };
    },
  }),
  GroupNorm: define({
    summary: 'Normalization over groups of channels.',
    initialization: 'weight 1, bias 0',
    arguments: [
      size('num_groups', 'groups; divides num_channels', 1),
      size('num_channels', 'channels of the input'),
      eps,
      flag('affine', true, 'whether there is a weight (and a bias)'),
      byName(bias),
    ],
    build({ num_groups, num_channels, affine: hasScale, bias }, kind) {
      if (num_channels % num_groups !== 0) {
        throw rangeError(kind, 'num_channels', `a multiple of num_groups (${num_groups})`, num_channels);
      }
      return { kind, own: affine<'affine'>([num_channels], hasScale, bias), children: {} };
    },
  }),
  BatchNorm1d: overBatch('2-D or 3-D'),
  BatchNorm2d: overBatch('4-D'),
  BatchNorm3d: overBatch('5-D'),
  InstanceNorm1d: overInstance('2-D or 3-D'),
  InstanceNorm2d: overInstance('3-D or 4-D'),
  InstanceNorm3d: overInstance('4-D or 5-D'),
} as const;
