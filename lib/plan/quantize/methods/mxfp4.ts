import { z } from 'zod';
import { isMeant, skipList } from '../match.js';
import { powerOfTwoFor } from '../scale.js';
import { checkGroups, codesOf, constantOf, type Method, type Weight } from '../weight.js';
import { defineMethod, names } from './definition.js';

/** Inputs that share an exponent. */
const group = 32;

/** MXFP4 as gpt-oss is published: the experts' weights, transposed, in blocks of 32 inputs with an exponent each. */
export const mxfp4 = defineMethod({
  config: z.looseObject({ modules_to_not_convert: names.nullish() }),
  preset: {
    modules_to_not_convert: ['model.layers.*.self_attn', 'model.layers.*.mlp.router', 'model.embed_tokens', 'lm_head'],
  },
  method(config, place): Method {
    const skipped = skipList(config.modules_to_not_convert ?? [], `${place}: modules_to_not_convert`);
    // In the model these are [experts, inputs, outputs].
    const scheme = (weight: Weight) => {
      const { module, tensor, outputs: inputs, inputs: outputs } = weight;
      checkGroups(weight, 2, group);
      const scale = powerOfTwoFor(tensor.fill, 'float4_e2m1fn');
      const [experts = 1] = tensor.shape;
      const shape = [experts, outputs, inputs / group];
      const codes = { grid: 'float4_e2m1fn', scale, order: 'columns' } as const;
      return [
        codesOf(weight, `${module}_blocks`, 'uint8', [...shape, group / 2], codes),
        constantOf(`${module}_scales`, 'uint8', shape, Math.log2(scale) + 127),
      ];
    };
    return (candidate) => (candidate.kind === 'Experts' && !isMeant(candidate, skipped) ? scheme : undefined);
  },
});
