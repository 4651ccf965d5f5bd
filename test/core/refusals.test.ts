import { Tensor as OrtTensor } from 'onnxruntime-common';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Parameter } from '../../lib/core/parameter.js';
import * as init from '../../lib/init/init.js';
import { definitionOf, type Name, names } from '../../lib/init/initializers.js';
import { default_generator, Generator, manual_seed } from '../../lib/random/generator.js';
import { empty, tensor } from '../../lib/tensor/tensor.js';
import { toFloat32Array } from '../../lib/tensor/widen.js';
import recorded from '../fixtures/torch/errors.json' with { type: 'json' };
import { detach, initFunctions, nextKey, shapeFor } from '../support.js';

// Every refusal has one shape, is a TypeError or a RangeError, takes no stream and leaves memory as it was.

type ErrorClass = new (message: string) => Error;

beforeEach(() => void manual_seed(0));
afterEach(() => expect(nextKey(default_generator).stream).toBe(0n));

/** Memory with a pattern in it, and a check that it is all there. */
function patterned(shape: readonly number[], dtype: 'float32' | 'float64' | 'float16' | 'bfloat16' = 'float32') {
  const w = empty(shape, { dtype });
  const bytes = new Uint8Array(w.data.buffer).fill(0xa5);
  return { w, untouched: () => bytes.every((byte) => byte === 0xa5) };
}

function expectRefused(fn: string, call: () => unknown, type: ErrorClass, text: RegExp): void {
  let error: unknown;
  try {
    call();
  } catch (caught) {
    error = caught;
  }
  expect(error).toBeInstanceOf(type);
  const { message } = error as Error;
  expect(message).toMatch(new RegExp(`^${fn}: expected .+ for .+, but received .+ of type \\w+( \\(.+\\))?$`));
  expect(message).toMatch(text);
}

