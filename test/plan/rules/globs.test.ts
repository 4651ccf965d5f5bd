import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expandBraces, matcher } from '../../../lib/plan/rules/globs.js';

test.each([
  ['plain.weight', ['plain.weight']],
  ['', ['']],
  ['h.{0..2}.w', ['h.0.w', 'h.1.w', 'h.2.w']],
  ['h.{7..7}', ['h.7']],
  ['{08..11}', ['08', '09', '10', '11']],
  ['{0..1}.{q,k}.w', ['0.q.w', '0.k.w', '1.q.w', '1.k.w']],
  ['a{,_b}', ['a', 'a_b']],
  ['a\\{0\\}', ['a{0}']],
  ['{a\\,b,c\\}}', ['a,b', 'c}']],
  ['a\\b', ['a\\b']],
  ['a\\\\{x,y}', ['a\\x', 'a\\y']],
])('%j stands for %j', (pattern, names) => {
  expect(expandBraces(pattern)).toEqual(names);
});

test.each([
  ['h.{}.w', "expected a list such as {q,k,v} or a range such as {0..11}, but received '{}'"],
  ['h.{i}.w', "but received '{i}'"],
  ['h.{a..c}', "but received '{a..c}'"],
  ['h.{0..11', 'expected } after {'],
  ['h.0}.w', 'expected { before }'],
  ['{a,{b,c}}', 'no braces within braces'],
  ['{5..2}', "from a smaller number to a larger one, but received '{5..2}'"],
  ['{0..9999999}', 'at most 1000000 names'],
  ['{0..9999}{0..9999}', 'at most 1000000 names, but these braces make 100000000'],
])('%j is refused', (pattern, message) => {
  expect(() => expandBraces(pattern)).toThrow(RangeError);
  expect(() => expandBraces(pattern)).toThrow(message);
});

const escaped = (name: string) => name.replace(/[{},\\]/g, '\\$&');

test('every name can be written', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('a', '.', '{', '}', ',', '\\', '0', '層') }), (name) => {
      expect(expandBraces(escaped(name))).toEqual([name]);
    }),
  );
});

test('lists multiply, the last one fastest, as nested loops do', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', '{', ',', '\\'), maxLength: 3 });
  const list = fc.array(word, { minLength: 2, maxLength: 4 });
  fc.assert(
    fc.property(list, list, word, (first, second, between) => {
      const braces = (words: string[]) => `{${words.map(escaped).join(',')}}`;
      const expected = first.flatMap((a) => second.map((b) => a + between + b));
      expect(expandBraces(braces(first) + escaped(between) + braces(second))).toEqual(expected);
    }),
  );
});

test('a glob with the same braces matches all names that they stand for', () => {
  const matches = matcher('h.{0..11}.{q,k}.*');
  for (const name of expandBraces('h.{0..11}.{q,k}.weight')) expect(matches(name)).toBe(true);
  expect(matches('h.12.q.weight')).toBe(false);
});

test('a star is any characters, dots, slashes and line breaks included, or none', () => {
  const text = (...letters: string[]) => fc.string({ unit: fc.constantFrom(...letters), maxLength: 9 });
  const globs = text('a', 'b', '.', '-', '*', '*').filter((glob) => glob !== '');
  fc.assert(
    fc.property(globs, text('a', 'b', '.', '-', '\n', '/'), (glob, name) => {
      const parts = glob.split('*').map((part) => part.replaceAll('.', '\\.'));
      expect(matcher(glob)(name)).toBe(new RegExp(`^${parts.join('.*')}$`, 's').test(name));
    }),
    { numRuns: 5000 },
  );
  // picomatch takes these for paths
  for (const name of ['', '.', '..', 'a/.']) expect(matcher('**')(name)).toBe(true);
  expect(matcher('a*')('a/.')).toBe(true);
});

test('many stars take no time', () => {
  const start = performance.now();
  expect(matcher(`${'*a'.repeat(40)}*b`)('a'.repeat(5000))).toBe(false);
  expect(matcher(`${'*a'.repeat(40_000)}*`)('a'.repeat(40_000))).toBe(true);
  expect(performance.now() - start).toBeLessThan(2000);
});
