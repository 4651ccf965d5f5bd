import { elementsOf } from '../../core/shape.js';
import type { Initializer } from '../../init/initializers.js';
import { type OwnTensor, parameter } from '../module.js';
import type { Known, When } from '../typed.js';
import { bias, define, size } from './definition.js';

/** U(±1/√fan_in): PyTorch's default for weights, which it writes as Kaiming's for a leaky ReLU of slope √5. */
const kaiming: Initializer = { init: 'kaiming_uniform', a: Math.sqrt(5) };

/** U(±1/√fan), also where PyTorch draws for a bound of zero. */
export function uniformBy(fan: number): Initializer {
  const bound = fan > 0 ? 1 / Math.sqrt(fan) : 0;
  return { init: 'uniform', a: bound === 0 ? 0 : -bound, b: bound };
}

/** A weight, and a bias where the argument `bias` says so. */
export type WeightAndBias = { readonly weight: OwnTensor; readonly bias?: When<{ bias: true }> };

/** `reset_parameters` of linear layers and convolutions: U(±1/√fan_in), the fan read off the weight as it lies. */
export function weightAndBias(shape: readonly number[], bias: boolean, outputs = shape[0] ?? 0): WeightAndBias {
  const weight = parameter(shape, kaiming);
  return bias ? { weight, bias: parameter([outputs], uniformBy(elementsOf(shape.slice(1)))) } : { weight };
}

/** `torch.nn.Linear`. */
export function linear(inputs: number, outputs: number, bias = true): Known<WeightAndBias> {
  return { kind: 'Linear', own: weightAndBias([outputs, inputs], bias), children: {} };
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
    build({ in1_features, in2_features, out_features, bias }): Known<WeightAndBias> {
      const initial = uniformBy(in1_features);
      const weight = parameter([out_features, in1_features, in2_features], initial);
      const own = bias ? { weight, bias: parameter([out_features], initial) } : { weight };
      return { kind: 'Bilinear', own, children: {} };
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
    build: ({ num_parameters, init }) => ({
      kind: 'PReLU',
      own: { weight: parameter([num_parameters], { init: 'constant', val: init }) },
      children: {},
    }),
  }),
} as const;