describe("PyTorch's cases", () => {
  const e =
    (...shape: number[]) =>
    () =>
      patterned(shape);
  /** What each of them is here. */
  const here: Readonly<
    Record<
      string,
      [make: () => ReturnType<typeof patterned>, fn: string, args: unknown[], type?: ErrorClass, text?: RegExp]
    >
  > = {
    'init.xavier_uniform_(e(5))': [e(5), 'xavier_uniform_', []],
    'init.xavier_normal_(e(()))': [e(), 'xavier_normal_', []],
    'init.kaiming_normal_(e(3))': [e(3), 'kaiming_normal_', []],
    "init.kaiming_uniform_(e(3,4), mode='fan_avg')": [
      e(3, 4),
      'kaiming_uniform_',
      [{ mode: 'fan_avg' }],
      RangeError,
      /Mode fan_avg not supported/,
    ],
    "init.calculate_gain('swish')": [e(1), 'calculate_gain', ['swish']],
    "init.calculate_gain('leaky_relu', 'x')": [e(1), 'calculate_gain', ['leaky_relu', 'x'], TypeError],
    "init.calculate_gain('leaky_relu', True)": [
      e(1),
      'calculate_gain',
      ['leaky_relu', true],
      TypeError,
      /negative_slope true not a valid number/,
    ],
    'init.eye_(e(3))': [e(3), 'eye_', []],
    'init.dirac_(e(3,4))': [e(3, 4), 'dirac_', []],
    'init.dirac_(e(3,4,3), 2)': [e(3, 4, 3), 'dirac_', [2]],
    'init.orthogonal_(e(4))': [e(4), 'orthogonal_', []],
    'init.sparse_(e(3,4,5), 0.1)': [e(3, 4, 5), 'sparse_', [0.1]],
    'init.uniform_(e(3), 1, 0)': [e(3), 'uniform_', [1, 0]],
    "init.uniform_(e(3), 0, float('nan'))": [
      e(3),
      'uniform_',
      [0, Number.NaN],
      RangeError,
      /a finite number for b, but received NaN/,
    ],
    'init.normal_(e(3), 0, -1)': [e(3), 'normal_', [0, -1], RangeError, /a finite number ≥ 0 for std, but received -1/],
    'init.trunc_normal_(e(3), 0, 1, 2, -2)': [
      e(3),
      'trunc_normal_',
      [0, 1, 2, -2],
      RangeError,
      /a number ≤ b \(-2\) for a, but received 2/,
    ],
    // Where PyTorch only goes on with NaN, nninit refuses.
    "init.normal_(e(3), float('nan'), 1)": [
      e(3),
      'normal_',
      [Number.NaN, 1],
      RangeError,
      /a finite number for mean, but received NaN/,
    ],
  };
  /** What is no error here, or comes with what a dtype is: tested where that is. */
  const elsewhere = [
    'init.kaiming_uniform_(e(0,4))',
    "init.kaiming_uniform_(e(3,4), nonlinearity='gelu')", // nninit knows it
    'init.orthogonal_(e(0,3))',
    'init.sparse_(e(4,4), 1.5)',
    'init.trunc_normal_(e(3), 10, 1, -2, 2)',
    'init.uniform_(torch.empty(3, dtype=torch.int32))',
    'init.normal_(torch.empty(3, dtype=torch.int64))',
    'init.orthogonal_(torch.empty(3,3,dtype=torch.bfloat16))', // nninit can
    'init.orthogonal_(torch.empty(3,3,dtype=torch.float16))',
  ];

  it('are all here', () => {
    expect([...Object.keys(here), ...elsewhere].sort()).toEqual(recorded.cases.map(({ call }) => call).sort());
  });

  it.each(recorded.cases.filter(({ call }) => call in here))('$call', ({ call, message = '' }) => {
    const [make, fn, args, type = RangeError, text] = here[call] ?? [e(1), '', []];
    const { w, untouched } = make();
    const given = fn === 'calculate_gain' ? args : [w, ...args];
    const torchWords = new RegExp(message.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    expectRefused(fn, () => initFunctions[fn]?.(...given), type, text ?? torchWords);
    expect(untouched()).toBe(true);
  });

  it('that are none here', () => {
    init.kaiming_uniform_(empty([3, 4]), { nonlinearity: 'gelu', generator: new Generator() });
    init.orthogonal_(empty([3, 3], { dtype: 'bfloat16' }), { generator: new Generator() });
    init.orthogonal_(empty([3, 3], { dtype: 'float16' }), { generator: new Generator() });
    const zeros = patterned([4, 4]).w;
    init.sparse_(zeros, 1.5, { generator: new Generator() });
    expect([...zeros.data].every((x) => x === 0)).toBe(true);
  });
});

const needed = (name: Name): Record<string, unknown> =>
  Object.fromEntries(
    definitionOf(name)
      .parameters.filter(({ required }) => required)
      .map((p) => [p.name, 0.5]),
  );

/** What a parameter must not be. */
function wrongValues(parameter: Parameter): [unknown, ErrorClass][] {
  const types: unknown[] = [null, true, {}, [1], 1n, Symbol('s'), () => 1, new Float32Array(1), new Date()];
  const bad: [unknown, ErrorClass][] = types.map((value) => [value, TypeError]);
  if (parameter.kind === 'word') {
    const near = `${parameter.words[0]}x`;
    return [
      ...bad,
      [1, TypeError],
      ['', RangeError],
      [near, RangeError],
      [parameter.words[0]?.toUpperCase(), RangeError],
    ];
  }
  if (parameter.kind === 'sizes') {
    const other = bad.filter(([value]) => !Array.isArray(value));
    return [
      ...other,
      ['1', TypeError],

      [1.5, RangeError],
      [[0, 0], RangeError],
      [4, RangeError],
      [-5, RangeError],
    ];
  }
  if (parameter.kind === 'boolean')
    return [...bad.filter(([value]) => value !== true), [1, TypeError], ['true', TypeError]];
  if (parameter.kind !== 'integer' && parameter.kind !== 'number')
    throw new Error(`no initializer has ${parameter.kind}`);
  bad.push(['1', TypeError]);
  if (parameter.kind === 'integer') {
    for (const value of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) bad.push([value, RangeError]);
  } else if (parameter.finite !== false) {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) bad.push([value, RangeError]);
  }
  if (parameter.min !== undefined) bad.push([parameter.min - 1, RangeError]);
  return bad;
}

