import { describe, expect, it } from 'vitest';
import { type Dtype, dtypes, roundUp } from '../../lib/core/dtype.js';
import { calculateFans } from '../../lib/init/fan.js';
import { calculate_gain } from '../../lib/init/gain.js';
import * as init from '../../lib/init/init.js';
import { definitionOf, type Initializer, initializers, names } from '../../lib/init/initializers.js';
import { resolve } from '../../lib/init/resolve.js';
import { Generator } from '../../lib/random/generator.js';
import { empty } from '../../lib/tensor/tensor.js';
import resolved from '../fixtures/torch/resolved.json' with { type: 'json' };

const twoSigma = 0.87962566103423978;

describe('resolve, beside PyTorch', () => {
  it.each(Object.keys(initializers).filter((name) => resolved.fills.some(({ init }) => init === name)))(
    '%s calls the same distribution with the same numbers, to the last bit',
    (name) => {
      const cases = resolved.fills.filter(({ init }) => init === name);
      expect(cases.length).toBeGreaterThan(50);
      for (const { init, options, shape, fill } of cases) {
        const initializer = { init, ...options } as Initializer;
        expect(resolve(initializer, shape, { dtype: 'float64' }), JSON.stringify([initializer, shape])).toEqual(fill);
      }
    },
  );
});

