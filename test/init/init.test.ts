import { Tensor as OrtTensor } from 'onnxruntime-common';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Dtype } from '../../lib/core/dtype.js';
import * as index from '../../lib/index.js';
import { bindingFor, prepare } from '../../lib/init/binding.js';
import { calculate_gain } from '../../lib/init/gain.js';
import * as init from '../../lib/init/init.js';
import { type Initializer, names } from '../../lib/init/initializers.js';
import { resolve } from '../../lib/init/resolve.js';
import { fillRange } from '../../lib/native/addon.js';
import { default_generator, Generator, manual_seed } from '../../lib/random/generator.js';
import { empty, type Tensor, tensor } from '../../lib/tensor/tensor.js';
import { toFloat32Array } from '../../lib/tensor/widen.js';
import { initFunctions as functions, nextKey, shapeFor } from '../support.js';

beforeEach(() => void manual_seed(0));

/** Arguments that a function must have. */
const needed: Readonly<Record<string, readonly unknown[]>> = { constant: [0.5], sparse: [0.25] };

describe('init', () => {
  it("exports the table's names with an underscore, and calculate_gain", () => {
    const expected = [...names.map((name) => `${name}_`), 'calculate_gain'];
    expect(Object.keys(init).sort()).toEqual(expected.sort());
    expect(index.init).toBe(init);
    expect(init.calculate_gain).toBe(calculate_gain);
    for (const name of names) expect(functions[`${name}_`]?.name).toBe(`${name}_`);
  });

  it.each(names)('%s_ fills with what the table resolves, and returns the very tensor', (name) => {
    for (const dtype of ['float32', 'float64', 'float16', 'bfloat16'] as const) {
      const w = empty(shapeFor(name), { dtype });
      const generator = new Generator({ seed: 5 });
      expect(
        functions[`${name}_`]?.(w, ...(needed[name] ?? []), bindingFor(name).definition.random ? { generator } : {}),
      ).toBe(w);
      const options = name === 'constant' ? { val: 0.5 } : name === 'sparse' ? { sparsity: 0.25 } : {};
      const fill = resolve({ init: name, ...options } as Initializer, w.shape, { dtype });
      const expected = empty(w.shape, { dtype });
      fillRange(expected.data, dtype, fill, { seed: 5n, stream: 0n });
      expect(w.data).toEqual(expected.data);
      if (name !== 'zeros') expect(w.data.some((x) => x !== 0)).toBe(true);
    }
  });

  it.each(names)('%s_ takes one stream if it is random and has elements, and none otherwise', (name) => {
    const generator = new Generator({ seed: 1 });
    const { random } = bindingFor(name).definition;
    const options = random ? { generator } : {};
    const none = shapeFor(name);
    none[0] = 0;
    vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    functions[`${name}_`]?.(empty(none), ...(needed[name] ?? []), options);
    expect(nextKey(generator).stream).toBe(0n);
    functions[`${name}_`]?.(empty(shapeFor(name)), ...(needed[name] ?? []), options);
    expect(nextKey(generator).stream).toBe(random ? 2n : 1n);
    expect(nextKey(default_generator).stream).toBe(0n);
    vi.restoreAllMocks();
  });

  it('takes a stream for a constant that stands for a random fill', () => {
    init.uniform_(empty([2]), 3, 3);
    expect(nextKey(default_generator).stream).toBe(1n);
  });
});

