import { rangeError } from '../../core/check.js';
import { bias, byName, define, eps, flag, size } from './definition.js';
import { inOrder, type Layer } from './layer.js';

/** A scale of ones and a shift of zeros. */
export function affine(shape: readonly number[], hasScale: boolean, hasShift: boolean): Layer {
  return inOrder([
    hasScale && { name: 'weight', shape, initializer: 'ones' },
    hasScale && hasShift && { name: 'bias', shape, initializer: 'zeros' },
  ]);
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

function withStatistics({ num_features, affine: hasScale, track_running_stats: tracks, bias }: Statistics): Layer {
  const shape = [num_features];
  const { tensors } = affine(shape, hasScale, bias);
  return inOrder([
    ...tensors,
    tracks && { name: 'running_mean', shape, initializer: 'zeros', buffer: true },
    tracks && { name: 'running_var', shape, initializer: 'ones', buffer: true },
    tracks && { name: 'num_batches_tracked', shape: [], initializer: 'zeros', dtype: 'int64', buffer: true },
  ]);
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

function statisticsArguments(used: boolean) {
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

function batchNorm(rank: string) {
  return define({
    summary: `Normalization over the batch and all positions, for ${rank} inputs.`,
    initialization: withBuffers,
    arguments: statisticsArguments(true),
    build: withStatistics,
  });
}

function instanceNorm(rank: string) {
  return define({
    summary: `Normalization over the positions of one instance, for ${rank} inputs. Without any tensor by default.`,
    initialization: withBuffers,
    arguments: statisticsArguments(false),
    build: withStatistics,
  });
}

export const normalizationLayers = {
  LayerNorm: define({
    summary: 'Normalization over the last dimensions.',
    initialization: 'weight 1, bias 0',
    arguments: [normalizedShape, eps, elementwiseAffine, bias],
    build: ({ normalized_shape, elementwise_affine, bias }) => affine(normalized_shape, elementwise_affine, bias),
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
    build: ({ normalized_shape, elementwise_affine }) => affine(normalized_shape, elementwise_affine, false),
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
    build({ num_groups, num_channels, affine: hasScale, bias }, fn) {
      if (num_channels % num_groups !== 0) {
        throw rangeError(fn, 'num_channels', `a multiple of num_groups (${num_groups})`, num_channels);
      }
      return affine([num_channels], hasScale, bias);
    },
  }),
  BatchNorm1d: batchNorm('2-D or 3-D'),
  BatchNorm2d: batchNorm('4-D'),
  BatchNorm3d: batchNorm('5-D'),
  InstanceNorm1d: instanceNorm('2-D or 3-D'),
  InstanceNorm2d: instanceNorm('3-D or 4-D'),
  InstanceNorm3d: instanceNorm('4-D or 5-D'),
} as const;
