import { expect, test } from 'vitest';
import { virtualCheckpoint } from '../../lib/checkpoint/virtual/virtual-checkpoint.js';
import { rangeError, show } from '../../lib/core/check.js';
import { InputError, WriteError } from '../../lib/core/errors.js';
import { textTable } from '../../lib/core/table.js';
import { printable } from '../../lib/core/text.js';
import type { Plan } from '../../lib/plan/plan.js';
import { Generator } from '../../lib/random/generator.js';
import { empty, tensor } from '../../lib/tensor/tensor.js';

test.each([
  ['a\u001b[31mb', 'a\\u001b[31mb'],
  ['\u009b2J\u007f', '\\u009b2J\\u007f'],
  ['a\r\nb\t', 'a\\r\\nb\\t'],
  ['\u202egpj.exe\u2028', '\\u202egpj.exe\\u2028'],
  ['\ud800', '\\ud800'],
  ['\u{e0041}', '\\udb40\\udc41'],
  ['see https://me:p@ss@a.b/c@d, HTTP://x@[::1]/', 'see https://a.b/c@d, HTTP://[::1]/'],
  ['層.🙂 "\\n"', '層.🙂 "\\n"'],
])('%j is shown as %j', (text, shown) => {
  expect(printable(text)).toBe(shown);
  expect(printable(shown)).toBe(shown);
});

test('messages and tables show foreign text escaped, whoever makes them', () => {
  const evil = '\u001b]0;x\u0007\n\u009b';
  const shown = '\\u001b]0;x\\u0007\\n\\u009b';
  expect(show(evil)).toBe(`'${shown}'`);
  expect(show([evil])).toBe(`['${shown}']`);
  for (const message of [
    rangeError(evil, evil, evil, evil, evil).message,
    new InputError(`${evil}: x`).message,
    new WriteError('write', evil, new Error(evil)).message,
    textTable({ head: ['a'], align: ['left'], rows: [[evil]] }).replaceAll('\n', ''),
  ]) {
    expect(message).toContain(shown);
    expect(message).not.toMatch(/\p{Cc}/u);
  }
});

test('messages are bounded, whatever they are about', () => {
  const ones = new Array<number>(20_000).fill(1);
  const name = 'x'.repeat(1_000_000);
  const plan = (shape: readonly number[], dtype: string, tensorName = 'a') => {
    const tensors = [{ name: tensorName, shape, dtype, initializer: 'zeros' }];
    return () => virtualCheckpoint({ tensors } as Plan);
  };
  const calls: (() => unknown)[] = [
    () => tensor(new Float32Array(3), ones),
    () => empty([...ones, -1]),
    () => empty(new Array<number>(20_000).fill(2)),
    () => new Generator({ seed: 10n ** 100_000n }),
    () => empty([3], { dtype: Symbol(name) as never }),
    () => empty([3], { dtype: name as never }),
    () => empty([3], { [name]: 1 } as never),
    () => empty([3], { dtype: ones as never }),
    plan(ones, 'float4_e2m1fn'),
    plan([...ones, 2 ** 52], 'float64'),
    plan([2], 'float32', `${name}\u{d800}`),
    plan([2], name),
    () => {
      throw new InputError(name);
    },
    () => {
      throw new WriteError('write', name, new Error(name));
    },
  ];
  for (const [i, call] of calls.entries()) {
    let message: string | undefined;
    try {
      call();
    } catch (error) {
      ({ message } = error as Error);
    }
    expect(message?.length, `call ${i}`).toBeGreaterThan(10);
    expect(message?.length, `call ${i}`).toBeLessThan(8100);
  }
});

test('of a shape with very many dimensions the first ones are shown', () => {
  expect(() => tensor(new Float32Array(3), [1, 2])).toThrow('[1, 2]');
  expect(() => tensor(new Float32Array(3), new Array<number>(20_000).fill(1))).toThrow(
    /\(shape \[(1, ){16}… \(20,000 dimensions\)\]\)/,
  );
});

test.runIf(process.platform === 'linux')(
  'what shared disks refuse has its name, though Node.js has none for it',
  () => {
    const cause = Object.assign(new Error('Unknown system error -122: write'), {
      errno: -122,
      code: 'Unknown system error -122',
    });
    const { code, message } = new WriteError('write', 'f', cause);
    expect([code, message]).toEqual(['EDQUOT', 'could not write f: disk quota exceeded (EDQUOT)']);
  },
);
