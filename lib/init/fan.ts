import { checkInteger, checkOptions, checkShape, rangeError, show } from '../core/check.js';

/** Where a weight's inputs and outputs are. */
export interface FanOptions {
  /** The axis of the inputs; negative counts from the end. PyTorch's 1 by default. */
  readonly in_axis?: number | undefined;
  /** The axis of the outputs; negative counts from the end. PyTorch's 0 by default. */
  readonly out_axis?: number | undefined;
  /** Groups of a grouped convolution: must divide the size of the out axis. 1 by default. */
  readonly groups?: number | undefined;
}

/** How many inputs one output sees, and how many outputs one input reaches. */
export interface Fans {
  readonly fan_in: number;
  readonly fan_out: number;
}

/**
 * Fan in and fan out of a weight's shape:
 *
 *     fan_in  = shape[in_axis] · receptive            receptive = the product of all other sizes
 *     fan_out = shape[out_axis] / groups · receptive
 *
 * The defaults are PyTorch's Linear and Conv, (out, in, *k). Other layouts name their axes: Keras, TensorFlow.js and JAX
 * have (*k, in, out), so `in_axis: -2, out_axis: -1`; MLX has (out, *k, in), so `in_axis: -1`.
 *
 * `groups`: a grouped convolution's weight is (out, in / groups, *k). Its fan_in is right as it stands, but an input
 * reaches only out / groups of the outputs. PyTorch ignores that and makes the fan_out of a depthwise convolution
 * `groups` times too large (pytorch/pytorch#23854); so does nninit unless told.
 *
 * A transposed convolution's weight is (in, out / groups, *k), the same read backwards: leave the axes as they are, give
 * `groups`, and take fan_out for fan_in and fan_in for fan_out. Keras's DepthwiseConv2D, (*k, in, multiplier), likewise,
 * with `in_axis: -1, out_axis: -2` and groups = in.
 *
 * @throws RangeError for fewer than 2 dimensions, an axis that the shape lacks or that is both in and out, or groups that do
 *   not divide the out axis; TypeError for a misspelt option and wrong types
 */
export function calculateFans(shape: readonly number[], options?: FanOptions): Fans {
  const fn = 'calculateFans';
  checkShape(fn, shape);
  const { in_axis = 1, out_axis = 0, groups = 1 } = checkOptions(fn, options, ['in_axis', 'out_axis', 'groups']);
  return fansOf(
    fn,
    shape,
    checkInteger(fn, 'in_axis', in_axis),
    checkInteger(fn, 'out_axis', out_axis),
    checkInteger(fn, 'groups', groups, 1),
  );
}

/** calculateFans on checked types, in the name of another function. */
export function fansOf(fn: string, shape: readonly number[], in_axis: number, out_axis: number, groups: number): Fans {
  if (shape.length < 2) {
    const why = 'Fan in and fan out can not be computed for tensor with fewer than 2 dimensions';
    throw rangeError(fn, 'shape', '2 or more dimensions', shape, why);
  }
  const input = axisOf(fn, 'in_axis', in_axis, shape);
  const output = axisOf(fn, 'out_axis', out_axis, shape);
  if (input === output) {
    throw rangeError(fn, 'in_axis', `an axis other than out_axis (${out_axis})`, in_axis, `of shape ${show(shape)}`);
  }
  let receptive = 1;
  for (let axis = 0; axis < shape.length; axis++) {
    if (axis !== input && axis !== output) receptive *= shape[axis] ?? 1;
  }
  const outputs = shape[output] ?? 0;
  if (outputs % groups !== 0) {
    const why = `dim ${output} must be divisible by groups, in shape ${show(shape)}`;
    throw rangeError(fn, 'groups', `a divisor of ${outputs}`, groups, why);
  }
  return { fan_in: (shape[input] ?? 0) * receptive, fan_out: (outputs / groups) * receptive };
}

function axisOf(fn: string, argument: string, axis: number, shape: readonly number[]): number {
  const rank = shape.length;
  if (axis < -rank || axis >= rank) {
    throw rangeError(fn, argument, `an axis from ${-rank} to ${rank - 1}`, axis, `of shape ${show(shape)}`);
  }
  return axis < 0 ? axis + rank : axis;
}
