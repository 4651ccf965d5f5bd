import { z } from 'zod';
import { isPlainObject } from '../../../core/check.js';
import { globList, isMeant } from '../match.js';
import { codesOf, constantOf, type Method, type Scheme, scaleIn } from '../weight.js';
import { defineMethod, names } from './definition.js';
import { nvfp4Tensors } from './nvfp4.js';

const fp4: Scheme = (weight) => {
  const { module, tensor } = weight;
  const { global, tensors } = nvfp4Tensors(weight, tensor.name, Math.fround);
  return [
    ...tensors,
    constantOf(`${module}.weight_scale_2`, 'float32', [], global),
    constantOf(`${module}.input_scale`, 'float32', [], 1),
  ];
};

const fp8: Scheme = (weight) => {
  const { module, tensor } = weight;
  const scale = scaleIn(weight, 'float8_e4m3fn', 'float32');
  return [
    codesOf(weight, tensor.name, 'float8_e4m3fn', tensor.shape, { grid: 'float8_e4m3fn', scale, order: 'rows' }),
    constantOf(`${module}.weight_scale`, 'float32', [], scale),
    constantOf(`${module}.input_scale`, 'float32', [], 1),
  ];
};

/** NVIDIA's Model Optimizer. */
export const modelopt = defineMethod({
  // As in hf_quant_config.json, some configs have it all under `quantization`.
  config: z.preprocess(
    (given) =>
      isPlainObject(given) && isPlainObject(given.quantization) ? { ...given, ...given.quantization } : given,
    z.looseObject({
      quant_algo: z.enum(['NVFP4', 'FP8'], { error: "'NVFP4' or 'FP8'" }),
      ignore: names.nullish(),
      exclude_modules: names.nullish(),
    }),
  ),
  preset: { quant_algo: 'NVFP4', ignore: ['lm_head'] },
  method(config, place): Method {
    const list = config.ignore ?? config.exclude_modules ?? [];
    const skipped = globList(list, `${place}: ignore`);
    const scheme = config.quant_algo === 'NVFP4' ? fp4 : fp8;
    return (candidate) =>
      candidate.kind === 'Linear' && !candidate.isDerived && !isMeant(candidate, skipped) ? scheme : undefined;
  },
});
