import { z } from 'zod';
import { expressionOf, isMeant, skipList } from '../match.js';
import { checkGroups, codesOf, constantOf, groupTensor, type Method, type Scheme, scaleIn, wordOf } from '../weight.js';
import { defineMethod, groupSize, names } from './definition.js';

const bits = z.union([z.literal(4), z.literal(8)], { error: '4 or 8, the numbers of bits that nninit packs' });

/** What GPTQModel overrides for modules that an expression matches. */
const override = z.looseObject({ bits: bits.optional(), group_size: groupSize.optional() });

const layout = z.enum(['gptq', 'gptq_v2'], { error: "'gptq' or 'gptq_v2'" }).nullish();

interface Settings {
  readonly bits: 4 | 8;
  readonly group_size: number;
}

/**
 * Codes about a zero point in the middle: of 4 bits 1 to 15, which stand for -7 to 7.
 *
 * @param less what is taken of a zero point before it is stored
 */
function schemeOf({ bits, group_size }: Settings, less: 0 | 1): Scheme {
  const aWord = 32 / bits;
  const zero = 2 ** (bits - 1);
  return (weight) => {
    const { module, tensor, outputs, inputs } = weight;
    const group = group_size === -1 ? inputs : group_size;
    checkGroups(weight, 1, aWord);
    checkGroups(weight, 2, aWord, 'outputs');
    if (tensor.slice !== undefined) checkGroups(weight, 1, group);
    const groups = Math.ceil(inputs / group);
    const scale = scaleIn(weight, bits === 4 ? 'int4' : 'int8', 'float16');
    const codes = { grid: bits === 4 ? 'uint4' : 'uint8', scale, zero, limit: zero - 1, order: 'words' } as const;
    return [
      codesOf(weight, `${module}.qweight`, 'int32', [inputs / aWord, outputs], codes),
      constantOf(`${module}.qzeros`, 'int32', [groups, outputs / aWord], wordOf(zero - less, bits)),
      constantOf(`${module}.scales`, 'float16', [groups, outputs], scale),
      groupTensor(`${module}.g_idx`, inputs, group),
    ];
  };
}

/** GPTQ as AutoGPTQ and GPTQModel save it: transposed, eight inputs a word, of 8 bits four. */
export const gptq = defineMethod({
  config: z.looseObject({
    bits,
    group_size: groupSize.default(128),
    lm_head: z.boolean({ error: 'true or false' }).nullish(),
    checkpoint_format: layout,
    // The same by its newer name.
    format: layout,
    modules_to_not_convert: names.nullish(),
    modules_in_block_to_quantize: z
      .array(z.union([names, z.string()]), { error: 'a list of lists of names' })
      .nullish(),
    dynamic: z
      .record(
        z.string(),
        z.union([override, z.literal(false)], { error: 'an object with bits (4 or 8) and group_size, or false' }),
        { error: 'an object of overrides' },
      )
      .nullish(),
  }),
  preset: {
    bits: 4,
    group_size: 128,
    desc_act: false,
    sym: true,
    damp_percent: 0.01,
    true_sequential: true,
    lm_head: false,
    checkpoint_format: 'gptq',
  },
  method(config, place): Method {
    const skipped = skipList(config.modules_to_not_convert ?? [], `${place}: modules_to_not_convert`);
    const inside = config.modules_in_block_to_quantize?.flat();
    // The first format stores a zero point less one.
    const less = (config.checkpoint_format ?? config.format ?? 'gptq') === 'gptq' ? 1 : 0;
    const scheme = schemeOf(config, less);
    // The first expression that the name begins with counts: "-:" leaves the module out, "+:" or nothing overrides.
    const rules = Object.entries(config.dynamic ?? {}).map(([pattern, change]) => ({
      expression: expressionOf(pattern.replace(/^[-+]:/, ''), `${place}: dynamic`),
      scheme:
        pattern.startsWith('-:') || change === false
          ? undefined
          : schemeOf({ bits: change.bits ?? config.bits, group_size: change.group_size ?? config.group_size }, less),
    }));
    return (candidate) => {
      const { kind, isHead, isGate } = candidate;
      if (kind !== 'Linear' || isGate || (isHead && config.lm_head !== true) || isMeant(candidate, skipped))
        return undefined;
      const rule = rules.find(({ expression }) => isMeant(candidate, (name) => expression.matcher(name).lookingAt()));
      if (rule !== undefined) return rule.scheme;
      const isInside = (module: string) => inside?.some((name) => module.endsWith(`.${name}`)) ?? true;
      return isHead || isMeant(candidate, isInside) ? scheme : undefined;
    };
  },
});