describe('resolve', () => {
  const r = resolve;

  it('gives defaults for a bare name', () => {
    expect(r('uniform', [3])).toEqual({ kind: 'uniform', a: 0, b: 1 });
    expect(r('normal', [])).toEqual({ kind: 'normal', mean: 0, std: 1 });
    expect(r('trunc_normal', [3])).toEqual({ kind: 'trunc_normal', mean: 0, std: 1, a: -2, b: 2 });
    expect(r('zeros', [3])).toEqual({ kind: 'constant', value: 0 });
    expect(r('ones', [3])).toEqual({ kind: 'constant', value: 1 });
    expect(r({ init: 'constant', val: Number.NaN }, [3])).toEqual({ kind: 'constant', value: Number.NaN });
    expect(r({ init: 'constant', val: Number.NEGATIVE_INFINITY }, [3], { dtype: 'float16' })).toEqual({
      kind: 'constant',
      value: Number.NEGATIVE_INFINITY,
    });
  });

  it('takes an interval that is one number', () => {
    expect(r({ init: 'uniform', a: 3, b: 3 }, [3])).toEqual({ kind: 'uniform', a: 3, b: 3 });
    expect(r({ init: 'trunc_normal', a: 1, b: 1 }, [3])).toEqual({ kind: 'constant', value: 1 });
  });

  it('puts the identity on matrices of any shape', () => {
    const diagonal = { kind: 'diagonal', value: 1, offset: 0, groups: 1, group_stride: 0 };
    expect(r('eye', [3, 5])).toEqual({ ...diagonal, step: 6, count: 3 });
    expect(r('eye', [5, 3])).toEqual({ ...diagonal, step: 4, count: 3 });
    expect(r('eye', [0, 3])).toEqual({ ...diagonal, step: 4, count: 0 });
  });

  it("puts Dirac's ones where PyTorch does", () => {
    for (const [shape, groups] of [
      [[4, 3, 3], 1],
      [[6, 2, 4, 5], 3],
      [[4, 8, 2, 2, 3], 2],
      [[4, 2, 1], 4],
    ] as const) {
      const fill = r({ init: 'dirac', groups }, shape);
      if (fill.kind !== 'diagonal') throw new Error(fill.kind);
      const ones = new Set<number>();
      for (let g = 0; g < fill.groups; g++) {
        for (let d = 0; d < fill.count; d++) ones.add(fill.offset + g * fill.group_stride + d * fill.step);
      }
      expect(ones).toEqual(torchDirac(shape, groups));
    }
  });

  it('flattens what is orthogonal, and keeps its size', () => {
    const fill = { kind: 'orthogonal', gain: 1, stride: 1, offset: 0 };
    expect(r('orthogonal', [4, 3, 5])).toEqual({ ...fill, rows: 4, cols: 15 });
    expect(r({ init: 'orthogonal', gain: -2 }, [9, 3])).toEqual({ ...fill, rows: 9, cols: 3, gain: -2 });
    expect(r('orthogonal', [0, 3])).toEqual({ kind: 'constant', value: 0 });
    expect(r('delta_orthogonal', [8, 4, 3, 5])).toEqual({ ...fill, rows: 8, cols: 4, stride: 15, offset: 7 });
    expect(r('delta_orthogonal', [8, 4, 2])).toEqual({ ...fill, rows: 8, cols: 4, stride: 2, offset: 1 });
  });

  it('rounds the zeros of sparse up, as PyTorch does', () => {
    const zeros = (sparsity: number, rows: number) => {
      const fill = r({ init: 'sparse', sparsity }, [rows, 3]);
      return fill.kind === 'sparse' ? fill.zeros : undefined;
    };
    expect([zeros(0, 10), zeros(0.1, 10), zeros(0.11, 10), zeros(0.1, 3), zeros(1, 7), zeros(1.5, 4)]).toEqual([
      0, 1, 2, 1, 7, 4,
    ]);
    expect(zeros(0.07, 100)).toBe(8); // 0.07 * 100 is a little above 7, in Python too
    expect(r({ init: 'sparse', sparsity: 0.5 }, [4, 6])).toEqual({
      kind: 'sparse',
      rows: 4,
      cols: 6,
      zeros: 2,
      std: 0.01,
    });
  });

  it('takes a numeric gain in place of a and nonlinearity', () => {
    const shape = [8, 16];
    expect(r({ init: 'kaiming_normal', gain: 3, nonlinearity: 'relu' }, shape)).toEqual({
      kind: 'normal',
      mean: 0,
      std: 3 / 4,
    });
    for (const nonlinearity of ['gelu', 'silu', 'elu', 'mish', 'softplus'] as const) {
      expect(r({ init: 'kaiming_normal', nonlinearity }, shape)).toEqual(
        r({ init: 'kaiming_normal', gain: calculate_gain(nonlinearity) }, shape),
      );
    }
    const none = r({ init: 'xavier_uniform', gain: 0 }, shape);
    expect(none).toEqual({ kind: 'uniform', a: -0, b: 0 });
  });

  it.each([
    'xavier_uniform',
    'xavier_normal',
    'kaiming_uniform',
    'kaiming_normal',
    'lecun_uniform',
    'lecun_normal',
    'variance_scaling',
  ] as const)('%s takes other layouts and groups', (init) => {
    const keras = { in_axis: -2, out_axis: -1 };
    expect(r({ init, ...keras }, [3, 3, 16, 32])).toEqual(r(init, [32, 16, 3, 3]));
    const { fan_in, fan_out } = calculateFans([32, 16, 3, 3], { groups: 4 });
    expect(fan_out).toBe(8 * 9);
    expect(r({ init, groups: 4 }, [32, 16, 3, 3])).toEqual(r(init, [fan_out, fan_in]));
  });

  it('orthogonal takes the outputs where they are: first, last, one axis or several', () => {
    const shape = [3, 3, 16, 32];
    const matrix = (rows: number, cols: number) => r('orthogonal', [rows, cols]);
    expect(r('orthogonal', shape)).toEqual(matrix(3, 3 * 16 * 32));
    expect(r({ init: 'orthogonal', out_axis: -1 }, shape)).toEqual(matrix(3 * 3 * 16, 32));
    expect(r({ init: 'orthogonal', out_axis: [-1, 2] }, shape)).toEqual(matrix(9, 16 * 32));
    expect(r({ init: 'orthogonal', out_axis: [0, 1] }, shape)).toEqual(matrix(9, 16 * 32));
    for (const out_axis of [1, 2, [0, 2], [0, 1, 2, 3], [], [0, 0], 4, -5]) {
      expect(() => r({ init: 'orthogonal', out_axis }, shape)).toThrow(/for out_axis, but received/);
    }
  });

  it('orthogonal has orthonormal columns in the layout of Keras', () => {
    const [rows, cols] = [3 * 3 * 4, 8];
    const { data } = init.orthogonal_(empty([3, 3, 4, 8], { dtype: 'float64' }), {
      out_axis: -1,
      generator: new Generator({ seed: 1 }),
    });
    for (let a = 0; a < cols; a++) {
      for (let b = 0; b <= a; b++) {
        let dot = 0;
        for (let i = 0; i < rows; i++) dot += (data[i * cols + a] ?? 0) * (data[i * cols + b] ?? 0);
        expect(dot).toBeCloseTo(a === b ? 1 : 0, 12);
      }
    }
  });

  it('scales variance as JAX and Keras do', () => {
    const shape = [30, 20]; // fan_in 20, fan_out 30
    const vs = (options: object) => r({ init: 'variance_scaling', ...options } as Initializer, shape);
    expect(vs({})).toEqual({ kind: 'normal', mean: 0, std: Math.sqrt(1 / 20) });
    expect(vs({ scale: 2, mode: 'fan_out' })).toEqual({ kind: 'normal', mean: 0, std: Math.sqrt(2 / 30) });
    const bound = Math.sqrt((3 * 2) / 25);
    expect(vs({ scale: 2, mode: 'fan_avg', distribution: 'uniform' })).toEqual({
      kind: 'uniform',
      a: -bound,
      b: bound,
    });
    const std = Math.sqrt(1 / 20) / twoSigma;
    const truncated = { kind: 'trunc_normal', mean: 0, std, a: -2 * std, b: 2 * std };
    expect(vs({ distribution: 'truncated_normal' })).toEqual(truncated);
    expect(r('lecun_normal', shape)).toEqual(truncated);
    const lecun = Math.sqrt(3 / 20);
    expect(r('lecun_uniform', shape)).toEqual({ kind: 'uniform', a: -lecun, b: lecun });
    for (const distribution of ['normal', 'uniform', 'truncated_normal']) {
      expect(vs({ scale: 0, distribution })).toEqual({ kind: 'constant', value: 0 });
    }
    // xavier and kaiming are cases of it
    expect(vs({ scale: 1, mode: 'fan_avg' })).toEqual(r('xavier_normal', shape));
    const relu = r({ init: 'kaiming_normal', nonlinearity: 'relu' }, shape);
    expect(vs({ scale: 2 })).toEqual({ ...relu, std: expect.closeTo(Math.sqrt(0.1), 15) });
  });

  it('never gives a number that is not finite, tensors without elements included', () => {
    for (const init of names) {
      const { parameters } = definitionOf(init);
      const required = Object.fromEntries(parameters.filter(({ required }) => required).map(({ name }) => [name, 0.5]));
      for (const shape of [
        [0, 3, 3],
        [3, 0, 3],
        [3, 3, 0],
        [0, 0, 0],
        [3, 3, 3],
        [1, 1, 1],
      ]) {
        for (const dtype of Object.keys(dtypes) as (keyof typeof dtypes)[]) {
          const matrix = ['eye', 'sparse', 'sinusoidal'].includes(init) ? shape.slice(0, 2) : shape;
          const fill = resolve({ init, ...required } as Initializer, matrix, { dtype });
          for (const value of Object.values(fill)) {
            if (typeof value === 'number')
              expect(value, JSON.stringify({ init, shape, fill })).toSatisfy(Number.isFinite);
          }
        }
      }
    }
  });

  it('leaves its arguments alone', () => {
    const initializer: Initializer = Object.freeze({ init: 'kaiming_normal', mode: 'fan_out' } as const);
    const shape = Object.freeze([2, 3]) as readonly number[];
    expect(r(initializer, shape)).toEqual(r(initializer, shape));
  });

  it.each<[string, unknown[], new (message: string) => Error, RegExp]>([
    [
      'an unknown name',
      ['kaiming', [2]],
      RangeError,
      /^resolve: expected one of 'uniform',.* for init, but received 'kaim/,
    ],
    ["PyTorch's underscore", ['normal_', [2]], RangeError, /did you mean 'normal'\?/],
    ['a name of Object.prototype', ['toString', [2]], RangeError, /for init, but received 'toString'/],
    ['no name', [{}, [2]], TypeError, /for init, but received undefined/],
    ['a number', [3, [2]], TypeError, /for initializer, but received 3/],
    ['an array', [['zeros'], [2]], TypeError, /for initializer/],
    ['a misspelt option', [{ init: 'normal', sdt: 1 }, [2]], TypeError, /^normal: .*'sdt'.*did you mean 'std'/],
    ['a missing value', ['constant', [2]], TypeError, /^constant: expected a number for val, but received undefined/],
    ['a wrong mode', [{ init: 'kaiming_normal', mode: 'fan_avg' }, [2, 2]], RangeError, /^kaiming_normal: .*'fan_avg'/],
    ['no shape', ['zeros'], TypeError, /^resolve: .*for shape/],
    ['a wrong dtype', ['zeros', [1], { dtype: 'int8' }], RangeError, /^resolve: .*for dtype, but received 'int8'/],
    ['a wrong option', ['zeros', [1], { type: 'float32' }], TypeError, /^resolve: .*'type'/],
    [
      'a value beyond the dtype',
      [{ init: 'constant', val: 1e5 }, [1], { dtype: 'float16' }],
      RangeError,
      /float16's largest number, 65504, for val/,
    ],
  ])('refuses %s', (_, args, type, text) => {
    const call = () => (resolve as (...args: unknown[]) => unknown)(...args);
    expect(call).toThrow(type);
    expect(call).toThrow(text);
    expect(call).toThrow(/^\w+: expected .+ for .+, but received .+ of type .+$/);
  });
});

