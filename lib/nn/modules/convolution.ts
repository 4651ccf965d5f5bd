import { rangeError } from '../../core/check.js';
import type { SizesParameter } from '../../core/parameter.js';
import type { Known } from '../typed.js';
import { bias, define, size } from './definition.js';
import { type WeightAndBias, weightAndBias } from './linear.js';

type Rank = 1 | 2 | 3;

const channels = [
  size('in_channels', 'channels of the input'),
  size('out_channels', 'channels of the output'),
] as const;

/** Sizes along the dimensions of the kernel that matter to the forward pass only. */
function unusedSizes<const N extends string>(name: N, dimensions: Rank, min: 0 | 1, doc: string) {
  return { name, kind: 'sizes', dimensions, min, default: min, positional: true, unused: true, doc } as const;
}

function kernelSize(dimensions: Rank) {
  const doc = 'the size of the kernel';
  return { name: 'kernel_size', kind: 'sizes', dimensions, min: 0, required: true, positional: true, doc } as const;
}

const groups = {
  name: 'groups',
  kind: 'integer',
  min: 1,
  default: 1,
  positional: true,
  doc: 'divides both numbers of channels; each group of outputs sees its own group of inputs',
} as const;

function stride(dimensions: Rank) {
  return unusedSizes('stride', dimensions, 1, 'the step of the kernel');
}

function dilation(dimensions: Rank) {
  return unusedSizes('dilation', dimensions, 1, 'the distance between taps of the kernel');
}

function paddingMode<const W extends string>(...words: readonly ['zeros', ...W[]]) {
  const doc = 'what the input is padded with';
  return { name: 'padding_mode', kind: 'word', words, default: 'zeros', positional: true, unused: true, doc } as const;
}

interface Channels {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly kernel_size: readonly number[];
  readonly groups: number;
  readonly bias: boolean;
}

/** `torch.nn.Conv1d`. */
export function conv1d(
  inputs: number,
  outputs: number,
  kernel: number,
  { groups = 1, bias = true } = {},
): Known<WeightAndBias> {
  return { kind: 'Conv1d', own: weightAndBias([outputs, inputs / groups, kernel], bias), children: {} };
}

/** `torch.nn.Conv2d`. */
export function conv2d(
  inputs: number,
  outputs: number,
  kernel: readonly [number, number],
  bias = true,
  groups = 1,
): Known<WeightAndBias> {
  return { kind: 'Conv2d', own: weightAndBias([outputs, inputs / groups, ...kernel], bias), children: {} };
}

/** `torch.nn.Conv3d`. */
export function conv3d(
  inputs: number,
  outputs: number,
  kernel: readonly [number, number, number],
  bias = true,
): Known<WeightAndBias> {
  return { kind: 'Conv3d', own: weightAndBias([outputs, inputs, ...kernel], bias), children: {} };
}

/** A weight (first, second, *kernel) and a bias: outputs first, or inputs where it is transposed. */
function weighted(kind: string, transposed: boolean, values: Channels): Known<WeightAndBias> {
  const { in_channels, out_channels, kernel_size, groups, bias } = values;
  for (const name of ['in_channels', 'out_channels'] as const) {
    if (values[name] % groups !== 0) throw rangeError(kind, name, `a multiple of groups (${groups})`, values[name]);
  }
  const [first, second] = transposed ? [in_channels, out_channels / groups] : [out_channels, in_channels / groups];
  return { kind, own: weightAndBias([first, second, ...kernel_size], bias, out_channels), children: {} };
}

function dimensions(rank: Rank): string {
  return rank === 1 ? 'one dimension' : rank === 2 ? 'two dimensions' : 'three dimensions';
}

function convolution<const R extends Rank>(rank: R) {
  const padding = {
    ...unusedSizes('padding', rank, 0, 'what is added to each side of the input'),
    words: ['valid', 'same'],
  } as const satisfies SizesParameter;
  return define({
    summary: `A convolution over ${dimensions(rank)}, with a weight of shape (out, in / groups, *kernel).`,
    initialization: 'weight and bias U(±1/√fan_in), fan_in = in_channels / groups · ∏ kernel_size',
    arguments: [
      ...channels,
      kernelSize(rank),
      stride(rank),
      padding,
      dilation(rank),
      groups,
      bias,
      paddingMode('zeros', 'reflect', 'replicate', 'circular'),
    ],
    build(values, kind) {
      if (values.padding === 'same' && values.stride.some((step) => step !== 1)) {
        throw rangeError(kind, 'stride', "1 where padding is 'same'", values.stride);
      }
      return weighted(kind, false, values);
    },
  });
}

function transposedConvolution<const R extends Rank>(rank: R) {
  return define({
    summary: `A transposed convolution over ${dimensions(rank)}, with a weight of shape (in, out / groups, *kernel).`,
    initialization: 'weight and bias U(±1/√fan), fan = out_channels / groups · ∏ kernel_size',
    arguments: [
      ...channels,
      kernelSize(rank),
      stride(rank),
      unusedSizes('padding', rank, 0, 'what is cut from each side of the output'),
      unusedSizes('output_padding', rank, 0, 'what is added to one side of the output'),
      groups,
      bias,
      dilation(rank),
      paddingMode('zeros'),
    ],
    build: (values, kind) => weighted(kind, true, values),
  });
}

export const convolutionLayers = {
  Conv1d: convolution(1),
  Conv2d: convolution(2),
  Conv3d: convolution(3),
  ConvTranspose1d: transposedConvolution(1),
  ConvTranspose2d: transposedConvolution(2),
  ConvTranspose3d: transposedConvolution(3),
} as const;
