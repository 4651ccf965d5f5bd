import { expect, test } from 'vitest';
import { rangeError, show } from '../../lib/core/check.js';
import { InputError, WriteError } from '../../lib/core/errors.js';
import { textTable } from '../../lib/core/table.js';
import { printable } from '../../lib/core/text.js';

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
