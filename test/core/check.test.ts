import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  checkInteger,
  checkOneOf,
  checkOptions,
  checkShape,
  didYouMean,
  isPlainObject,
  rangeError,
  show,
  typedArrayName,
  typeError,
  typeName,
} from '../../lib/core/check.js';

/** An error by its class, code and message. */
const refused = (name: 'TypeError' | 'RangeError', message: string) => {
  const code = name === 'TypeError' ? 'ERR_INVALID_ARG_TYPE' : 'ERR_OUT_OF_RANGE';
  return expect.objectContaining({ name, code, message });
};

describe('what may have been meant', () => {
  const dtypes = ['float32', 'float64', 'float16', 'bfloat16'];
  it.each([
    ['bf16', dtypes, 'bfloat16'],
    ['half', dtypes, 'float16'],
    ['fp16', dtypes, 'float16'],
    ['float', dtypes, 'float32'],
    ['double', dtypes, 'float64'],
    ['torch.bfloat16', dtypes, 'bfloat16'],
    ['torch.half', dtypes, 'float16'],
    ['seed', ['mean', 'std', 'generator', 'threads'], 'generator'],
    ['bf15', dtypes, 'bfloat16'], // the nearest of what others call them
    ['glorot_uniform', ['uniform', 'xavier_uniform'], 'xavier_uniform'],
    ['he_normal', ['normal', 'kaiming_normal'], 'kaiming_normal'],
    ['rleu', ['elu', 'selu', 'relu'], 'relu'], // neighbours that were swapped are one mistake
    ['noninearity', ['nonlinearity', 'mode'], 'nonlinearity'],
  ])('%s', (wrong, known, meant) => {
    expect(didYouMean(wrong, known)).toBe(`did you mean '${meant}'?`);
  });

  it('names all that begin so, where they are few', () => {
    const known = ['xavier_uniform', 'xavier_normal', 'orthogonal'];
    expect(didYouMean('xavier', known)).toBe("did you mean 'xavier_uniform' or 'xavier_normal'?");
    expect(didYouMean('xa', known)).toBeUndefined();
    const many = Array.from({ length: 4 }, (_, i) => `xavier_${'a'.repeat(5 + i)}`);
    expect(didYouMean('xavier', many)).toBeUndefined();
  });

  it('names nothing that is not known', () => {
    expect(didYouMean('seed', ['shape'])).toBeUndefined();
    expect(didYouMean('bf16', ['relu'])).toBeUndefined();
  });
});

describe('the shape of messages', () => {
  it('is one, with a hint in brackets where one helps', () => {
    expect(typeError('f', 'x', 'a number', 'y').message).toBe(
      "f: expected a number for x, but received 'y' of type string",
    );
    expect(rangeError('f', 'x', 'a number ≥ 0', -1, 'why').message).toBe(
      'f: expected a number ≥ 0 for x, but received -1 of type number (why)',
    );
  });

  it('says of any value what it is', () => {
    const shown = (value: unknown) => `${show(value)} of type ${typeName(value)}`;
    expect(shown(undefined)).toBe('undefined of type undefined');
    expect(shown(null)).toBe('null of type null');
    expect(shown(-0)).toBe('-0 of type number');
    expect(shown(Number.NaN)).toBe('NaN of type number');
    expect(shown(5n)).toBe('5n of type bigint');
    expect(shown(Symbol('s'))).toBe('Symbol(s) of type symbol');
    expect(shown(() => 1)).toBe('a function of type function');
    expect(shown([1, 'a', [2], {}])).toBe("[1, 'a', […], an object] of type array");
    expect(shown(new Array(100).fill(0))).toBe('[0, 0, 0, 0, 0, 0, 0, 0, …] of type array');
    expect(shown(new Int8Array(3))).toBe('3 elements of type Int8Array');
    expect(shown({})).toBe('an object of type object');
    expect(shown(Object.create(null))).toBe('an object of type object');
    expect(shown(new Map())).toBe('an object of type Map');
    expect(shown(new DataView(new ArrayBuffer(1)))).toBe('an object of type DataView');
    expect(shown('x'.repeat(1000)).length).toBeLessThan(100);
  });

  it('survives objects that throw', () => {
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('no');
        },
      },
    );
    expect(show(hostile)).toBe('an object');
    expect(typeName(hostile)).toBe('object');
    const bomb = {
      toString() {
        throw new Error('no');
      },
    };
    expect(show(bomb)).toBe('an object');
  });
});

