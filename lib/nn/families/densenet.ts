import { byKind, container, type Module } from '../module.js';
import { batchNorm, conv2d, linear } from '../modules/index.js';

const rule = byKind({
  Conv2d: () => ({ weight: 'kaiming_normal' }),
  BatchNorm2d: () => ({ weight: 'ones', bias: 'zeros' }),
  Linear: () => ({ bias: 'zeros' }),
});

/** @param growth how many channels each layer adds; it makes four times as many in between */
function densenet(growth: number, blocks: readonly number[], first: number): Module {
  let width = first;
  const features: Record<string, Module> = { conv0: conv2d(3, first, [7, 7], false), norm0: batchNorm(first) };
  for (const [index, depth] of blocks.entries()) {
    const layers = Array.from({ length: depth }, (_, layer) => {
      const inputs = width + layer * growth;
      const parts = {
        norm1: batchNorm(inputs),
        conv1: conv2d(inputs, 4 * growth, [1, 1], false),
        norm2: batchNorm(4 * growth),
        conv2: conv2d(4 * growth, growth, [3, 3], false),
      };
      return [`denselayer${layer + 1}`, container('DenseLayer', parts)] as const;
    });
    features[`denseblock${index + 1}`] = container('DenseBlock', Object.fromEntries(layers));
    width += depth * growth;
    if (index === blocks.length - 1) break;
    const half = Math.floor(width / 2);
    const transition = { norm: batchNorm(width), conv: conv2d(width, half, [1, 1], false) };
    features[`transition${index + 1}`] = container('Transition', transition);
    width = half;
  }
  features.norm5 = batchNorm(width);
  const children = { features: container('Sequential', features), classifier: linear(width, 1000) };
  return container('DenseNet', children, { initialize: rule });
}

/** DenseNet (Huang et al. 2016): convolutions kaiming_normal, the classifier's bias 0. */
export const densenets: Readonly<Record<string, () => Module>> = {
  densenet121: () => densenet(32, [6, 12, 24, 16], 64),
  densenet161: () => densenet(48, [6, 12, 36, 24], 96),
  densenet169: () => densenet(32, [6, 12, 32, 32], 64),
  densenet201: () => densenet(32, [6, 12, 48, 32], 64),
};
