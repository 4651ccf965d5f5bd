import { scaleFor } from '../scale.js';
import { checkGroups, codesOf, constantOf, type Weight } from '../weight.js';

/** Inputs that share a scale. */
export const nvfp4Group = 16;

/** What the scales of groups are, in FP8: in the upper part of its range, as those of trained weights are. */
const groupScale = 128;

/**
 * NVFP4's codes and scales, the global one apart: that of one tool is the reciprocal of the other's.
 *
 * @param name of the codes
 * @param round the scale that the file's global one, rounded to float32, makes
 */
export function nvfp4Tensors(weight: Weight, name: string, round: (global: number) => number) {
  const { module, tensor, outputs, inputs } = weight;
  checkGroups(weight, 1, nvfp4Group);
  const global = round(scaleFor(tensor.fill, 'float4_e2m1fn') / groupScale);
  const scale = Math.fround(groupScale * global);
  const codes = { grid: 'float4_e2m1fn', scale, order: 'rows' } as const;
  return {
    global,
    tensors: [
      codesOf(weight, name, 'uint8', [outputs, inputs / 2], codes),
      constantOf(`${module}.weight_scale`, 'float8_e4m3fn', [outputs, inputs / nvfp4Group], groupScale),
    ],
  };
}
