import { z } from 'zod';
import { isMeant, skipList } from '../match.js';
import { powerOfTwoFor } from '../scale.js';
import { checkGroups, codesOf, constantOf, type Method, scaleIn, type Weight } from '../weight.js';
import { block, defineMethod, names } from './definition.js';

/** What transformers leaves out of T5 and its kin, whatever the list says: `_keep_in_fp32_modules`. */
const keptInFloat32 = /\.DenseReluDense\.wo$/;

/** FP8 in blocks with a scale each, as DeepSeek-V3 and Qwen3-FP8 are published; transformers' FineGrainedFP8Config. */
export const fp8 = defineMethod({
  config: z.looseObject({
    fmt: z.literal('e4m3', { error: "'e4m3'" }).optional(),
    weight_block_size: block.nullable().default([128, 128]),
    activation_scheme: z.enum(['dynamic', 'static'], { error: "'dynamic' or 'static'" }).default('dynamic'),
    scale_fmt: z.enum(['float', 'ue8m0'], { error: "'float' or 'ue8m0'" }).default('float'),
    modules_to_not_convert: names.nullish(),
    ignored_layers: names.nullish(),
    modules_to_convert: names.max(0, { error: 'no modules besides the linear layers' }).nullish(),
  }),
  preset: { fmt: 'e4m3', weight_block_size: [128, 128], activation_scheme: 'dynamic' },
  method(config, place): Method {
    const list = config.modules_to_not_convert ?? config.ignored_layers;
    const skipped = skipList(list ?? [], `${place}: modules_to_not_convert`);
    const scheme = (weight: Weight) => {
      const { module, tensor, outputs, inputs } = weight;
      const powers = config.scale_fmt === 'ue8m0';
      const scale = powers ? powerOfTwoFor(tensor.fill, 'float8_e4m3fn') : scaleIn(weight, 'float8_e4m3fn', 'float32');
      const [rows, columns] = config.weight_block_size ?? [1, 1];
      const grid = config.weight_block_size === null ? [] : [Math.ceil(outputs / rows), Math.ceil(inputs / columns)];
      if (tensor.slice !== undefined) {
        checkGroups(weight, 2, rows, 'outputs');
        checkGroups(weight, 1, columns);
      }
      return [
        codesOf(weight, tensor.name, 'float8_e4m3fn', tensor.shape, { grid: 'float8_e4m3fn', scale, order: 'rows' }),
        constantOf(`${module}.weight_scale_inv`, powers ? 'float8_e8m0fnu' : 'float32', grid, scale),
        ...(config.activation_scheme === 'static' ? [constantOf(`${module}.activation_scale`, 'float32', [], 1)] : []),
      ];
    };
    return (candidate) => {
      const { module, kind, isHead, isLast, isDerived } = candidate;
      const isLeft = list == null ? isHead || isLast : isMeant(candidate, skipped);
      return kind === 'Linear' && !isDerived && !keptInFloat32.test(module) && !isLeft ? scheme : undefined;
    };
  },
});
