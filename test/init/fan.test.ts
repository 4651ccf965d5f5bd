import { describe, expect, it } from 'vitest';
import { calculateFans } from '../../lib/init/fan.js';
import resolved from '../fixtures/torch/resolved.json' with { type: 'json' };

describe('calculateFans', () => {
  it.each(resolved.fans)("gives PyTorch's fans of $shape", ({ shape, fans }) => {
    const { fan_in, fan_out } = calculateFans(shape);
    expect([fan_in, fan_out]).toEqual(fans);
  });

  it('reads other layouts by their axes', () => {
    const fans = { fan_in: 16 * 15, fan_out: 32 * 15 };
    expect(calculateFans([32, 16, 3, 5])).toEqual(fans);
    expect(calculateFans([3, 5, 16, 32], { in_axis: -2, out_axis: -1 })).toEqual(fans); // Keras, tf.js, JAX
    expect(calculateFans([3, 5, 16, 32], { in_axis: 2, out_axis: 3 })).toEqual(fans);
    expect(calculateFans([32, 3, 5, 16], { in_axis: -1 })).toEqual(fans); // MLX
    expect(calculateFans([16, 32], { in_axis: 0, out_axis: 1 })).toEqual({ fan_in: 16, fan_out: 32 });
  });

  it('divides fan_out by groups', () => {
    // A depthwise 3 × 3 convolution over 32 channels: each output sees 9 inputs, each input reaches 9 outputs.
    expect(calculateFans([32, 1, 3, 3], { groups: 32 })).toEqual({ fan_in: 9, fan_out: 9 });
    expect(calculateFans([32, 1, 3, 3])).toEqual({ fan_in: 9, fan_out: 288 });
    // A transposed one, 32 → 64 channels in 4 groups, (in, out / 4, *k), is the same read backwards.
    expect(calculateFans([32, 16, 3, 3], { groups: 4 })).toEqual({ fan_in: 16 * 9, fan_out: 8 * 9 });
    // Keras's DepthwiseConv2D (*k, in, multiplier), backwards too.
    const keras = calculateFans([3, 3, 32, 2], { in_axis: -1, out_axis: -2, groups: 32 });
    expect(keras).toEqual({ fan_in: 2 * 9, fan_out: 9 });
  });

  it('takes several axes as their product, as JAX does', () => {
    // jax.nn.initializers.variance_scaling(…, in_axis, out_axis) divides by these.
    const heads = { fan_in: 64, fan_out: 8 * 16 };
    expect(calculateFans([64, 8, 16], { in_axis: 0, out_axis: [1, 2] })).toEqual(heads);
    expect(calculateFans([64, 8, 16], { in_axis: -3, out_axis: [-1, -2] })).toEqual(heads);
    expect(calculateFans([8, 16, 64], { in_axis: [0, 1], out_axis: 2 })).toEqual({ fan_in: 128, fan_out: 64 });
    expect(calculateFans([3, 8, 16, 64], { in_axis: [1, 2], out_axis: 3 })).toEqual({ fan_in: 384, fan_out: 192 });
    expect(calculateFans([64, 8, 16], { in_axis: 0, out_axis: [1, 2], groups: 32 }).fan_out).toBe(4);
  });

  it('takes vectors and scalars as Keras does, where the axes say so', () => {
    expect(calculateFans([5], { in_axis: 0, out_axis: 0 })).toEqual({ fan_in: 5, fan_out: 5 });
    expect(calculateFans([5], { in_axis: -1, out_axis: [-1] })).toEqual({ fan_in: 5, fan_out: 5 });
    expect(calculateFans([], { in_axis: [], out_axis: [] })).toEqual({ fan_in: 1, fan_out: 1 });
  });

  it.each([
    [() => calculateFans([5], { in_axis: 0, out_axis: 1 }), RangeError, /Fan in and fan out can not be computed/],
    [
      () => calculateFans([2, 3, 4], { in_axis: [0, 1], out_axis: [1, 2] }),
      RangeError,
      /other than out_axis \(\[1, 2\]\)/,
    ],
    [() => calculateFans([2, 3, 4], { in_axis: [0, -3], out_axis: 1 }), RangeError, /axes that differ for in_axis/],
    [() => calculateFans([2, 3], { in_axis: '1' as never }), TypeError, /an integer or an array of them for in_axis/],
    [() => calculateFans([5]), RangeError, /Fan in and fan out can not be computed for tensor with fewer than 2 dim/],
    [() => calculateFans([]), RangeError, /received \[\] of type array/],
    [() => calculateFans([2, 3], { in_axis: 2 }), RangeError, /an axis from -2 to 1 for in_axis, but received 2/],
    [() => calculateFans([2, 3], { out_axis: -3 }), RangeError, /for out_axis, but received -3/],
    [() => calculateFans([2, 3], { in_axis: 0 }), RangeError, /an axis other than out_axis \(0\) for in_axis/],
    [() => calculateFans([2, 3], { in_axis: -2 }), RangeError, /other than out_axis/],
    [() => calculateFans([2, 3], { in_axis: 0.5 }), RangeError, /an integer for in_axis/],
    [
      () => calculateFans([4, 3], { groups: 3 }),
      RangeError,
      /a divisor of 4 for groups.*dim 0 must be divisible by gr/,
    ],
    [() => calculateFans([4, 3], { groups: 0 }), RangeError, /an integer ≥ 1 for groups/],
    [() => calculateFans([4, 3], { inaxis: 0 } as object), TypeError, /received 'inaxis'.*did you mean 'in_axis'/],
    [() => calculateFans('4' as unknown as number[]), TypeError, /for shape/],
  ])('refuses %s', (call, type, text) => {
    expect(call).toThrow(type);
    expect(call).toThrow(text);
  });
});
