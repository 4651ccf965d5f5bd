import { z } from 'zod';
import { type Parameter, rangeOf, type SizesParameter } from '../../core/parameter.js';
import { oneOf } from '../../core/schemas.js';

/** The schema of one parameter of an initializer, a layer or a preset; `nested` is that of a layer. */
export function parameterSchema(parameter: Parameter, nested: z.ZodType = z.never()): z.ZodType {
  let schema = valueSchema(parameter, nested);
  if (parameter.nullable) schema = schema.nullable();
  schema = schema.describe(parameter.doc + (parameter.unused ? ' (changes neither shapes nor values)' : ''));
  return parameter.required ? schema : schema.optional();
}

function valueSchema(parameter: Parameter, nested: z.ZodType): z.ZodType {
  const orNull = parameter.nullable ? ', or null' : '';
  switch (parameter.kind) {
    case 'boolean':
      return z.boolean({ error: 'true or false' });
    case 'word':
      return oneOf(parameter.words);
    case 'layer':
      return nested;
    case 'sizes':
      return sizesSchema(parameter, orNull);
    default: {
      const { kind, min, above, max } = parameter;
      const error = `a ${kind === 'integer' ? 'whole' : 'finite'} number${rangeOf(parameter)}${orNull}`;
      let schema: z.ZodNumber = kind === 'integer' ? z.int({ error }) : z.number({ error });
      if (min !== undefined) schema = schema.min(min, { error });
      if (above !== undefined) schema = schema.gt(above, { error });
      if (max !== undefined) schema = schema.max(max, { error });
      return schema;
    }
  }
}

function sizesSchema({ min, dimensions, words = [] }: SizesParameter, orNull: string): z.ZodType {
  const list = dimensions === undefined ? 'an array of them' : `an array of ${dimensions}`;
  const instead = words.map((word) => `, '${word}'`).join('');
  const error = `a whole number${min === undefined ? '' : ` ≥ ${min}`}${instead} or ${list}${orNull}`;
  const whole = z.int({ error });
  const one = min === undefined ? whole : whole.min(min, { error });
  const all = z.array(one, { error });
  const listOf = dimensions === undefined ? all : all.length(dimensions, { error });
  return z.union([one, listOf, ...(words.length > 0 ? [z.enum(words)] : [])], { error });
}
