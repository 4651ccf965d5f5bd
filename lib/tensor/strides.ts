import { checkInteger, checkShape, rangeError, typeError } from '../core/check.js';
import { shapeText } from '../core/text.js';

/**
 * Where in its array the elements of a tensor with strides, such as one of ndarray, are: from which one to before which.
 *
 * @param length elements that the array has
 * @throws RangeError where its elements do not follow one another in C order: a fill would write to others
 */
export function stridedRange(
  fn: string,
  length: number,
  shape: unknown,
  strides: unknown,
  offset: unknown = 0,
): [begin: number, end: number] {
  const size = checkShape(fn, shape);
  const sizes = shape as readonly number[];
  const begin = checkInteger(fn, 'offset', offset, 0, length);
  const what = `strides of elements in C order (shape ${shapeText(sizes)})`;
  if (!Array.isArray(strides)) throw typeError(fn, 'stride', what, strides);
  const all: readonly unknown[] = strides.length === sizes.length - 1 ? [...strides, 1] : strides; // tf.js leaves out the last
  let step = 1;
  let inOrder = all.length === sizes.length;
  for (let dim = sizes.length - 1; dim >= 0; dim--) {
    if ((sizes[dim] ?? 0) > 1 && all[dim] !== step) inOrder = false;
    step *= sizes[dim] ?? 0;
  }
  if (!inOrder && size > 0) {
    const why = 'a transposed or cut tensor; fill a copy that is contiguous, and assign it';
    throw rangeError(fn, 'stride', what, strides, why);
  }
  return [begin, begin + size];
}
