import { container, type Module } from '../module.js';
import { linear } from '../modules/index.js';
import { convNorm, divisible, invertedResidual, mobileInit } from './inverted-residual.js';

const rule = mobileInit(({ own }) => {
  const bound = 1 / Math.sqrt(own?.weight?.shape[0] ?? 1);
  return { weight: { init: 'uniform', a: -bound, b: bound }, bias: 'zeros' };
});

/** Fused blocks have one convolution in place of the first two, and no squeezing. */
type Row = readonly [expansion: number, kernel: number, inputs: number, outputs: number, layers: number, fused?: true];

function block(inputs: number, [expansion, kernel, , outputs, , fused]: Row): Module {
  const expanded = divisible(inputs * expansion);
  const fusedParts = () =>
    expanded === inputs
      ? [convNorm(inputs, outputs, kernel)]
      : [convNorm(inputs, expanded, kernel), convNorm(expanded, outputs, 1)];
  const squeezed = Math.max(1, Math.floor(inputs / 4));
  const parts = fused === true ? fusedParts() : invertedResidual({ inputs, expanded, outputs, kernel, squeezed });
  return container('MBConv', { block: container('Sequential', parts) });
}

function efficientnet(rows: readonly Row[], last?: number): Module {
  const stages = rows.map((row) => {
    const [, , inputs, outputs, layers] = row;
    const blocks = Array.from({ length: layers }, (_, index) => block(index === 0 ? inputs : outputs, row));
    return container('Sequential', blocks);
  });
  const end = rows.at(-1)?.[3] ?? 1;
  const width = last ?? 4 * end;
  const features = [convNorm(3, rows[0]?.[2] ?? 1, 3), ...stages, convNorm(end, width, 1)];
  const children = {
    features: container('Sequential', features),
    classifier: container('Sequential', { 1: linear(width, 1000) }),
  };
  return container('EfficientNet', children, { initialize: rule });
}

const first: readonly Row[] = [
  [1, 3, 32, 16, 1],
  [6, 3, 16, 24, 2],
  [6, 5, 24, 40, 2],
  [6, 3, 40, 80, 3],
  [6, 5, 80, 112, 3],
  [6, 5, 112, 192, 4],
  [6, 3, 192, 320, 1],
];

function scaled(width: number, depth: number): Module {
  const rows = first.map(([expansion, kernel, inputs, outputs, layers]): Row => {
    return [expansion, kernel, divisible(inputs * width), divisible(outputs * width), Math.ceil(layers * depth)];
  });
  return efficientnet(rows);
}

const small: readonly Row[] = [
  [1, 3, 24, 24, 2, true],
  [4, 3, 24, 48, 4, true],
  [4, 3, 48, 64, 4, true],
  [4, 3, 64, 128, 6],
  [6, 3, 128, 160, 9],
  [6, 3, 160, 256, 15],
];

const medium: readonly Row[] = [
  [1, 3, 24, 24, 3, true],
  [4, 3, 24, 48, 5, true],
  [4, 3, 48, 80, 5, true],
  [4, 3, 80, 160, 7],
  [6, 3, 160, 176, 14],
  [6, 3, 176, 304, 18],
  [6, 3, 304, 512, 5],
];

const large: readonly Row[] = [
  [1, 3, 32, 32, 4, true],
  [4, 3, 32, 64, 7, true],
  [4, 3, 64, 96, 7, true],
  [4, 3, 96, 192, 10],
  [6, 3, 192, 224, 19],
  [6, 3, 224, 384, 25],
  [6, 3, 384, 640, 7],
];

/** EfficientNet (Tan and Le 2019) and its second version (2021): convolutions kaiming_normal by fan_out, the classifier U(±1/√1000). */
export const efficientnets: Readonly<Record<string, () => Module>> = {
  efficientnet_b0: () => scaled(1, 1),
  efficientnet_b1: () => scaled(1, 1.1),
  efficientnet_b2: () => scaled(1.1, 1.2),
  efficientnet_b3: () => scaled(1.2, 1.4),
  efficientnet_b4: () => scaled(1.4, 1.8),
  efficientnet_b5: () => scaled(1.6, 2.2),
  efficientnet_b6: () => scaled(1.8, 2.6),
  efficientnet_b7: () => scaled(2, 3.1),
  efficientnet_v2_s: () => efficientnet(small, 1280),
  efficientnet_v2_m: () => efficientnet(medium, 1280),
  efficientnet_v2_l: () => efficientnet(large, 1280),
};
