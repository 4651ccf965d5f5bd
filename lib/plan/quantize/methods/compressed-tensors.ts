import { z } from 'zod';
import { quoted, rangeError } from '../../../core/check.js';
import type { PlannedTensor } from '../../plan.js';
import { isMeant, targetList } from '../match.js';
import type { WeightGrid } from '../scale.js';
import {
  checkGroups,
  codesOf,
  constantOf,
  groupTensor,
  type Method,
  refusal,
  type Scheme,
  scaleIn,
  shapeTensor,
  type Weight,
  wordOf,
} from '../weight.js';
import { block, defineMethod, groupSize, names } from './definition.js';
import { nvfp4Tensors } from './nvfp4.js';

const strategies = ['tensor', 'channel', 'group', 'tensor_group', 'block'] as const;

const weights = z.looseObject({
  num_bits: z.int({ error: '4 or 8' }).refine((bits) => bits === 4 || bits === 8, { error: '4 or 8' }),
  type: z.enum(['int', 'float'], { error: "'int' or 'float'" }),
  strategy: z.enum(strategies, { error: "'tensor', 'channel', 'group', 'tensor_group' or 'block'" }).nullish(),
  group_size: groupSize.nullish(),
  block_structure: block.nullish(),
  symmetric: z.boolean({ error: 'true or false' }).default(true),
  actorder: z.unknown().optional(),
});

type Weights = z.output<typeof weights>;

const activations = z
  .looseObject({ dynamic: z.union([z.boolean(), z.string()]).nullish(), symmetric: z.unknown().optional() })
  .nullish();

const formats = [
  'float-quantized',
  'int-quantized',
  'naive-quantized',
  'pack-quantized',
  'nvfp4-pack-quantized',
] as const;

const format = z.enum(formats, { error: formats.map((name) => `'${name}'`).join(', ') }).nullish();

const group = z.looseObject({ weights: weights.nullish(), input_activations: activations, targets: names, format });

const strategyOf = ({ strategy, group_size: size }: Weights): (typeof strategies)[number] =>
  strategy ?? (size == null ? 'tensor' : size === -1 ? 'channel' : 'group');

/** The scale's shape, what shares one being checked. */
function scaleShape(weight: Weight, settings: Weights): number[] {
  const { outputs, inputs, tensor } = weight;
  const { group_size, block_structure } = settings;
  switch (strategyOf(settings)) {
    case 'tensor':
      return [1];
    case 'channel':
      return [outputs, 1];
    case 'group':
    case 'tensor_group': {
      const size = group_size == null || group_size === -1 ? inputs : group_size;
      checkGroups(weight, 1, size);
      return [outputs, inputs / size];
    }
    case 'block': {
      const [rows, columns] = block_structure ?? [128, 128];
      if (tensor.slice !== undefined) {
        checkGroups(weight, 2, rows, 'outputs');
        checkGroups(weight, 1, columns);
      }
      return [Math.ceil(outputs / rows), Math.ceil(inputs / columns)];
    }
  }
}

const zeroPoint = (name: string, shape: readonly number[], dtype: 'int8' | 'float8_e4m3fn'): PlannedTensor => ({
  name,
  shape,
  dtype,
  initializer: 'zeros',
});

/** Codes of 8 bits as they are, and a scale. */
function plain(settings: Weights, grid: WeightGrid): Scheme {
  return (weight) => {
    const { module, tensor, dtype } = weight;
    const scale = scaleIn(weight, grid, dtype);
    const limit = grid === 'int8' ? { limit: 127 } : {};
    const shape = scaleShape(weight, settings);
    const stored = grid === 'int8' ? 'int8' : 'float8_e4m3fn';
    return [
      codesOf(weight, tensor.name, stored, tensor.shape, { grid, scale, ...limit, order: 'rows' }),
      constantOf(`${module}.weight_scale`, dtype, shape, scale),
      ...(settings.symmetric ? [] : [zeroPoint(`${module}.weight_zero_point`, shape, stored)]),
    ];
  };
}

/** Integers in words of 32 bits, each with half of the range added. */
function packed(settings: Weights): Scheme {
  const four = settings.num_bits === 4;
  return (weight) => {
    const { module, dtype, outputs, inputs } = weight;
    const perWord = four ? 8 : 4;
    checkGroups(weight, 1, perWord);
    const scale = scaleIn(weight, four ? 'int4' : 'int8', dtype);
    const shape = scaleShape(weight, settings);
    const codes = four
      ? ({ grid: 'uint4', scale, zero: 8, limit: 7, order: 'rows' } as const)
      : ({ grid: 'uint8', scale, zero: 128, limit: 127, order: 'rows' } as const);
    const tensors = [
      codesOf(weight, `${module}.weight_packed`, 'int32', [outputs, inputs / perWord], codes),
      constantOf(`${module}.weight_scale`, dtype, shape, scale),
      shapeTensor(`${module}.weight_shape`, [outputs, inputs]),
    ];
    // One zero point alone is a number of its own, without half of the range added.
    if (!settings.symmetric && shape.length === 1) {
      tensors.push(zeroPoint(`${module}.weight_zero_point`, shape, 'int8'));
    } else if (!settings.symmetric) {
      const [rows = 1, columns = 1] = shape;
      if (rows % perWord !== 0)
        throw refusal(weight.tensor, `a multiple of ${perWord} rows of scales, whose zero points share words`, rows);
      const zeros = four ? wordOf(8, 4) : wordOf(128, 8);
      tensors.push(constantOf(`${module}.weight_zero_point`, 'int32', [rows / perWord, columns], zeros));
    }
    if (settings.actorder === 'group' || settings.actorder === true) {
      tensors.push(groupTensor(`${module}.weight_g_idx`, inputs, inputs / (shape[1] ?? 1)));
    }
    return tensors;
  };
}

