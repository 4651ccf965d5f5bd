import { range_error } from '../../core/check.js';
import { bias, by_name, define, eps, flag, size } from './definition.js';
import { in_order, type Layer } from './layer.js';

/** A scale of ones and a shift of zeros. */
export function affine(shape: readonly number[], has_scale: boolean, has_shift: boolean): Layer {
  return in_order([
    has_scale && { name: 'weight', shape, initializer: 'ones' },
    has_scale && has_shift && { name: 'bias', shape, initializer: 'zeros' },
  ]);
}

const normalized_shape = {
  name: 'normalized_shape',
  kind: 'sizes',
  min: 0,
  required: true,
  positional: true,
  doc: 'the last dimensions of the input: those that share a mean and a variance',
} as const;

const elementwise_affine = flag('elementwise_affine', true, 'whether there is a weight (and a bias)');

interface Statistics {
  readonly num_features: number;
  readonly affine: boolean;
  readonly track_running_stats: boolean;
  readonly bias: boolean;
}

function with_statistics({ num_features, affine: has_scale, track_running_stats: tracks, bias }: Statistics): Layer {
  const shape = [num_features];
  const { tensors } = affine(shape, has_scale, bias);
  return in_order([
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

function statistics_arguments(used: boolean) {
  return [
    size('num_features', 'channels of the input'),
    eps,
    momentum,
    flag('affine', used, 'whether there is a weight (and a bias)'),
    flag('track_running_stats', used, 'whether running statistics are kept, as buffers'),
    by_name(bias),
  ] as const;
}

const with_buffers = 'weight 1, bias 0; running_mean 0, running_var 1, num_batches_tracked 0 (int64)';

function batch_norm(rank: string) {
  return define({
    summary: `Normalization over the batch and all positions, for ${rank} inputs.`,
    initialization: with_buffers,
    arguments: statistics_arguments(true),
    build: with_statistics,
  });
}

function instance_norm(rank: string) {
  return define({
    summary: `Normalization over the positions of one instance, for ${rank} inputs. Without any tensor by default.`,
    initialization: with_buffers,
    arguments: statistics_arguments(false),
    build: with_statistics,
  });
}

export const normalization_layers = {
  LayerNorm: define({
    summary: 'Normalization over the last dimensions.',
    initialization: 'weight 1, bias 0',
    arguments: [normalized_shape, eps, elementwise_affine, bias],
    build: ({ normalized_shape, elementwise_affine, bias }) => affine(normalized_shape, elementwise_affine, bias),
  }),
  RMSNorm: define({
    summary: 'Division by the root of the mean square over the last dimensions.',
    initialization: 'weight 1',
    arguments: [
      normalized_shape,
      {
        name: 'eps',
        kind: 'number',
        nullable: true,
        default: null,
        positional: true,
        unused: true,
        doc: "what is added to the mean square; null for the dtype's epsilon",
      },
      elementwise_affine,
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
      by_name(bias),
    ],
    build({ num_groups, num_channels, affine: has_scale, bias }, fn) {
      if (num_channels % num_groups !== 0) {
        throw range_error(fn, 'num_channels', `a multiple of num_groups (${num_groups})`, num_channels);
      }
      return affine([num_channels], has_scale, bias);
    },
  }),
  BatchNorm1d: batch_norm('2-D or 3-D'),
  BatchNorm2d: batch_norm('4-D'),
  BatchNorm3d: batch_norm('5-D'),
  InstanceNorm1d: instance_norm('2-D or 3-D'),
  InstanceNorm2d: instance_norm('3-D or 4-D'),
  InstanceNorm3d: instance_norm('4-D or 5-D'),
} as const;
