import { container, type Module } from '../module.js';
import { batchNorm, conv2d, linear } from '../modules/index.js';
import { convNorm, divisible, invertedResidual, mobileInit } from './inverted-residual.js';

const rule = mobileInit(() => ({ weight: { init: 'normal', std: 0.01 }, bias: 'zeros' }));

function network(features: Module[], classifier: Readonly<Record<string, Module>>): Module {
  const children = { features: container('Sequential', features), classifier: container('Sequential', classifier) };
  return container('MobileNet', children, { initialize: rule });
}

/** By expansion, channels and repetitions. */
const second = [
  [1, 16, 1],
  [6, 24, 2],
  [6, 32, 3],
  [6, 64, 4],
  [6, 96, 3],
  [6, 160, 3],
  [6, 320, 1],
] as const;

function mobilenetV2(): Module {
  let inputs = 32;
  const blocks = second.flatMap(([expansion, outputs, count]) =>
    Array.from({ length: count }, () => {
      const parts = invertedResidual({ inputs, expanded: inputs * expansion, outputs, kernel: 3, squeezed: 0 });
      // The last convolution and its norm stand in the block itself.
      const conv = [...parts.slice(0, -1), conv2d(inputs * expansion, outputs, [1, 1], false), batchNorm(outputs)];
      inputs = outputs;
      return container('InvertedResidual', { conv: container('Sequential', conv) });
    }),
  );
  return network([convNorm(3, 32, 3), ...blocks, convNorm(320, 1280, 1)], { 1: linear(1280, 1000) });
}

type Row = readonly [kernel: number, expanded: number, outputs: number, squeeze: 0 | 1];

const large: readonly Row[] = [
  [3, 16, 16, 0],
  [3, 64, 24, 0],
  [3, 72, 24, 0],
  [5, 72, 40, 1],
  [5, 120, 40, 1],
  [5, 120, 40, 1],
  [3, 240, 80, 0],
  [3, 200, 80, 0],
  [3, 184, 80, 0],
  [3, 184, 80, 0],
  [3, 480, 112, 1],
  [3, 672, 112, 1],
  [5, 672, 160, 1],
  [5, 960, 160, 1],
  [5, 960, 160, 1],
];

const small: readonly Row[] = [
  [3, 16, 16, 1],
  [3, 72, 24, 0],
  [3, 88, 24, 0],
  [5, 96, 40, 1],
  [5, 240, 40, 1],
  [5, 240, 40, 1],
  [5, 120, 48, 1],
  [5, 144, 48, 1],
  [5, 288, 96, 1],
  [5, 576, 96, 1],
  [5, 576, 96, 1],
];

function mobilenetV3(rows: readonly Row[], last: number): Module {
  let inputs = 16;
  const blocks = rows.map(([kernel, expanded, outputs, squeeze]) => {
    const squeezed = squeeze === 1 ? divisible(Math.floor(expanded / 4)) : 0;
    const block = container('Sequential', invertedResidual({ inputs, expanded, outputs, kernel, squeezed }));
    inputs = outputs;
    return container('InvertedResidual', { block });
  });
  const width = 6 * inputs;
  return network([convNorm(3, 16, 3), ...blocks, convNorm(inputs, width, 1)], {
    0: linear(width, last),
    3: linear(last, 1000),
  });
}

/** MobileNet V2 (Sandler et al. 2018) and V3 (Howard et al. 2019): convolutions kaiming_normal by fan_out, linear layers N(0, 0.01²). */
export const mobilenets: Readonly<Record<string, () => Module>> = {
  mobilenet_v2: mobilenetV2,
  mobilenet_v3_large: () => mobilenetV3(large, 1280),
  mobilenet_v3_small: () => mobilenetV3(small, 1024),
};
