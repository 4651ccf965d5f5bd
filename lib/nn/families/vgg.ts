import { byKind, container, type Module, type Rule } from '../module.js';
import { batchNorm, conv2d, linear } from '../modules/index.js';

type Named = Readonly<Record<string, () => Module>>;

function alexnet(): Module {
  return container('AlexNet', {
    features: container('Sequential', {
      0: conv2d(3, 64, [11, 11]),
      3: conv2d(64, 192, [5, 5]),
      6: conv2d(192, 384, [3, 3]),
      8: conv2d(384, 256, [3, 3]),
      10: conv2d(256, 256, [3, 3]),
    }),
    classifier: container('Sequential', {
      1: linear(256 * 6 * 6, 4096),
      4: linear(4096, 4096),
      6: linear(4096, 1000),
    }),
  });
}

const rule: Rule = byKind({
  Conv2d: () => ({ weight: { init: 'kaiming_normal', mode: 'fan_out', nonlinearity: 'relu' }, bias: 'zeros' }),
  BatchNorm2d: () => ({ weight: 'ones', bias: 'zeros' }),
  Linear: () => ({ weight: { init: 'normal', std: 0.01 }, bias: 'zeros' }),
});

/** How many convolutions each of the five stages has; a place after each, and one after each stage, has no tensors. */
function vgg(depths: readonly number[], normed: boolean): Module {
  const features: Record<string, Module> = {};
  let [inputs, index] = [3, 0];
  for (const [stage, depth] of depths.entries()) {
    const outputs = Math.min(64 * 2 ** stage, 512);
    for (let layer = 0; layer < depth; layer++) {
      features[index] = conv2d(inputs, outputs, [3, 3]);
      if (normed) features[index + 1] = batchNorm(outputs);
      index += normed ? 3 : 2;
      inputs = outputs;
    }
    index++;
  }
  const classifier = { 0: linear(512 * 7 * 7, 4096), 3: linear(4096, 4096), 6: linear(4096, 1000) };
  const children = { features: container('Sequential', features), classifier: container('Sequential', classifier) };
  return container('VGG', children, { initialize: rule });
}

const depths: Readonly<Record<string, readonly number[]>> = {
  vgg11: [1, 1, 2, 2, 2],
  vgg13: [2, 2, 2, 2, 2],
  vgg16: [2, 2, 3, 3, 3],
  vgg19: [2, 2, 4, 4, 4],
};

/**
 * AlexNet (Krizhevsky 2014) as PyTorch's layers leave it, and VGG (Simonyan and Zisserman 2014): convolutions kaiming_normal by
 * fan_out for relu, linear layers N(0, 0.01²), biases 0.
 */
export const vggs: Named = {
  alexnet,
  ...Object.fromEntries(
    Object.entries(depths).flatMap(([name, each]) => [
      [name, () => vgg(each, false)],
      [`${name}_bn`, () => vgg(each, true)],
    ]),
  ),
};