describe('arguments', () => {
  const values = (make: (w: Tensor, generator: Generator) => unknown): Float32Array => {
    const w = empty([8, 6]);
    make(w, new Generator({ seed: 2 }));
    return w.data as Float32Array;
  };

  it('mean the same by position, by name, and mixed', () => {
    const expected = values((w, g) => init.normal_(w, 1, 0.5, g));
    expect(values((w, generator) => init.normal_(w, { mean: 1, std: 0.5, generator }))).toEqual(expected);
    expect(values((w, generator) => init.normal_(w, 1, { std: 0.5, generator }))).toEqual(expected);
    expect(values((w, generator) => init.normal_(w, 1, 0.5, { generator }))).toEqual(expected);
    expect(values((w, generator) => init.normal_(w, 1, 0.5, generator, { threads: 1 }))).toEqual(expected);
    expect(values((w, g) => init.normal_(w, 1, undefined, g, { std: 0.5 } as never))).toEqual(expected);
    expect(values((w, g) => init.normal_(w, 1, 0.5, g, undefined))).toEqual(expected);
    const kaiming = values((w, g) => init.kaiming_uniform_(w, 0, 'fan_out', 'relu', g));
    const byName = { a: 0, mode: 'fan_out', nonlinearity: 'relu' } as const;
    expect(values((w, generator) => init.kaiming_uniform_(w, { ...byName, generator }))).toEqual(kaiming);
    expect(
      values((w, generator) => init.kaiming_uniform_(w, { gain: Math.SQRT2, mode: 'fan_out', generator })),
    ).toEqual(kaiming);
  });

  it('are defaults where undefined', () => {
    const expected = values((w, g) => init.normal_(w, 0, 1, g));
    expect(values((w, g) => init.normal_(w, undefined, undefined, g))).toEqual(expected);
    expect(
      values((w, g) => init.normal_(w, { mean: undefined, std: undefined, generator: g, threads: undefined })),
    ).toEqual(expected);
  });

  it('never change the defaults', () => {
    const defaults = values((w, generator) => init.normal_(w, { generator }));
    init.normal_(empty([2]), 5, 6);
    init.normal_(empty([2]), { mean: 5, std: 6 });
    expect(values((w, generator) => init.normal_(w, { generator }))).toEqual(defaults);
    manual_seed(2);
    expect(init.normal_(empty([8, 6])).data).toEqual(defaults);
  });

  it('take options of any plain object, and read own ones only', () => {
    const expected = values((w, g) => init.normal_(w, 0, 2, g));
    const options = Object.assign(Object.create(null) as object, { std: 2 });
    expect(values((w, generator) => init.normal_(w, Object.assign(options, { generator })))).toEqual(expected);
  });

  it('leave memory outside of a view alone', () => {
    const buffer = new ArrayBuffer(64);
    const all = new Uint8Array(buffer).fill(0xa5);
    init.ones_(tensor(new Float32Array(buffer, 20, 3)));
    expect([...all.subarray(0, 20), ...all.subarray(32)].every((byte) => byte === 0xa5)).toBe(true);
    expect([...new Float32Array(buffer, 20, 3)]).toEqual([1, 1, 1]);
  });

  it('may be an onnxruntime tensor, or a plain object', () => {
    const foreign = new OrtTensor('float32', new Float32Array(6), [2, 3]);
    expect(init.constant_(foreign, 0.25)).toBe(foreign);
    expect(foreign.data).toEqual(new Float32Array(6).fill(0.25));
    const half = new OrtTensor('float16', new Uint16Array(2), [2]);
    init.ones_(half);
    // A Float16Array where the runtime has one.
    expect([...new Uint16Array((half.data as unknown as Uint16Array).buffer)]).toEqual([0x3c00, 0x3c00]);
    const plain = { data: new Float64Array(2), shape: [2] };
    expect(init.ones_(plain)).toBe(plain);
    expect([...plain.data]).toEqual([1, 1]);
  });

  it('are all that another executor needs', () => {
    const w = empty([4, 4]);
    const signal = new AbortController().signal;
    const call = prepare(bindingFor('normal', ['signal']), w, [0, { std: 2, threads: 3, signal }]);
    expect(call).toMatchObject({ fn: 'normal_', random: true, threads: 3, extra: { signal } });
    expect(call.fill).toEqual({ kind: 'normal', mean: 0, std: 2 });
    expect(w.data.every((x) => x === 0)).toBe(true);
  });
});

