import { checkInteger, checkOptions, checkShape, rangeError, show } from '../core/check.js';
import { checkParameter } from '../core/parameter.js';

/** Where a weight's inputs and outputs are. */
export interface FanOptions {
  /** The axis of the inputs, or several; negative counts from the end. PyTorch's 1 by default. */
  readonly in_axis?: number | readonly number[] | undefined;
  /** The axis of the outputs, or several; negative counts from the end. PyTorch's 0 by default. */
  readonly out_axis?: number | readonly number[] | undefined;
  /** Groups of a grouped convolution: must divide the size of the out axes. 1 by default. */
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
 *     fan_in  = shape[in_axis] · receptive            receptive = the product of all sizes of other axes
 *     fan_out = shape[out_axis] / groups · receptive
 *
 * The defaults are PyTorch's Linear and Conv, (out, in, *k). Other layouts name their axes: Keras, TensorFlow.js and JAX
 * have (*k, in, out), so `in_axis: -2, out_axis: -1`; MLX has (out, *k, in), so `in_axis: -1`. Several axes count as their product:
 * attention's (in, heads, size) is `in_axis: 0, out_axis: [1, 2]`. PyTorch refuses a vector; who names its axis as both,
 * `in_axis: 0, out_axis: 0`, has its length for both fans, as in Keras.
 *
 * `groups`: a grouped convolution's weight is (out, in / groups, *k). Its fan_in is right as it stands, but an input
 * reaches only out / groups of the outputs. PyTorch ignores that and makes the fan_out of a depthwise convolution
 * `groups` times too large (pytorch/pytorch#23854); so does nninit unless told.
 *
 * A transposed convolution's weight is (in, out / groups, *k), the same read backwards: leave the axes as they are, give
 * `groups`, and take fan_out for fan_in and fan_in for fan_out. Keras's DepthwiseConv2D, (*k, in, multiplier), likewise,
 * with `in_axis: -1, out_axis: -2` and groups = in.
 *
 * @param shape 2 or more integers ≥ 0; fewer where the axes are given for them
 * @param options `in_axis` (1), `out_axis` (0) and `groups` (1)
 * @throws RangeError for fewer than 2 dimensions without axes of theirs, an axis that the shape lacks, or that is given twice or is both in and out, or groups that do
 *   not divide the out axes; TypeError for a misspelt option and wrong types
 */
export function calculateFans(shape: readonly number[], options?: FanOptions): Fans {
  const fn = 'calculateFans';
  checkShape(fn, shape);
  const { in_axis = 1, out_axis = 0, groups = 1 } = checkOptions(fn, options, ['in_axis', 'out_axis', 'groups']);
  return fansOf(
    fn,
    shape,
    checkAxes(fn, 'in_axis', in_axis),
    checkAxes(fn, 'out_axis', out_axis),
    checkInteger(fn, 'groups', groups, 1),
  );
}

function checkAxes(fn: string, name: string, value: unknown): readonly number[] {
  return checkParameter(fn, { name, kind: 'sizes', doc: '' }, value) as readonly number[];
}

/** calculateFans on checked types, in the name of another function. */
export function fansOf(
  fn: string,
  shape: readonly number[],
  in_axis: readonly number[],
  out_axis: readonly number[],
  groups: number,
): Fans {
  const rank = shape.length;
  if (rank < 2 && ![...in_axis, ...out_axis].every((axis) => isAxis(axis, rank))) {
    const why = 'Fan in and fan out can not be computed for tensor with fewer than 2 dimensions';
    throw rangeError(fn, 'shape', '2 or more dimensions', shape, why);
  }
  const inputs = axesOf(fn, 'in_axis', in_axis, shape);
  const outputs = axesOf(fn, 'out_axis', out_axis, shape);
  if (rank > 1 && inputs.some((axis) => outputs.includes(axis))) {
    throw rangeError(
      fn,
      'in_axis',
      `an axis other than out_axis (${plain(out_axis)})`,
      in_axis.length === 1 ? in_axis[0] : in_axis,
      `of shape ${show(shape)}`,
    );
  }
  let receptive = 1;
  for (let axis = 0; axis < rank; axis++) {
    if (!inputs.includes(axis) && !outputs.includes(axis)) receptive *= shape[axis] ?? 0;
  }
  const size = product(shape, outputs);
  if (size % groups !== 0) {
    const why = `dim ${plain(outputs)} must be divisible by groups, in shape ${show(shape)}`;
    throw rangeError(fn, 'groups', `a divisor of ${size}`, groups, why);
  }
  return { fan_in: product(shape, inputs) * receptive, fan_out: (size / groups) * receptive };
}

function product(shape: readonly number[], axes: readonly number[]): number {
  let all = 1;
  for (const axis of axes) all *= shape[axis] ?? 0;
  return all;
}

/** As it was given: one axis without brackets. */
const plain = (axes: readonly number[]) => (axes.length === 1 ? (axes[0] ?? 0) : show(axes));

const isAxis = (axis: number, rank: number): boolean => axis >= -rank && axis < rank;

/** Axes counted from the beginning, each of which the shape has, and none twice. */
export function axesOf(fn: string, argument: string, axes: readonly number[], shape: readonly number[]): number[] {
  const rank = shape.length;
  const counted: number[] = [];
  for (const axis of axes) {
    if (!isAxis(axis, rank)) {
      throw rangeError(fn, argument, `an axis from ${-rank} to ${rank - 1}`, axis, `of shape ${show(shape)}`);
    }
    const fromBeginning = axis < 0 ? axis + rank : axis;
    if (counted.includes(fromBeginning)) {
      throw rangeError(fn, argument, 'axes that differ', axes, `of shape ${show(shape)}`);
    }
    counted.push(fromBeginning);
  }
  return counted;
}