describe.each(names)('%s_', (name) => {
  const fn = `${name}_`;
  const run = initFunctions[fn] as (...args: unknown[]) => unknown;
  const { parameters, random } = definitionOf(name);
  const refused = (args: unknown[], type: ErrorClass, text: RegExp) => {
    const { w, untouched } = patterned(shapeFor(name));
    expectRefused(fn, () => run(w, ...args), type, text);
    expect(untouched()).toBe(true);
  };

  for (const parameter of parameters) {
    const argument = new RegExp(` for ${parameter.name}, but`);
    it(`refuses a wrong ${parameter.name} by name`, () => {
      for (const [value, type] of wrongValues(parameter))
        refused([{ ...needed(name), [parameter.name]: value }], type, argument);
    });
    if (!parameter.positional) continue;
    it(`refuses a wrong ${parameter.name} by position`, () => {
      const at = parameters.indexOf(parameter);
      const before = parameters.slice(0, at).map(({ required }) => (required ? 0.5 : undefined));
      for (const [value, type] of wrongValues(parameter)) {
        // A plain object at the end is options, which is refused elsewhere.
        if (Object.prototype.toString.call(value) === '[object Object]') continue;
        refused([...before, value], type, argument);
      }
    });
    it(`refuses ${parameter.name} given twice`, () => {
      const at = parameters.indexOf(parameter);
      const good = parameter.default ?? 0.5;
      refused(
        [...new Array(at).fill(undefined), good, { ...needed(name), [parameter.name]: good }],
        TypeError,
        /given by position already/,
      );
    });
  }

  it('refuses misspelt options, and names the nearest', () => {
    for (const parameter of parameters) {
      const near = new RegExp(`'${parameter.name}x' of type string \\(did you mean '${parameter.name}'\\?\\)`);
      refused([{ ...needed(name), [`${parameter.name}x`]: parameter.default }], TypeError, near);
    }
    refused([{ ...needed(name), thread: 2 }], TypeError, /for the name of an option, but received 'thread'.*'threads'/);
    refused([{ ...needed(name), ...JSON.parse('{"__proto__": 1}') }], TypeError, /'__proto__'/);
    refused([{ ...needed(name), toString: undefined }], TypeError, /'toString'/);
  });

  it('refuses wrong threads and generators', () => {
    for (const threads of [0, -1, 1.5, 1025, Number.NaN]) {
      refused([{ ...needed(name), threads }], RangeError, /an integer from 1 to 1024 for threads/);
    }
    refused([{ ...needed(name), threads: '2' }], TypeError, /for threads/);
    for (const generator of [7, null, {}, 'philox']) {
      refused([{ ...needed(name), generator }], TypeError, random ? /a Generator for generator/ : /'generator'/);
    }
  });

  it('refuses too many arguments', () => {
    const all = parameters.filter(({ positional }) => positional).map((parameter) => parameter.default ?? 0.5);
    const most = random ? [...all, undefined] : all;
    refused([...most, 1], TypeError, new RegExp(`nothing for argument ${most.length + 2}, but received 1`));
    refused([...most, {}, {}], TypeError, /expected/);
  });

  it('refuses what is no tensor', () => {
    const options = needed(name);
    const shape = shapeFor(name);
    const size = shape.reduce((product, each) => product * each, 1);
    const gone = empty(shape);
    detach(gone.data);
    const integers = [
      [{ data: new BigInt64Array(size), shape }, TypeError, /of type BigInt64Array/],
      [{ data: new Int32Array(size), shape, dtype: 'int32' }, RangeError, /for dtype, but received 'int32'/],
      [new OrtTensor('int64', new BigInt64Array(size), shape), RangeError, /'int64'/],
    ];
    for (const [value, type, text] of [
      [undefined, TypeError, /for tensor, but received undefined/],
      [null, TypeError, /for tensor/],
      [[1, 2], TypeError, /tensor\(data, shape\) makes one/],
      [new Float32Array(4), TypeError, /tensor\(data, shape\) makes one/],
      [{ data: new Float32Array(4) }, TypeError, /neither shape nor dims/],
      [{ data: [1, 2], shape: [2] }, TypeError, /for data/],
      [{ data: new DataView(new ArrayBuffer(4)), shape: [1] }, TypeError, /of type DataView/],
      [{ data: new Int8Array(size), shape }, TypeError, /of type Int8Array/],
      ...(definitionOf(name).integers ? [] : integers),
      [{ data: new Uint16Array(size), shape }, TypeError, /for dtype/],
      [{ data: new Float32Array(size), shape, dtype: 'float64' }, TypeError, /for data/],
      [{ data: new Float32Array(size + 1), shape }, RangeError, /for data/],
      [{ data: new Float32Array(size), shape: shape.map((each) => -each) }, RangeError, /shape\[0\]/],
      [{ data: new Float32Array(size), shape: shape.map((each) => each + 0.5) }, RangeError, /shape\[0\]/],
      [{ data: new Float32Array(size), shape: shape.map(() => 2 ** 30) }, RangeError, /2\^53 - 1|for data/],
      [gone, RangeError, /detached/],
    ] as [unknown, ErrorClass, RegExp][]) {
      expectRefused(fn, () => run(value, options), type, text);
    }
  });
});