describe('roundUp', () => {
  it.each<[number, Dtype, number]>([
    [0.1, 'float64', 0.1],
    [0.1, 'float32', 0.10000000149011612],
    [-0.1, 'float32', -0.09999999403953552],
    [1e-50, 'float32', 2 ** -149],
    [-1e-50, 'float32', -0],
    [5e-324, 'bfloat16', 2 ** -133],
    [1, 'float16', 1],
    [1 + 2 ** -20, 'float16', 1 + 2 ** -10],
    [65503.9, 'float16', 65504],
    [65505, 'float16', Number.POSITIVE_INFINITY],
    [-65505, 'float16', -65504],
    [1.0001, 'bfloat16', 1 + 2 ** -7],
  ])('takes %d in %s to %d', (x, dtype, up) => expect(roundUp(x, dtype)).toBe(up));

  it('agrees with fround', () => {
    for (let i = 1; i < 1000; i++) {
      const x = (i % 2 === 0 ? 1 : -1) * Math.exp((i * 2.7) % 80) * 1e-20;
      const up = roundUp(x, 'float32');
      expect(Math.fround(up)).toBe(up);
      const nearest = Math.fround(x);
      if (nearest >= x) expect(up).toBe(nearest);
      else expect(up).toBeGreaterThan(x);
    }
  });
});

