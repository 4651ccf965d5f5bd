import { byKind, container, type Module, parameter, type Rule, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';

const truncated: Rule = () => ({ weight: { init: 'trunc_normal', std: 0.02 }, bias: 'zeros' });

function block(width: number): Module {
  const parts = {
    0: conv2d(width, width, [7, 7], true, width),
    2: layerNorm(width),
    3: linear(width, 4 * width),
    5: linear(4 * width, width),
  };
  return {
    kind: 'CNBlock',
    own: { layer_scale: parameter([width, 1, 1], { init: 'constant', val: 1e-6 }) },
    children: { block: container('Sequential', parts) },
  };
}

function convnext(width: number, depths: readonly number[]): Module {
  const features: Module[] = [container('Sequential', [conv2d(3, width, [4, 4]), layerNorm(width)])];
  for (const [stage, depth] of depths.entries()) {
    const channels = width * 2 ** stage;
    if (stage > 0) {
      const half = channels / 2;
      features.push(container('Sequential', [layerNorm(half), conv2d(half, channels, [2, 2])]));
    }
    features.push(repeat(depth, () => block(channels)));
  }
  const last = width * 2 ** (depths.length - 1);
  const children = {
    features: container('Sequential', features),
    classifier: container('Sequential', { 0: layerNorm(last), 2: linear(last, 1000) }),
  };
  return container('ConvNeXt', children, { initialize: byKind({ Conv2d: truncated, Linear: truncated }) });
}

/** ConvNeXt (Liu et al. 2022) as torchvision has it: N(0, 0.02²) within ±2, biases 0, blocks scaled by 10⁻⁶. */
export const convnexts: Readonly<Record<string, () => Module>> = {
  convnext_tiny: () => convnext(96, [3, 3, 9, 3]),
  convnext_small: () => convnext(96, [3, 3, 27, 3]),
  convnext_base: () => convnext(128, [3, 3, 27, 3]),
  convnext_large: () => convnext(192, [3, 3, 27, 3]),
};