describe('numbers beyond the dtype', () => {
  it.each<[string, unknown[], 'float32' | 'float64' | 'float16' | 'bfloat16', RegExp]>([
    ['uniform_', [0, 65505], 'float16', /at most float16's largest number, 65504, for b, but received 65505/],
    ['uniform_', [-65504, 65504], 'float16', /for b - a, but received 131008/],
    ['uniform_', [-3e38, 3e38], 'float32', /for b - a/],
    ['uniform_', [-1e308, 1e308], 'float64', /for b - a, but received Infinity/],
    ['uniform_', [0, 3.4e38], 'bfloat16', /for b,/],
    ['normal_', [1e39], 'float32', /for mean/],
    ['normal_', [0, 1e39], 'float32', /for std/],
    ['trunc_normal_', [0, 1, -1e6, 1], 'float16', /for a,/],
    ['trunc_normal_', [0, 1, 0, 1e6], 'float16', /for b,/],
    [
      'uniform_',
      [65503.9, 65504],
      'float16',
      /an interval that holds a value of float16 for a,.*of \[65503\.9, 65504\)/,
    ],
    ['uniform_', [1.0001, 1.0002], 'bfloat16', /an interval that holds a value of bfloat16/],
    ['uniform_', [0.1, 0.1 + 1e-12], 'float32', /an interval that holds a value of float32/],
    ['trunc_normal_', [0, 1, 0.1, 0.1 + 1e-12], 'float32', /an interval that holds a value of float32 for a/],
    ['trunc_normal_', [0, 1, 0.1, 0.10001], 'float16', /an interval that holds a value of float16 for a/],
    ['trunc_normal_', [0, 0], 'float32', /a finite number > 0 for std, but received 0/],
    ['constant_', [1e39], 'float32', /for val/],
    ['constant_', [-65505], 'float16', /for val/],
    ['xavier_uniform_', [1e6], 'float16', /for gain/],
    ['xavier_normal_', [1e6], 'float16', /for gain/],
    ['kaiming_uniform_', [{ gain: 1e6 }], 'float16', /for gain/],
    ['kaiming_normal_', [{ gain: 1e6 }], 'float16', /for gain/],
    ['kaiming_normal_', [1e200], 'float64', /for a, but received 1e\+200/],
    ['variance_scaling_', [1e30], 'float16', /for scale/],
    ['variance_scaling_', [1e30, 'fan_in', 'uniform'], 'float16', /for scale/],
    ['variance_scaling_', [1e30, 'fan_in', 'truncated_normal'], 'float16', /for scale/],
    ['orthogonal_', [1e6], 'float16', /for gain/],
    ['sparse_', [0.5, 1e6], 'float16', /for std/],
  ])('%s(%j) on %s', (fn, args, dtype, text) => {
    const { w, untouched } = patterned([3, 4], dtype);
    expectRefused(fn, () => initFunctions[fn]?.(w, ...args), RangeError, text);
    expect(untouched()).toBe(true);
  });
});

describe('shapes that make no sense', () => {
  it.each<[string, number[], unknown[], RegExp]>([
    ['eye_', [], [], /2 dimensions for shape, but received \[\]/],
    ['sparse_', [4], [0.5], /Only tensors with 2 dimensions are supported/],
    ['dirac_', [1, 1, 1, 1, 1, 1], [], /3, 4 or 5 dimensions for shape.*Only tensors with 3, 4, or 5 dimensions/],
    ['delta_orthogonal_', [4, 4], [], /3, 4 or 5 dimensions/],
    ['delta_orthogonal_', [3, 4, 3], [], /at most as many inputs as outputs for shape, but received \[3, 4, 3\]/],
    ['orthogonal_', [], [], /2 or more dimensions/],
    ['lecun_normal_', [3], [], /Fan in and fan out can not be computed/],
    ['variance_scaling_', [3], [], /Fan in and fan out can not be computed/],
    ['xavier_normal_', [4, 4], [{ in_axis: 0 }], /an axis other than out_axis/],
    ['kaiming_normal_', [4, 4], [{ groups: 3 }], /a divisor of 4 for groups.*dim 0 must be divisible by groups/],
    ['dirac_', [4, 4, 3], [3], /a divisor of 4 for groups/],
  ])('%s on %j', (fn, shape, args, text) => {
    const { w, untouched } = patterned(shape);
    expectRefused(fn, () => initFunctions[fn]?.(w, ...args), RangeError, text);
    expect(untouched()).toBe(true);
  });
});

describe('hostile arguments', () => {
  it('cannot get past the checks by a getter', () => {
    const data = new Float32Array(4);
    const options = {
      get std() {
        detach(data);
        return 1;
      },
    };
    expectRefused('normal_', () => init.normal_(tensor(data), options), RangeError, /detached/);
    expectRefused('toFloat32Array', () => toFloat32Array({ data: [1] as never, shape: [1] }), TypeError, /for data/);
  });
});