describe('the table', () => {
  it("describes each parameter: PyTorch's order, a default or required, a line of text", () => {
    for (const name of names) {
      const { parameters, summary, formula } = definitionOf(name);
      expect(summary).toMatch(/\.$/);
      expect(formula.length).toBeGreaterThan(0);
      expect(new Set(parameters.map((parameter) => parameter.name)).size).toBe(parameters.length);
      const positional = parameters.map((parameter) => parameter.positional);
      expect(positional.lastIndexOf(true)).toBeLessThan(positional.includes(false) ? positional.indexOf(false) : 99);
      for (const parameter of parameters) {
        expect(parameter.doc.length).toBeGreaterThan(3);
        if (parameter.required) expect(parameter.default).toBeUndefined();
        else if (parameter.name !== 'gain') expect(parameter.default).toBeDefined();
        if (parameter.kind === 'word') expect(parameter.words).toContain(parameter.default);
      }
    }
    const of = (name: keyof typeof initializers) =>
      definitionOf(name)
        .parameters.filter(({ positional }) => positional)
        .map((parameter) => parameter.name);
    expect(of('trunc_normal')).toEqual(['mean', 'std', 'a', 'b']);
    expect(of('kaiming_uniform')).toEqual(['a', 'mode', 'nonlinearity']);
    expect(of('sparse')).toEqual(['sparsity', 'std']);
  });

  it('is plain data but for its rules', () => {
    for (const name of names) {
      const { parameters } = definitionOf(name);
      expect(JSON.parse(JSON.stringify(parameters))).toEqual(parameters);
    }
  });
});

/** torch.nn.init.dirac_, element by element. */
function torchDirac(shape: readonly number[], groups: number): Set<number> {
  const [outputs = 0, inputs = 0, ...kernel] = shape;
  const ones = new Set<number>();
  const perGroup = outputs / groups;
  for (let g = 0; g < groups; g++) {
    for (let d = 0; d < Math.min(perGroup, inputs); d++) {
      const index = [g * perGroup + d, d, ...kernel.map((size) => Math.floor(size / 2))];
      ones.add(index.reduce((flat, at, axis) => flat * (shape[axis] ?? 0) + at, 0));
    }
  }
  return ones;
}
