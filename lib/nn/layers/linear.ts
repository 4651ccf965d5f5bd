import type { Initializer } from '../../init/initializers.js';
import { bias, define, size } from './definition.js';
import { inOrder, type Layer } from './layer.js';

/** U(±1/√fan_in): PyTorch's default for weights, which it writes as Kaiming's for a leaky ReLU of slope √5. */
export const defaultWeight: Initializer = { init: 'kaiming_uniform', a: Math.sqrt(5) };

/** U[-bound, bound), also where PyTorch draws for a bound of zero. */
export function uniformWithin(bound: number): Initializer {
  return { init: 'uniform', a: bound === 0 ? 0 : -bound, b: bound };
}

/** The default of a bias beside a weight of a given fan in. */
export function defaultBias(fan_in: number): Initializer {
  return uniformWithin(fan_in > 0 ? 1 / Math.sqrt(fan_in) : 0);
}

/** `torch.nn.Linear`. */
export function linear(in_features: number, out_features: number, hasBias: boolean): Layer {
  return inOrder([
    { name: 'weight', shape: [out_features, in_features], initializer: defaultWeight },
    hasBias && { name: 'bias', shape: [out_features], initializer: defaultBias(in_features) },
  ]);
}

export const linearLayers = {
  Linear: define({
    summary: 'y = x Wᵀ + b, with W of shape (out, in).',
    initialization: 'weight and bias U(±1/√in_features)',
    arguments: [size('in_features', 'features of an input'), size('out_features', 'features of an output'), bias],
    build: ({ in_features, out_features, bias }) => linear(in_features, out_features, bias),
  }),
  Bilinear: define({
    summary: 'y = x₁ᵀ W x₂ + b, with W of shape (out, in1, in2).',
    initialization: 'weight and bias U(±1/√in1_features)',
    arguments: [
      size('in1_features', 'features of the first input', 1),
      size('in2_features', 'features of the second input'),
      size('out_features', 'features of an output'),
      bias,
    ],
    build({ in1_features, in2_features, out_features, bias }) {
      const initializer = uniformWithin(1 / Math.sqrt(in1_features));
      return inOrder([
        { name: 'weight', shape: [out_features, in1_features, in2_features], initializer },
        bias && { name: 'bias', shape: [out_features], initializer },
      ]);
    },
  }),
  PReLU: define({
    summary: 'max(0, x) + w·min(0, x), with one learnable slope or one for each channel.',
    initialization: 'weight constant: init',
    arguments: [
      {
        name: 'num_parameters',
        kind: 'integer',
        min: 0,
        default: 1,
        positional: true,
        doc: '1, or the number of channels',
      },
      { name: 'init', kind: 'number', default: 0.25, positional: true, doc: 'the slope to begin with' },
    ],
    build: ({ num_parameters, init }) =>
      inOrder([{ name: 'weight', shape: [num_parameters], initializer: { init: 'constant', val: init } }]),
  }),
} as const;