describe('warnings', () => {
  const warned = (call: () => unknown): unknown[][] => {
    const spy = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    try {
      call();
      return spy.mock.calls as unknown[][];
    } finally {
      spy.mockRestore();
    }
  };

  it.each(['kaiming_uniform_', 'kaiming_normal_', 'lecun_uniform_', 'lecun_normal_', 'variance_scaling_'])(
    '%s says that it does nothing to a tensor without elements',
    (name) => {
      const expected = [['Initializing zero-element tensors is a no-op', 'UserWarning']];
      expect(warned(() => functions[name]?.(empty([0, 4])))).toEqual(expected);
      expect(warned(() => functions[name]?.(empty([0])))).toEqual(expected); // as PyTorch, whatever its rank
      expect(warned(() => functions[name]?.(empty([2, 4])))).toEqual([]);
    },
  );

  it.each(['uniform_', 'normal_', 'xavier_uniform_', 'xavier_normal_', 'orthogonal_', 'ones_', 'eye_'])(
    '%s says nothing about that, as PyTorch',
    (name) => {
      expect(warned(() => functions[name]?.(empty([0, 3])))).toEqual([]);
      expect(warned(() => functions[name]?.(empty([3, 0])))).toEqual([]);
    },
  );

  it('trunc_normal_ takes bounds without an end: half of a normal has mean √(2/π)', () => {
    for (const engine of ['philox', 'torch'] as const) {
      const half = init.trunc_normal_(empty([2 ** 16]), 0, 1, 0, Number.POSITIVE_INFINITY, {
        generator: new Generator({ seed: 3, engine }),
      });
      const sum = half.data.reduce((all, x) => all + x, 0);
      expect(Math.min(...half.data)).toBeGreaterThanOrEqual(0);
      expect(Math.abs(sum / 2 ** 16 - Math.sqrt(2 / Math.PI))).toBeLessThan(0.012); // five standard errors
    }
  });

  it('trunc_normal_ says that its mean is far away', () => {
    const text = /^mean is more than 2 std from \[a, b\] in nn\.init\.trunc_normal_\./;
    expect(warned(() => init.trunc_normal_(empty([3]), 10, 1, -2, 2))).toEqual([
      [expect.stringMatching(text), 'UserWarning'],
    ]);
    expect(warned(() => init.trunc_normal_(empty([3]), -4.1, 1, -2, 2))).toHaveLength(1);
    expect(warned(() => init.trunc_normal_(empty([3]), 4, 1, -2, 2))).toEqual([]);
  });

  it('trunc_normal_ does not claim exactness of the engine torch in 16 bits', () => {
    const torch = () => new Generator({ engine: 'torch', seed: 0 });
    const far = (dtype: Dtype, generator: Generator) =>
      String(warned(() => init.trunc_normal_(empty([64], { dtype }), 0, 0.02, 0.05, 10, { generator })));
    for (const dtype of ['bfloat16', 'float16'] as const) {
      expect(far(dtype, torch())).toMatch(/distribution of values may be incorrect.* rounded to b?float16/);
      expect(far(dtype, new Generator())).toMatch(/The distribution stays exact/);
      expect(warned(() => init.trunc_normal_(empty([64], { dtype }), { generator: torch() }))).toEqual([]);
    }
    expect(far('float32', torch())).toMatch(/The distribution stays exact/);
  });

  it.each(['float32', 'float64'] as const)('nor in %s where bounds are too far away', (dtype) => {
    const slit = { mean: -1, std: 1e-8, a: 0, b: 1e-16 };
    const meanOf = (generator: Generator) => {
      const tensor = empty([4096], { dtype });
      const [text] = warned(() => init.trunc_normal_(tensor, { ...slit, generator }));
      return [Array.from(tensor.data).reduce((sum, x) => sum + x, 0) / 4096, String(text)] as const;
    };
    const [uniform, incorrect] = meanOf(new Generator({ engine: 'torch', seed: 0 }));
    expect(uniform).toBeCloseTo(0.5e-16, 17);
    expect(uniform).toBeGreaterThan(0.48e-16);
    expect(incorrect).toMatch(`decides by logarithms rounded to ${dtype}`);
    const [exact, far] = meanOf(new Generator({ seed: 0 }));
    expect(exact).toBeLessThan(0.44e-16);
    expect(far).toMatch(/stays exact/);
  });

  it('do not come with a refusal', () => {
    expect(warned(() => expect(() => init.trunc_normal_(empty([3]), 10, 1, 2, -2)).toThrow(RangeError))).toEqual([]);
    expect(warned(() => expect(() => init.kaiming_normal_(empty([0, 4]), Number.NaN)).toThrow(RangeError))).toEqual([]);
  });
});

