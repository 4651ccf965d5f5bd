import { byKind, container, type Module, type Rule } from '../module.js';
import { batchNorm, conv2d } from '../modules/index.js';

/** What torchvision's mobile networks have in common. */
export function mobileInit(linear: Rule): Rule {
  return byKind({
    Conv2d: ({ own }) => ({
      weight: { init: 'kaiming_normal', mode: 'fan_out' },
      ...(own?.bias && { bias: 'zeros' }),
    }),
    BatchNorm2d: () => ({ weight: 'ones', bias: 'zeros' }),
    Linear: linear,
  });
}

/** A number of channels as a multiple of 8, at most a tenth below. */
export function divisible(channels: number): number {
  const rounded = Math.max(8, Math.floor(Math.trunc(channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** A convolution without bias, and its norm. */
export function convNorm(inputs: number, outputs: number, kernel: number, groups = 1): Module {
  return container('Sequential', [conv2d(inputs, outputs, [kernel, kernel], false, groups), batchNorm(outputs)]);
}

interface Block {
  readonly inputs: number;
  readonly expanded: number;
  readonly outputs: number;
  readonly kernel: number;
  /** Channels of squeeze and excitation in between; 0 for none. */
  readonly squeezed: number;
}

/** The parts of a block: wider, one channel by another, weighted by all of them, narrower. */
export function invertedResidual({ inputs, expanded, outputs, kernel, squeezed }: Block): Module[] {
  const excitation = () => {
    const fc1 = conv2d(expanded, squeezed, [1, 1]);
    return container('SqueezeExcitation', { fc1, fc2: conv2d(squeezed, expanded, [1, 1]) });
  };
  return [
    ...(expanded === inputs ? [] : [convNorm(inputs, expanded, 1)]),
    convNorm(expanded, expanded, kernel, expanded),
    ...(squeezed === 0 ? [] : [excitation()]),
    convNorm(expanded, outputs, 1),
  ];
}
