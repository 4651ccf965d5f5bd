import { runInNewContext } from 'node:vm';
import { Tensor as OrtTensor } from 'onnxruntime-common';
import { describe, expect, it } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import { asTensor, empty, tensor } from '../../lib/tensor/tensor.js';
import { detach, ResizableBuffer } from '../support.js';

const shapeOfMessage = /^(empty|tensor|f): expected .+ for .+, but received .+ of type .+$/;

function expectRefused(call: () => unknown, type: new (message: string) => Error, text: RegExp): void {
  expect(call).toThrow(type);
  expect(call).toThrow(text);
  expect(call).toThrow(shapeOfMessage);
}

describe('empty', () => {
  it.each([
    ['float32', Float32Array],
    ['float64', Float64Array],
    ['float16', Uint16Array],
    ['bfloat16', Uint16Array],
  ] as const)('makes zeros of %s', (dtype, expected) => {
    const made = empty([2, 3], { dtype });
    expect(made.data).toBeInstanceOf(expected);
    expect([...made.data]).toEqual([0, 0, 0, 0, 0, 0]);
    expect(made.shape).toEqual([2, 3]);
    expect(made.dtype).toBe(dtype);
  });

  it('makes float32 by default, one number for [], none for a zero, and keeps no hold of the shape', () => {
    expect(empty([2]).dtype).toBe('float32');
    expect(empty([]).data.length).toBe(1);
    expect(empty([3, 0, 2 ** 52]).data.length).toBe(0);
    const shape = [2];
    const made = empty(shape);
    shape[0] = 9;
    expect(made.shape).toEqual([2]);
  });

  it('takes shared memory where asked to', () => {
    expect(empty([2], { shared: true }).data.buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(empty([2]).data.buffer).toBeInstanceOf(ArrayBuffer);
  });

  it.each<[unknown[], new (message: string) => Error, RegExp]>([
    [[], TypeError, /an array of integers ≥ 0 for shape, but received undefined/],
    [[3, 4], TypeError, /received 3 of type number/],
    [[[2, -1]], RangeError, /an integer ≥ 0 for shape\[1\], but received -1/],
    [[[1.5]], RangeError, /received 1\.5/],
    [[[2 ** 53]], RangeError, /beyond 2\^53 - 1/],
    [[[2 ** 27, 2 ** 27]], RangeError, /a product of at most 2\^53 - 1 elements for shape/],
    [
      [[2 ** 40]],
      RangeError,
      /a size that Node\.js can allocate for shape, but received \[1099511627776\].*4398046511104 bytes/,
    ],
    [[[2 ** 52]], RangeError, /a size that Node\.js can allocate/],
    [[[2 ** 40], { shared: true }], RangeError, /a size that Node\.js can allocate/],
    [[['2']], TypeError, /for shape\[0\], but received '2'/],
    [[[2n]], TypeError, /2n of type bigint/],
    [
      [[2], { dtype: 'int32' }],
      RangeError,
      /one of 'float32', 'float64', 'float16', 'bfloat16', .*'float8_e4m3fn'.* for dtype, but received 'int32'/,
    ],
    [[[2], { dtype: 'float8_e4m3' }], RangeError, /did you mean 'float8_e4m3fn'/],
    [[[2], { dtype: 'bf16' }], RangeError, /did you mean 'bfloat16'/],
    [[[2], { dtype: 'float' }], RangeError, /did you mean 'float\d\d'/],
    [[[2], { dtype: 3 }], TypeError, /for dtype, but received 3/],
    [[[2], { dype: 'float32' }], TypeError, /received 'dype' of type string \(did you mean 'dtype'\?\)/],
    [[[2], { shared: 1 }], TypeError, /a boolean for shared/],
    [[[2], 'float32'], TypeError, /a plain object for options/],
    [[[2], null], TypeError, /a plain object for options, but received null/],
  ])('refuses %s', (args, type, text) => {
    expectRefused(() => (empty as (...args: unknown[]) => unknown)(...args), type, text);
  });
});

describe('tensor', () => {
  it('wraps without a copy, at any offset, shared or not', () => {
    for (const buffer of [new ArrayBuffer(64), new SharedArrayBuffer(64)]) {
      const data = new Float32Array(buffer, 12, 6);
      const made = tensor(data, [2, 3]);
      expect(made.data).toBe(data);
      expect(made).toEqual({ data, shape: [2, 3], dtype: 'float32' });
    }
    expect(tensor(new Float64Array(3))).toMatchObject({ shape: [3], dtype: 'float64' });
    expect(tensor(new Float64Array(1), [])).toMatchObject({ shape: [] });
    expect(tensor(new Uint16Array(4), [2, 2], { dtype: 'bfloat16' }).dtype).toBe('bfloat16');
    expect(tensor(runInNewContext('new Float32Array(2)') as Float32Array).dtype).toBe('float32');
  });

  it.each<[string, unknown[], new (message: string) => Error, RegExp]>([
    ['nothing', [], TypeError, /a Float32Array, Float64Array or.* for data, but received undefined/],
    ['an array', [[1, 2]], TypeError, /received \[1, 2\] of type array \(Float32Array\.from\(data\) makes one\)/],
    ['a DataView', [new DataView(new ArrayBuffer(8))], TypeError, /of type DataView \(wrap its buffer/],
    ['an ArrayBuffer', [new ArrayBuffer(8)], TypeError, /of type ArrayBuffer \(wrap it/],
    ['bigints', [new BigInt64Array(2)], TypeError, /received 2 elements of type BigInt64Array/],
    ['integers', [new Int32Array(2)], TypeError, /of type Int32Array/],
    [
      'integers with a dtype',
      [new Int32Array(2), [2], { dtype: 'int32' }],
      RangeError,
      /for dtype, but received 'int32'/,
    ],
    [
      'a Uint16Array of unknown dtype',
      [new Uint16Array(2)],
      TypeError,
      /'float16' or 'bfloat16' for dtype, but received undefined.*may hold either/,
    ],
    [
      'a Uint16Array of float32',
      [new Uint16Array(2), [2], { dtype: 'float32' }],
      TypeError,
      /a Float32Array \(dtype float32\) for data/,
    ],
    [
      'a Float32Array of float64',
      [new Float32Array(2), [2], { dtype: 'float64' }],
      TypeError,
      /a Float64Array \(dtype float64\) for data/,
    ],
    [
      'another shape',
      [new Float32Array(5), [2, 3]],
      RangeError,
      /6 elements \(shape \[2, 3\]\) for data, but received 5 elements of type Float32Array/,
    ],
    ['no shape for much', [new Float32Array(2), []], RangeError, /1 element \(shape \[\]\) for data/],
    ['a number for a shape', [new Float32Array(2), 2], TypeError, /for shape, but received 2/],
    [
      'options for a shape',
      [new Float32Array(2), { dtype: 'float32' }],
      TypeError,
      /for shape, but received an object/,
    ],
    [
      'a misspelt option',
      [new Float32Array(2), [2], { type: 'float32' }],
      TypeError,
      /received 'type'.*did you mean 'dtype'/,
    ],
  ])('refuses %s', (_, args, type, text) => {
    expectRefused(() => (tensor as (...args: unknown[]) => unknown)(...args), type, text);
  });
});

describe('asTensor', () => {
  it('reads nninit, plain objects, and onnxruntime', () => {
    const data = new Float32Array(6);
    const read = { data, shape: [2, 3], dtype: 'float32', size: 6 };
    expect(asTensor('f', tensor(data, [2, 3]))).toEqual(read);
    expect(asTensor('f', { data, shape: [2, 3] })).toEqual(read);
    expect(asTensor('f', { data, dims: [2, 3], type: 'float32' })).toEqual(read);
    const foreign = asTensor('f', new OrtTensor('float32', data, [2, 3]));
    expect(foreign).toEqual(read);
    expect(foreign.data).toBe(data);
    expect(asTensor('f', new OrtTensor('float64', new Float64Array(2), [2])).dtype).toBe('float64');
    expect(asTensor('f', new OrtTensor('float16', new Uint16Array(2), [2])).dtype).toBe('float16');
  });

  it.runIf('Float16Array' in globalThis)("sees a Float16Array's bytes", () => {
    const made = new (globalThis as unknown as { Float16Array: new (n: number) => Uint16Array }).Float16Array(4);
    const { data, dtype } = asTensor('f', { data: made, shape: [4] });
    expect(dtype).toBe('float16');
    expect(data).toBeInstanceOf(Uint16Array);
    data[1] = 0x3c00;
    expect(made[1]).toBe(1);
    expectRefused(() => asTensor('f', { data: made, shape: [4], dtype: 'bfloat16' }), TypeError, /a Uint16Array/);
  });

  it('notices memory that is gone', () => {
    const data = new Float32Array(4);
    const made = tensor(data);
    detach(data);
    expectRefused(() => asTensor('f', made), RangeError, /for data, but received 0 elements.*detached/);
  });

  it('notices memory that shrank', () => {
    const buffer = new ResizableBuffer(16, { maxByteLength: 64 });
    const fixed = tensor(new Float32Array(buffer, 0, 4));
    const tracking = { data: new Float32Array(buffer), shape: [4] };
    expect(asTensor('f', fixed).size).toBe(4);
    buffer.resize(8);
    for (const made of [fixed, tracking]) {
      expectRefused(() => asTensor('f', made), RangeError, /4 elements.* for data.*may have shrunk/);
    }
    buffer.resize(64);
    expect(asTensor('f', fixed).size).toBe(4);
    expectRefused(() => asTensor('f', tracking), RangeError, /received 16 elements.*may have grown/);
  });

  it('takes strides that say what C order says, and where it begins', () => {
    const data = Float32Array.from({ length: 12 }, (_, i) => i);
    const read = (value: object) => Array.from(asTensor('f', { data, ...value }).data);
    expect(read({ shape: [2, 3], stride: [3, 1], offset: 4 })).toEqual([4, 5, 6, 7, 8, 9]);
    expect(read({ shape: [1, 3], stride: [99, 1], offset: 9 })).toEqual([9, 10, 11]); // where there is one, its stride is any
    expect(read({ shape: [3, 4], strides: [4] })).toHaveLength(12); // TensorFlow.js leaves out the last
    expect(read({ shape: [0, 3], stride: [1, 7] })).toEqual([]);
  });

  const data = new Float32Array(2);
  it.each<[string, unknown, new (message: string) => Error, RegExp]>([
    ['undefined', undefined, TypeError, /an object with data, shape \(or dims\) and dtype \(or type\) for tensor/],
    ['null', null, TypeError, /received null/],
    ['a number', 3, TypeError, /received 3/],
    ['a bare array', data, TypeError, /of type Float32Array \(tensor\(data, shape\) makes one\)/],
    ['a list', [1, 2], TypeError, /makes one/],
    ['no shape', { data }, TypeError, /neither shape nor dims/],
    ['no data', { shape: [2] }, TypeError, /for data, but received undefined/],
    [
      'tf.js, whose data is a method',
      { data: () => data, shape: [2], dtype: 'float32' },
      TypeError,
      /a function.*TensorFlow\.js: fill tensor\(t\.dataSync\(\), t\.shape\) or tensor\(await t\.data\(\)/,
    ],
    [
      'int64 of onnxruntime',
      new OrtTensor('int64', new BigInt64Array(2), [2]),
      RangeError,
      /for dtype, but received 'int64'.*integers are not filled; data\.fill\(0n\) sets them/,
    ],
    ['bytes without a dtype', { data: new Uint8Array(2), shape: [2] }, TypeError, /\{ dtype: 'uint8' \}, say/],
    ['integers without a dtype', { data: new Int8Array(2), shape: [2] }, TypeError, /\{ dtype: 'int8' \}, say/],
    [
      'bytes of a dtype that is misspelt',
      { data: new Uint8Array(2), shape: [2], dtype: 'float8_e5m' },
      RangeError,
      /received 'float8_e5m' of type string \(did you mean 'float8_e5m2'\?\)/,
    ],
    ['bool of onnxruntime', new OrtTensor('bool', [true], [1]), RangeError, /'bool'/],
    [
      'data on a GPU',
      OrtTensor.fromGpuBuffer({} as never, { dataType: 'float32', dims: [2] }),
      TypeError,
      /for data.*not on CPU/,
    ],
    ['a shape that disagrees', { data, shape: [3] }, RangeError, /3 elements \(shape \[3\]\) for data, but received 2/],
    ['sizes as text', { data, shape: ['2'] }, TypeError, /shape\[0\]/],
    ['integers without a dtype', { data: new Int32Array(2), shape: [2] }, TypeError, /data\.fill\(0\) sets them/],
    [
      'a transposed ndarray',
      { data: new Float32Array(6), shape: [3, 2], stride: [1, 3] },
      RangeError,
      /in C order.*\[1, 3\].*contiguous/,
    ],
    ['a cut tensor', { data: new Float32Array(6), shape: [2, 2], strides: [3, 1] }, RangeError, /for stride.*\[3, 1\]/],
    ['a reversed one', { data, shape: [2], stride: [-1], offset: 1 }, RangeError, /for stride.*\[-1\]/],
    ['an offset beyond the data', { data, shape: [2], stride: [1], offset: 1 }, RangeError, /2 elements.*received 1/],
    ['a method for strides', { data, shape: [2], stride: () => [1] }, TypeError, /for stride/],
    ['null for a dtype', { data, shape: [2], dtype: 'torch.float32' as Dtype }, RangeError, /did you mean 'float32'/],
  ])('refuses %s', (_, value, type, text) => {
    expectRefused(() => asTensor('f', value), type, text);
  });
});
