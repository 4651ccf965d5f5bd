import { inverseRoot } from '../../core/inverse-root.js';
import { elementsOf } from '../../core/shape.js';
import { definePreset } from './definition.js';

const he = 'N(0, 2 / (out·∏k))';

export const fixup = definePreset({
  summary: 'Residual networks without normalization: each branch begins as zero.',
  source: 'Zhang, Dauphin & Ma 2019, Fixup Initialization, arXiv:1901.09321',
  beside:
    'Each convolution, linear layer and activation is to have a scalar bias before it, and each branch a multiplier.',
  parameters: [
    { name: 'blocks', kind: 'integer', min: 1, required: true, doc: 'residual blocks of the model, L' },
    {
      name: 'convolutions',
      kind: 'integer',
      min: 2,
      max: 3,
      default: 2,
      doc: 'convolutions of a block, m: 2 (basic) or 3 (bottleneck)',
    },
  ],
  globs: ({ convolutions }) => ({ branch_last: [`*.conv${convolutions}.weight`] }),
  rules: [
    {
      role: 'convolution',
      formula: he,
      initializer: () => ({ init: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' }),
    },
    {
      role: 'branch',
      formula: `${he} · L^(-1/(2m - 2))`,
      initializer: ({ blocks, convolutions }) => ({
        init: 'kaiming_normal',
        mode: 'fan_out',
        gain: Math.SQRT2 * inverseRoot(blocks, convolutions === 2 ? 2 : 4),
      }),
    },
    { role: 'branch_last', formula: '0', initializer: () => 'zeros' },
    { role: 'head', formula: '0', initializer: () => 'zeros' },
    { role: 'norm', formula: '1', initializer: () => 'ones' },
    { role: 'bias', formula: '0', initializer: () => 'zeros' },
    { role: 'scale', formula: '1', initializer: () => 'ones' },
  ],
});

export const siren = definePreset({
  summary: 'Networks of sines, for images, sounds and fields as functions. Biases stay as they are.',
  source: 'Sitzmann et al. 2020, Implicit Neural Representations with Periodic Activation Functions, arXiv:2006.09661',
  beside: 'Activations are to be sin(ω·x), in the first layer too.',
  parameters: [{ name: 'omega', kind: 'number', above: 0, default: 30, doc: 'the frequency, ω' }],
  namedRoles: ['first'],
  rules: [
    {
      role: 'matrix',
      formula: 'U(±√(6/n) / ω), n inputs',
      initializer: ({ omega }) => ({
        init: 'variance_scaling',
        scale: 2 / omega ** 2,
        mode: 'fan_in',
        distribution: 'uniform',
      }),
    },
    {
      role: 'first',
      formula: 'U(±1/n)',
      initializer(_, { shape }) {
        const inputs = elementsOf(shape.slice(1));
        return inputs === 0 ? 'zeros' : { init: 'uniform', a: -1 / inputs, b: 1 / inputs };
      },
    },
  ],
});
