import { z } from 'zod';
import { quoted } from './check.js';
import { dtypes } from './dtype.js';
import { isFillable, storedNames } from './stored-dtype.js';

/** A dtype that can be filled. */
export const filledDtype = oneOf(Object.keys(dtypes) as (keyof typeof dtypes)[]).meta({ id: 'dtype' });

/** A dtype that a file can hold. */
export const storedDtype = oneOf([...storedNames].sort((a, b) => Number(isFillable(b)) - Number(isFillable(a)))).meta({
  id: 'stored_dtype',
});

export function oneOf<const T extends string>(values: readonly T[]) {
  return z.enum(values, { error: `one of ${quoted(values)}` });
}

const dimension = z.int({ error: 'a whole number ≥ 0' });

/** A tensor's shape. */
export const shapeSchema = z
  .array(dimension.min(0, { error: 'a whole number ≥ 0' }), { error: 'a shape: an array of whole numbers ≥ 0' })
  .meta({ id: 'shape' });