/** NVFP4: the file's global scale is what the scales of groups are divided by. */
function nvfp4(hasInput: boolean): Scheme {
  return (weight) => {
    const { module } = weight;
    const { global, tensors } = nvfp4Tensors(weight, `${module}.weight_packed`, (x) => 1 / Math.fround(1 / x));
    return [
      ...tensors,
      constantOf(`${module}.weight_global_scale`, 'float32', [1], Math.fround(1 / global)),
      ...(hasInput ? [constantOf(`${module}.input_global_scale`, 'float32', [1], 1)] : []),
    ];
  };
}

function schemeOf(settings: Weights, name: (typeof formats)[number], hasInput: boolean, place: string): Scheme {
  const { type, num_bits: bits } = settings;
  const refuse = (what: string) =>
    new RangeError(
      `${place}: weights: expected ${what} for '${name}', but received type '${type}' and num_bits ${bits}`,
    );
  switch (name) {
    case 'float-quantized':
      if (type !== 'float' || bits !== 8) throw refuse("type 'float' and num_bits 8");
      return plain(settings, 'float8_e4m3fn');
    case 'int-quantized':
      if (type !== 'int' || bits !== 8) throw refuse("type 'int' and num_bits 8");
      return plain(settings, 'int8');
    case 'naive-quantized':
      if (bits !== 8) throw refuse('num_bits 8');
      return plain(settings, type === 'int' ? 'int8' : 'float8_e4m3fn');
    case 'pack-quantized':
      if (type !== 'int') throw refuse("type 'int'");
      return packed(settings);
    case 'nvfp4-pack-quantized':
      if (type !== 'float' || bits !== 4) throw refuse("type 'float' and num_bits 4");
      return nvfp4(hasInput);
  }
}

const linear4 = {
  num_bits: 4,
  type: 'int',
  strategy: 'group',
  group_size: 128,
  symmetric: true,
  dynamic: false,
  actorder: null,
};
const ofGroup = (weights: unknown, format: string, input: unknown = null) => ({
  config_groups: {
    group_0: { input_activations: input, output_activations: null, targets: ['Linear'], weights, format },
  },
  format,
  ignore: ['lm_head'],
  kv_cache_scheme: null,
  quantization_status: 'compressed',
});

/** What `quantize: NAME` writes, by the name of the format. */
export const compressedPresets: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'float-quantized': ofGroup(
    { num_bits: 8, type: 'float', strategy: 'channel', symmetric: true, dynamic: false },
    'float-quantized',
    { num_bits: 8, type: 'float', strategy: 'token', symmetric: true, dynamic: true },
  ),
  'pack-quantized': ofGroup(linear4, 'pack-quantized'),
  'nvfp4-pack-quantized': ofGroup(
    { num_bits: 4, type: 'float', strategy: 'tensor_group', group_size: 16, symmetric: true, dynamic: false },
    'nvfp4-pack-quantized',
    { num_bits: 4, type: 'float', strategy: 'tensor_group', group_size: 16, symmetric: true, dynamic: 'local' },
  ),
};

/** compressed-tensors, as llm-compressor saves it. */
export const compressedTensors = defineMethod({
  config: z.looseObject({
    config_groups: z.record(z.string(), group, { error: 'an object of groups' }),
    // 'mixed-precision' where each group has its own.
    format: z.string({ error: 'a format' }).nullish(),
    ignore: names.nullish(),
    sparsity_config: z
      .looseObject({ format: z.literal('dense', { error: "'dense': sparse weights are not written" }).nullish() })
      .nullish(),
  }),
  preset: compressedPresets['pack-quantized'] ?? {},
  method(config, place): Method {
    const ignored = targetList(config.ignore ?? [], `${place}: ignore`);
    const groups = Object.entries(config.config_groups).map(([name, { weights: settings, targets, ...group }]) => {
      const here = `${place}: config_groups.${name}`;
      const used = group.format ?? formats.find((known) => known === config.format);
      if (settings != null && used === undefined) {
        throw rangeError(here, 'format', `one of ${quoted(formats)}`, config.format);
      }
      const inputs = group.input_activations;
      const isStatic = inputs != null && inputs.dynamic !== true;
      const scheme = settings == null || used === undefined ? undefined : schemeOf(settings, used, isStatic, here);
      const withInput: Scheme | undefined =
        scheme !== undefined && isStatic && used !== 'nvfp4-pack-quantized'
          ? (weight) => [
              ...scheme(weight),
              constantOf(`${weight.module}.input_scale`, weight.dtype, [1], 1),
              ...(inputs.symmetric === false ? [zeroPoint(`${weight.module}.input_zero_point`, [1], 'int8')] : []),
            ]
          : scheme;
      return { matches: targetList(targets, `${here}.targets`), scheme: withInput };
    });
    return (candidate) => {
      const { kind } = candidate;
      if (kind !== 'Linear' || isMeant(candidate, (name) => ignored(name, kind))) return undefined;
      return groups.find(({ matches }) => isMeant(candidate, (name) => matches(name, kind)))?.scheme;
    };
  },
});
