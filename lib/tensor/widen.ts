import type { OwnFloat32Array } from '../core/own-memory.js';
import { widen } from '../native/addon.js';
import { decode } from '../native/codes.js';
import { asNarrow, type NarrowTensor } from './narrow.js';
import { bytesOf } from './target.js';
import { asTensor, type TensorLike } from './tensor.js';

/**
 * A tensor's elements as a new Float32Array: float16 and bfloat16 exactly, float64 rounded to nearest, float32 copied, so
 * that the result is always yours to change. For looking into low precision, which JavaScript cannot read.
 *
 * @param tensor of any of the four dtypes, or of one of 8 bits and less, exactly too
 * @throws TypeError and RangeError as `init.*_` does
 */
export function toFloat32Array(tensor: TensorLike | NarrowTensor): OwnFloat32Array {
  const narrow = asNarrow('toFloat32Array', tensor);
  if (narrow !== undefined) {
    const values = new Float32Array(narrow.size);
    decode(bytesOf(narrow.data), narrow.dtype, values);
    return values;
  }
  const { data, dtype } = asTensor('toFloat32Array', tensor);
  const out = new Float32Array(data.length);
  if (dtype === 'float32' || dtype === 'float64') out.set(data);
  else widen(data as Uint16Array, dtype, out); // asTensor saw to the class
  return out;
}
