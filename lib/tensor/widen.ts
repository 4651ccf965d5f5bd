import { widen } from '../native/addon.js';
import { asTensor, type TensorLike } from './tensor.js';

/**
 * A tensor's elements as a new Float32Array: float16 and bfloat16 exactly, float64 rounded to nearest, float32 copied, so
 * that the result is always yours to change. For looking into low precision, which JavaScript cannot read.
 *
 * @throws TypeError and RangeError as `init.*_` does
 */
export function toFloat32Array(tensor: TensorLike): Float32Array<ArrayBuffer> {
  const { data, dtype } = asTensor('toFloat32Array', tensor);
  const out = new Float32Array(data.length);
  if (dtype === 'float32' || dtype === 'float64') out.set(data);
  else widen(data as Uint16Array, dtype, out); // asTensor saw to the class
  return out;
}
