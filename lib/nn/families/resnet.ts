import { byKind, container, type Module, repeat } from '../module.js';
import { batchNorm, conv2d, linear } from '../modules/index.js';

const rule = byKind({
  Conv2d: () => ({ weight: { init: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' } }),
  BatchNorm2d: () => ({ weight: 'ones', bias: 'zeros' }),
});

/** A convolution of a block, without bias, and the norm after it. */
function convolution(
  index: number,
  inputs: number,
  outputs: number,
  kernel: number,
  groups = 1,
): Record<string, Module> {
  return {
    [`conv${index}`]: conv2d(inputs, outputs, [kernel, kernel], false, groups),
    [`bn${index}`]: batchNorm(outputs),
  };
}

/** torchvision makes the shortcut's projection before the block that it is then part of, as its last child. */
function block(path: Record<string, Module>, inputs: number, outputs: number, stride: number): Module {
  if (stride === 1 && inputs === outputs) return container('Block', path);
  const downsample = container('Sequential', [conv2d(inputs, outputs, [1, 1], false), batchNorm(outputs)]);
  return container('Block', { ...path, downsample }, { construction: ['downsample', ...Object.keys(path)] });
}

function basic(inputs: number, width: number, stride: number): Module {
  return block({ ...convolution(1, inputs, width, 3), ...convolution(2, width, width, 3) }, inputs, width, stride);
}

/** @param base the width of each of the groups in between, where the block is 64 wide */
function bottlenecks(groups = 1, base = 64): typeof basic {
  return (inputs, width, stride) => {
    const outputs = 4 * width;
    const inner = Math.floor(width * (base / 64)) * groups;
    const path = {
      ...convolution(1, inputs, inner, 1),
      ...convolution(2, inner, inner, 3, groups),
      ...convolution(3, inner, outputs, 1),
    };
    return block(path, inputs, outputs, stride);
  };
}

function resnet(depths: readonly [number, number, number, number], make: typeof basic, expansion: 1 | 4): Module {
  let inputs = 64;
  const stage = (number: number, depth: number) => {
    const width = 64 * 2 ** (number - 1);
    return repeat(depth, (index) => {
      const made = make(inputs, width, number > 1 && index === 0 ? 2 : 1);
      inputs = width * expansion;
      return made;
    });
  };
  const children = {
    ...convolution(1, 3, 64, 7),
    layer1: stage(1, depths[0]),
    layer2: stage(2, depths[1]),
    layer3: stage(3, depths[2]),
    layer4: stage(4, depths[3]),
    fc: linear(512 * expansion, 1000),
  };
  return container('ResNet', children, { initialize: rule });
}

/**
 * ResNet (He et al. 2015, arXiv:1512.03385) as torchvision has it: convolutions kaiming_normal by fan_out for relu, norms 1 and 0,
 * the classifier as nn.Linear leaves it; a thousand classes. ResNeXt (Xie et al. 2016) and wide ones (Zagoruyko and Komodakis 2016) are wider inside their blocks.
 */
export const resnets: Readonly<Record<string, () => Module>> = {
  resnet18: () => resnet([2, 2, 2, 2], basic, 1),
  resnet34: () => resnet([3, 4, 6, 3], basic, 1),
  resnet50: () => resnet([3, 4, 6, 3], bottlenecks(), 4),
  resnet101: () => resnet([3, 4, 23, 3], bottlenecks(), 4),
  resnet152: () => resnet([3, 8, 36, 3], bottlenecks(), 4),
  resnext50_32x4d: () => resnet([3, 4, 6, 3], bottlenecks(32, 4), 4),
  resnext101_32x8d: () => resnet([3, 4, 23, 3], bottlenecks(32, 8), 4),
  resnext101_64x4d: () => resnet([3, 4, 23, 3], bottlenecks(64, 4), 4),
  wide_resnet50_2: () => resnet([3, 4, 6, 3], bottlenecks(1, 128), 4),
  wide_resnet101_2: () => resnet([3, 4, 23, 3], bottlenecks(1, 128), 4),
};
