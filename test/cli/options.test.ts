import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { parseLora } from '../../lib/cli/input-options.js';
import { dtypeOption, parseInteger, parseSeed, parseSeeds, parseSize, parseThreads } from '../../lib/cli/options.js';

test.each([
  ['5GB', 5e9],
  ['5gb', 5e9],
  ['500MB', 5e8],
  ['1.5GB', 1.5e9],
  ['1GiB', 2 ** 30],
  ['4 MiB', 2 ** 22],
  ['2TB', 2e12],
  ['12', 12],
  ['100B', 100],
])('the size %s', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});

test.each(['', '0', '0GB', '-1GB', '5XB', '1e9', 'GB', '5 G B', '0.1B', '9999999TB', '5i', '٥GB'])(
  'no size: %s',
  (text) => {
    expect(() => parseSize(text)).toThrow(InvalidArgumentError);
  },
);

test('seeds', () => {
  expect(parseSeed('0x2A')).toBe(42n);
  expect(parseSeed('-1')).toBe(2n ** 64n - 1n);
  for (const text of ['', '1.5', '0x', '18446744073709551616', '-9223372036854775809', '1n']) {
    expect(() => parseSeed(text)).toThrow(InvalidArgumentError);
  }
});

test('integers', () => {
  expect(parseThreads('8')).toBe(8);
  expect(parseInteger(0, 3)('0')).toBe(0);
  for (const text of ['', '0', '1025', '1.0', '1e3', '-1', ' 1']) {
    expect(() => parseThreads(text)).toThrow(InvalidArgumentError);
  }
});

test('a dtype by another name', () => {
  const { parseArg, argChoices } = dtypeOption('of all');
  expect(argChoices).toContain('bfloat16'); // --help lists them
  expect(parseArg?.('bfloat16', undefined)).toBe('bfloat16');
  expect(() => parseArg?.('bf16', undefined)).toThrow("float16, bfloat16 (did you mean 'bfloat16'?).");
  expect(() => parseArg?.('int8', undefined)).toThrow(InvalidArgumentError);
});

test('--seeds is a list of seeds and of ranges', () => {
  expect(parseSeeds('0..3')).toEqual([0n, 1n, 2n, 3n]);
  expect(parseSeeds('1,0x10,7..8')).toEqual([1n, 16n, 7n, 8n]);
  expect(parseSeeds('0..999999')).toHaveLength(1_000_000);
  for (const text of ['', '3..1', '1..2..3', '1,', '1,1', '0..1000000', '0..5,0..999995', 'x']) {
    expect(() => parseSeeds(text), text).toThrow('Expected');
  }
});

test('adapters', () => {
  const lora = { r: 16, alpha: 0.5, targets: ['q_proj', 'v_proj'], base: 'org/a=b' };
  expect(parseLora('r=16,alpha=0.5,targets=q_proj+v_proj,base=org/a=b')).toEqual(lora);
  expect(parseLora(JSON.stringify(lora))).toEqual(lora);
  expect(parseLora('targets=all-linear,r=many')).toEqual({ targets: 'all-linear', r: 'many' });
  for (const text of ['', 'r', 'r=', '=1', 'r=1,', 'r=1,r=2', '{', '{"r":}']) {
    expect(() => parseLora(text), text).toThrow(InvalidArgumentError);
  }
});
