import { z } from 'zod';
import { isMeant, skipList } from '../match.js';
import { checkGroups, codesOf, constantOf, type Method, scaleIn, type Weight, wordOf } from '../weight.js';
import { defineMethod, fourBits, groupSize, names } from './definition.js';

/** The zero point in the middle: codes 1 to 15 stand for -7 to 7. */
const zero = 8;

/** AWQ as AutoAWQ saves it for its GEMM kernels: transposed, eight outputs a word, in an order of their own. */
export const awq = defineMethod({
  config: z.looseObject({
    bits: fourBits,
    group_size: groupSize.default(128),
    zero_point: z.literal(true, { error: 'true' }).default(true),
    version: z
      .string({ error: "'gemm'" })
      .refine((version) => version.toLowerCase() === 'gemm', { error: "'gemm'" })
      .default('gemm'),
    modules_to_not_convert: names.nullish(),
  }),
  preset: { bits: 4, group_size: 128, zero_point: true, version: 'gemm' },
  method(config, place): Method {
    const list = config.modules_to_not_convert ?? [];
    const matches = skipList(list, `${place}: modules_to_not_convert`);
    // AutoAWQ and the servers look for the text anywhere in the name.
    const skipped = (module: string) => matches(module) || list.some((text) => module.includes(text));
    const scheme = (weight: Weight) => {
      const { module, outputs, inputs } = weight;
      const group = config.group_size === -1 ? inputs : config.group_size;
      checkGroups(weight, 1, group);
      checkGroups(weight, 2, 8, 'outputs');
      const scale = scaleIn(weight, 'int4', 'float16');
      const codes = { grid: 'uint4', scale, zero, limit: 7, order: 'interleaved' } as const;
      return [
        codesOf(weight, `${module}.qweight`, 'int32', [inputs, outputs / 8], codes),
        constantOf(`${module}.qzeros`, 'int32', [inputs / group, outputs / 8], wordOf(zero, 4)),
        constantOf(`${module}.scales`, 'float16', [inputs / group, outputs], scale),
      ];
    };
    return (candidate) => {
      const { kind, isHead, isGate } = candidate;
      return kind === 'Linear' && !isHead && !isGate && !isMeant(candidate, skipped) ? scheme : undefined;
    };
  },
});
