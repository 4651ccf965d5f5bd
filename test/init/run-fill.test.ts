import { describe, expect, test } from 'vitest';
import { empty, Generator, init, resolve, runFill } from '../../lib/index.js';

const untyped = runFill as (...args: unknown[]) => unknown;
const ones = { kind: 'constant', value: 1 };
const key = { seed: 1n, stream: 0n };

describe('runFill', () => {
  test('of bounds that the engine torch would draw for on and on is an error, not what a cancelled one returns', () => {
    const state = new Generator({ engine: 'torch' }).get_state();
    const far = { kind: 'trunc_normal', mean: 0, std: 1, a: 5, b: 1e6 } as const;
    const data = new Float32Array(1024);
    const run = (cancel?: Int32Array) => runFill(data, 'float32', far, { state, total: 1024 }, 0, 1, cancel);
    expect(() => run()).toThrow(/within 100,000 draws of the engine torch/);
    expect(() => run(new Int32Array(new SharedArrayBuffer(4)))).toThrow(/within 100,000 draws/);
    expect(run(new Int32Array(new SharedArrayBuffer(4)).fill(1))).toBe(false);
  });

  test('fills chunks with the bytes of the whole', () => {
    const whole = init.normal_(empty([1000], { dtype: 'bfloat16' }), { generator: new Generator({ seed: 1 }) });
    const fill = resolve('normal', [1000], { dtype: 'bfloat16' });
    const drawn = new Generator({ seed: 1 }).nextKey(fill, 'bfloat16', 1000);
    const { data } = empty([1000], { dtype: 'bfloat16' });
    for (let begin = 0; begin < 1000; begin += 300) {
      expect(runFill(data.subarray(begin, begin + 300), 'bfloat16', fill, drawn, begin)).toBe(true);
    }
    expect(data).toEqual(whole.data);
  });

  test.each<[unknown[], string]>([
    [[new Int8Array(3), 'float32', ones], 'runFill: expected a Float32Array'],
    [[undefined, 'float32', ones], 'runFill: expected a Float32Array'],
    [[new Float32Array(3), 'float64', ones], 'runFill: expected a Float64Array'],
    [
      [new Float32Array(3), 'float', ones],
      "runFill: expected one of 'float32', 'float64', 'float16', 'bfloat16', 'float8_e4m3fn', ",
    ],
    [[new Float32Array(3), 'float32', 'ones'], 'runFill: expected a plain object that resolve gave for fill'],
    [[new Float32Array(3), 'float32', { kind: 'one' }], 'runFill: expected one of'],
    [[new Float32Array(3), 'float32', { kind: 'constant' }], 'runFill: expected a number for fill.value'],
    [[new Float32Array(3), 'float32', { kind: 'normal', mean: 0, std: -1 }, key], 'native fill: expected std'],
    [[new Float32Array(3), 'float32', ones, 7], 'runFill: expected an object with seed and stream for key'],
    [[new Float32Array(3), 'float32', ones, { seed: 1 }], 'runFill: expected a bigint in [0, 2^64) for key.seed'],
    [[new Float32Array(3), 'float32', ones, { seed: -1n, stream: 0n }], 'runFill: expected a bigint'],
    [[new Float32Array(3), 'float32', ones, { seed: 2n ** 64n, stream: 0n }], 'runFill: expected a bigint'],
    [[new Float32Array(3), 'float32', ones, { seed: 0n, stream: 2n ** 64n }], 'runFill: expected a bigint'],
    [[new Float32Array(3), 'float32', ones, { state: [], total: 3 }], 'runFill: expected a Uint8Array of 5,056 bytes'],
    [[new Float32Array(3), 'float32', ones, key, -1], 'runFill: expected an integer'],
    [[new Float32Array(4), 'float32', resolve('orthogonal', [2, 2]), key, 4], 'runFill: expected 0 for begin'],
    [[new Float32Array(3), 'float32', ones, key, 0, 1025], 'runFill: expected an integer from 0 to 1024 for threads'],
    [[new Float32Array(3), 'float32', ones, key, 0, 1, true], 'native fill: expected cancel'],
  ])('refuses %#, and writes nothing', (args, message) => {
    expect(() => untyped(...args)).toThrow(message);
    if (args[0] instanceof Float32Array) expect(args[0].every((x) => x === 0)).toBe(true);
  });
});