describe('toFloat32Array', () => {
  it('widens exactly, rounds float64, and always copies', () => {
    const w = empty([3]);
    init.constant_(w, 0.1);
    const copy = toFloat32Array(w);
    expect(copy).toEqual(w.data);
    expect(copy.buffer).not.toBe(w.data.buffer);
    expect(toFloat32Array({ data: new Float64Array([0.1, 1e300]), shape: [2] })).toEqual(
      new Float32Array([Math.fround(0.1), Number.POSITIVE_INFINITY]),
    );
    const half = tensor(new Uint16Array([0x3c00, 0xc000, 0x0001, 0x7c00, 0x8000]), [5], { dtype: 'float16' });
    expect(toFloat32Array(half)).toEqual(new Float32Array([1, -2, 2 ** -24, Number.POSITIVE_INFINITY, -0]));
    const brain = tensor(new Uint16Array([0x3f80, 0xc000, 0x0001, 0xff80]), [4], { dtype: 'bfloat16' });
    expect(toFloat32Array(brain)).toEqual(new Float32Array([1, -2, 2 ** -133, Number.NEGATIVE_INFINITY]));
    const shared = empty([2], { shared: true });
    expect(toFloat32Array(shared).buffer).toBeInstanceOf(ArrayBuffer);
    expect(() => toFloat32Array(3 as never)).toThrow(/^toFloat32Array: expected/);
  });
});

describe('words of other libraries, and things of other copies', () => {
  const w = empty([2, 3]);
  const call = (args: unknown[]) => () => (init.normal_ as (...all: unknown[]) => unknown)(w, ...args);

  it('a seed is a generator’s', () => {
    expect(call([{ seed: 1 }])).toThrow("did you mean 'generator'?");
  });

  it('a nonlinearity with swapped letters', () => {
    const wrong = { nonlinearity: 'rleu' } as never;
    expect(() => init.kaiming_normal_(w, wrong)).toThrow("(Unsupported nonlinearity rleu; did you mean 'relu'?)");
  });

  it('a Generator of another copy of the package, as a keyword and by position', async () => {
    vi.resetModules();
    const other = new (await import('../../lib/random/generator.js')).Generator({ seed: 1 });
    expect(other).not.toBeInstanceOf(Generator);
    const why = /a Generator for generator, but received an object of type Generator \(it is of another installed copy/;
    expect(call([{ generator: other }])).toThrow(why);
    expect(call([0, 1, other])).toThrow(why);
  });
});

describe('zeros_ of integers', () => {
  const classes = {
    int64: BigInt64Array,
    uint64: BigUint64Array,
    int32: Int32Array,
    uint32: Uint32Array,
    int16: Int16Array,
    uint16: Uint16Array,
    int8: Int8Array,
    uint8: Uint8Array,
  };

  it.each(Object.entries(classes))('fills %s of onnxruntime, and no byte beside it', (type, integers) => {
    const bytes = new Uint8Array(64).fill(0xff);
    const data = new integers(bytes.buffer, 8, 3);
    const w = new OrtTensor(type as 'int64', data as BigInt64Array, [3]);
    expect(init.zeros_(w)).toBe(w);
    const end = 8 + 3 * integers.BYTES_PER_ELEMENT;
    expect([...bytes]).toEqual([...bytes.keys()].map((i) => (i >= 8 && i < end ? 0 : 0xff)));
  });

  it('is refused where the name is not that of the array, and by other initializers', () => {
    const refused = (type: string, data: unknown) => ({ data, dims: [2], type });
    expect(() => init.zeros_(refused('int32', new BigInt64Array(2)))).toThrow(/for dtype, but received 'int32'/);
    expect(() => init.zeros_(refused('uint16', new Int16Array(2)))).toThrow(/for dtype, but received 'uint16'/);
    expect(() => init.ones_(refused('int64', new BigInt64Array(2)))).toThrow(/data\.fill\(0n\) sets them/);
  });
});