describe('predicates', () => {
  it('know typed arrays of other realms, and are not fooled by a tag', () => {
    expect(typedArrayName(runInNewContext('new Float32Array(2)'))).toBe('Float32Array');
    expect(typedArrayName({ [Symbol.toStringTag]: 'Float32Array' })).toBeUndefined();
    expect(typedArrayName(new DataView(new ArrayBuffer(1)))).toBeUndefined();
  });

  it('know plain objects of any realm', () => {
    expect([{}, Object.create(null), runInNewContext('({})')].every(isPlainObject)).toBe(true);
    expect([[], null, 1, new Map(), new Float32Array(1), new (class A {})(), () => 1].some(isPlainObject)).toBe(false);
  });

  it('suggest the nearest name', () => {
    const known = ['mode', 'nonlinearity', 'gain', 'generator'];
    expect(didYouMean('nonlinarity', known)).toBe("did you mean 'nonlinearity'?");
    expect(didYouMean('MODE', known)).toBe("did you mean 'mode'?");
    expect(didYouMean('threads_per_core', known)).toBeUndefined();
    expect(didYouMean('', known)).toBeUndefined();
    expect(didYouMean('x'.repeat(100000), known)).toBeUndefined();
  });

  it('check integers', () => {
    expect(checkInteger('f', 'n', 3, 1, 5)).toBe(3);
    expect(() => checkInteger('f', 'n', 6, 1, 5)).toThrow(
      refused('RangeError', 'f: expected an integer from 1 to 5 for n, but received 6 of type number'),
    );
    expect(() => checkInteger('f', 'n', 1.5)).toThrow(RangeError);
    expect(() => checkInteger('f', 'n', Number.NaN)).toThrow(RangeError);
    expect(() => checkInteger('f', 'n', 2 ** 53, 0)).toThrow(/≥ 0 for n.*\(beyond 2\^53 - 1\)$/);
    expect(() => checkInteger('f', 'n', 1n)).toThrow(TypeError);
    expect(() => checkInteger('f', 'n', '1')).toThrow(TypeError);
  });

  it('check names', () => {
    expect(checkOneOf('f', 'mode', 'a', ['a', 'b'])).toBe('a');
    expect(() => checkOneOf('f', 'mode', 'fan_ni', ['fan_in', 'fan_out'])).toThrow(
      refused(
        'RangeError',
        "f: expected one of 'fan_in', 'fan_out' for mode, but received 'fan_ni' of type string (did you mean 'fan_in'?)",
      ),
    );
    expect(() => checkOneOf('f', 'mode', 1, ['a'])).toThrow(TypeError);
  });

  it('check options: own names only, and no others', () => {
    expect(checkOptions('f', undefined, ['a'])).toEqual({});
    expect(checkOptions('f', { a: 1 }, ['a'])).toEqual({ a: 1 });
    const options = { a: 1 };
    const given = checkOptions('f', options, ['a']);
    options.a = 2;
    expect(given).toEqual({ a: 1 });
    expect(() => checkOptions('f', { aa: 1 }, ['a'])).toThrow(
      refused(
        'TypeError',
        "f: expected one of 'a' for the name of an option, but received 'aa' of type string (did you mean 'a'?)",
      ),
    );
    expect(() => checkOptions('f', JSON.parse('{"__proto__": 1}'), ['a'])).toThrow(TypeError);
    expect(() => checkOptions('f', null, ['a'])).toThrow(TypeError);
    expect(() => checkOptions('f', [], ['a'])).toThrow(TypeError);
  });

  it('check shapes', () => {
    expect(checkShape('f', [])).toBe(1);
    expect(checkShape('f', [2, 3, 4])).toBe(24);
    expect(checkShape('f', [2 ** 40, 0, 2 ** 40])).toBe(0);
    expect(checkShape('f', [2 ** 53 - 1])).toBe(2 ** 53 - 1);
    expect(() => checkShape('f', [2 ** 30, 2 ** 30])).toThrow(
      /at most 2\^53 - 1 elements for shape, but received \[1073741824, 1073741824\]/,
    );
    expect(() => checkShape('f', [2, -1])).toThrow(
      refused('RangeError', 'f: expected an integer ≥ 0 for shape[1], but received -1 of type number'),
    );
    for (const size of [1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
      expect(() => checkShape('f', [size])).toThrow(RangeError);
    }
    for (const size of ['2', 2n, null, undefined, true, [2]]) expect(() => checkShape('f', [size])).toThrow(TypeError);
    for (const shape of [3, '3', null, undefined, new Int32Array(2), { length: 1 }]) {
      expect(() => checkShape('f', shape)).toThrow(TypeError);
    }
    expect(() => checkShape('f', new Array(2))).toThrow(/shape\[0\], but received undefined/);
  });
});
