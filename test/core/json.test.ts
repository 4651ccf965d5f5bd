import fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../lib/core/errors.js';
import { kindOfFile } from '../../lib/core/file-kinds.js';
import { jsonText, readJson, setKey } from '../../lib/core/json.js';
import { scanJson } from '../../lib/core/json-scan.js';
import { fuzzed } from '../fuzz/fuzzed.js';
import { processorTime } from '../support.js';

const read = (text: string) => readJson(Buffer.from(text), 'f.json');

/** A value, or 'refused'. */
function outcome(parse: () => unknown): unknown {
  try {
    return parse();
  } catch {
    return 'refused';
  }
}

test('the scanner reads what JSON.parse reads, and refuses what it refuses', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 6 }), (text) => {
      expect(scanJson(text).value).toEqual(JSON.parse(text));
    }),
  );
  const unit = fc.constantFrom(...'{}[],:"\\ae1.-+0 \n\t', '"a"', 'true', 'null', '1e5', '{"a":', '\u0001', '\\u00e9');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 12 }), (text) => {
      expect(outcome(() => scanJson(text).value)).toEqual(outcome(() => JSON.parse(text)));
    }),
    fuzzed(20_000),
  );
});

test('__proto__ is a key like others', () => {
  const { value } = scanJson('{"__proto__": {"a": NaN}}');
  expect(Object.keys(value as object)).toEqual(['__proto__']);
  expect(({} as { a?: unknown }).a).toBeUndefined();
});

test("Python's Infinity, -Infinity and NaN are numbers, and are written again as they are", () => {
  const text = '{"time_step_limit": [0.0, Infinity], "low": -Infinity, "x": NaN, "s": "NaN"}';
  const document = read(text);
  const value = { time_step_limit: [0, Infinity], low: -Infinity, x: NaN, s: 'NaN' };
  expect(document.value).toEqual(value);
  expect(document.text).toBe(text);
  expect(setKey(text, 'dtype', 'float16')).toBe(text.replace('}', ', "dtype": "float16"}'));
  expect(JSON.parse(jsonText({ ...value, x: 0, low: 0, time_step_limit: 0 }, 'v'))).toMatchObject({ s: 'NaN' });
  expect(read(jsonText(value, 'v')).value).toEqual(value);
  for (const other of ['inf', 'nan', '+Infinity', '-NaN', 'Infinit', 'Infinityy'])
    expect(() => read(`[${other}]`), other).toThrow(/f\.json:1:\d+: expected JSON: /);
});

test('the last of equal keys counts, as in Python; documents written by hand refuse them', () => {
  const document = read('{"a": 1,\n "b": {"c": 1, "c": 2}, "a": 3}');
  expect(document.value).toEqual({ a: 3, b: { c: 2 } });
  expect(() => document.refuseDuplicates()).toThrow('f.json:2:16: b.c: expected each key once');
  expect(() => document.keysOf()).toThrow(InputError);
});

test('keys keep the order of the text', () => {
  const document = read('{"10": 1, "a": {"2": 0, "1": 0}, "9": [1], "n": null}');
  expect(document.keysOf()).toEqual(['10', 'a', '9', 'n']);
  expect(document.keysOf('a')).toEqual(['2', '1']);
  for (const key of ['9', 'n', 'toString', 'none']) expect(document.keysOf(key)).toEqual([]);
});

test.each(['[', '{"a":', '[{"a":'])(
  '%s nested deeply is read to a depth of 500, and refused beyond in one line',
  (open) => {
    const close = open.replace(/[^[{]/g, '').replace(/[[{]/g, (bracket) => (bracket === '[' ? ']' : '}'));
    const nested = (n: number) => open.repeat(n) + (open === '[' ? '' : '1') + [...close].reverse().join('').repeat(n);
    const levels = open.startsWith('[{') ? 2 : 1;
    expect(() => read(nested(500 / levels))).not.toThrow();
    for (const n of [500 / levels + 1, 2000, 4000, 200_000]) {
      expect(() => read(nested(n))).toThrow(/^f\.json:1:\d+: expected JSON: values that nest at most 500 deep$/);
      expect(() => read(nested(n).slice(0, -1))).toThrow(InputError);
    }
  },
);

test('a hundred megabytes take a second or two', () => {
  const entries = Array.from(
    { length: 900_000 },
    (_, i) => `"model.layers.${i}.mlp.experts.w1.weight": "model-00001-of-00002.safetensors"`,
  );
  const text = `{"weight_map": {${entries.join(',')}}}`;
  const start = processorTime();
  expect(Object.keys((read(text).value as { weight_map: object }).weight_map)).toHaveLength(900_000);
  expect(processorTime() - start).toBeLessThan(6000);
});

test.each([
  ['', 'empty'],
  ['version https://git-lfs.github.com/spec/v1\noid sha256:48d\nsize 1094\n', 'a Git LFS pointer'],
  ['\n<!DOCTYPE html><html>', 'a web page'],
  ['PK\x03\x04', 'a ZIP archive'],
  ['GGUF\x03', 'a GGUF file'],
  ['\xff\xfe{\0', 'text in UTF-16'],
  ['\x58\0\0\0\0\0\0\0{"a"', 'a safetensors file'],
])('%j in place of JSON is told as what it is', (begin, what) => {
  const bytes = Buffer.from(begin, 'latin1');
  expect(() => readJson(bytes, 'f.json')).toThrow(
    `f.json: expected JSON${begin.startsWith('\xff') ? ' in UTF-8' : ''}, but it is ${what}`,
  );
});

test('a byte order mark before JSON is passed over', () => {
  expect(read('\ufeff{"a": NaN}').value).toEqual({ a: NaN });
  expect(kindOfFile(Buffer.from('\ufeff{}'))).toBe('JSON text');
});

test('an object that JSON cannot hold is refused in one line', () => {
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  let deep: unknown = 1;
  for (let i = 0; i < 100_000; i++) deep = [deep];
  for (const value of [circular, deep, { a: 1n }]) {
    expect(() => jsonText(value, 'input')).toThrow(InputError);
    expect(() => jsonText(value, 'input')).toThrow(/^input: expected what JSON can hold, but [^\n]+$/);
  }
});

test.each([
  ['{}', '{"k": [1]}'],
  ['{ }', '{"k": [1] }'],
  ['{"a": 1e-05}', '{"a": 1e-05, "k": [1]}'],
  ['{\r\n  "a": 1\r\n}\r\n', '{\r\n  "a": 1,\r\n  "k": [1]\r\n}\r\n'],
  ['{"k": {"x": "}"}, "a": 1}', '{"k": [1], "a": 1}'],
  ['{"k": 1, "k": 2}', '{"k": 1, "k": [1]}'],
])('a key is set in %j, and nothing else changes', (text, expected) => {
  expect(setKey(text, 'k', [1])).toBe(expected);
});

test.each(['$&', '$1', "$'"])('a value with %s stands in an empty object as it is', (value) => {
  expect(JSON.parse(setKey('{}', value, value))).toEqual({ [value]: value });
});
