import { InvalidArgumentError } from 'commander';
import { expect, test } from 'vitest';
import { parseInteger, parseSeed, parseSize, parseThreads } from '../../lib/cli/options.js';

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
