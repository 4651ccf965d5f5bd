import fc from 'fast-check';
import picomatch from 'picomatch';
import { expect, test } from 'vitest';
import { expandBraces, matcher } from '../../../lib/plan/rules/globs.js';
import { expectOften, fuzzed } from '../../fuzz/fuzzed.js';
import { processorTime } from '../../support.js';

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
  ['{9007199254740993..9007199254740993}', 'expected numbers below 2^53'],
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
    fuzzed(5000),
  );
  // picomatch takes these for paths
  for (const name of ['', '.', '..', 'a/.']) expect(matcher('**')(name)).toBe(true);
  expect(matcher('a*')('a/.')).toBe(true);
});

test('many stars take no time', () => {
  const start = processorTime();
  expect(matcher(`${'*a'.repeat(40)}*b`)('a'.repeat(5000))).toBe(false);
  expect(matcher(`${'*a'.repeat(40_000)}*`)('a'.repeat(40_000))).toBe(true);
  expect(processorTime() - start).toBeLessThan(2000);
});

// Without slashes, and without dots, which picomatch takes for folders, and beside {0..11} for any character.
const { glob: globs } = fc.letrec<{ glob: string; part: string; list: string }>((tie) => ({
  glob: fc.array(tie('part'), { minLength: 1, maxLength: 5 }).map((parts) => parts.join('')),
  part: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.constantFrom('a', 'b', '1', '?', '*', '\\*', '[ab]', '[^a]', '[a-b1]', '{0..11}', '{a..c}'),
    },
    { weight: 1, arbitrary: tie('list') },
  ),
  list: fc.array(tie('glob'), { minLength: 2, maxLength: 3 }).map((choices) => `{${choices.join(',')}}`),
}));

test('globs mean what picomatch takes them for', () => {
  const name = fc.string({ unit: fc.constantFrom('a', 'b', '-', '1', '0', '*', '11'), minLength: 1, maxLength: 6 });
  const numbers = (from: string, to: string) =>
    from === 'a' ? '[a-c]' : `(?:${Array.from({ length: Number(to) + 1 }, (_, i) => i).join('|')})`;
  const options = { bash: true, dot: true, flags: 's', nonegate: true, strictSlashes: true, windows: false };
  let matched = 0;
  fc.assert(
    fc.property(globs, fc.array(name, { minLength: 8, maxLength: 8 }), (glob, names) => {
      const other = picomatch(glob, { ...options, expandRange: numbers });
      const ours = matcher(glob);
      for (const each of names) {
        expect([glob, each, ours(each)]).toEqual([glob, each, each === glob || other(each)]);
        if (ours(each)) matched += 1;
      }
    }),
    fuzzed(5000),
  );
  expectOften(matched, 1000);
});

test.each([
  ['[!a]b', ['bb', '1b', '!b'], ['ab', '/b', 'b']],
  ['[^a]b', ['bb', '!b', '^b'], ['ab', '/b', 'b']],
  ['[]a]', [']', 'a'], ['b']],
  ['[\\]a-]', [']', 'a', '-'], ['\\', 'b']],
  ['a?c', ['abc', 'a.c', 'a層c', 'a🙂c'], ['a/c', 'ac']],
  ['{a,{b,c}x,}y', ['ay', 'bxy', 'cxy', 'y'], ['by', 'xy']],
  ['{a..c}.{08..11}', ['a.08', 'c.11'], ['d.08', 'a.8', 'a.12']],
  ['{0..9999999}.w', ['0.w', '1234567.w'], ['10000000.w', '01.w']],
  ['{95..1203}', ['95', '99', '100', '999', '1000', '1199', '1203'], ['94', '1204', '9', '2000', '095']],
  ['{0..0}.{010..012}', ['0.010', '0.012'], ['00.010', '0.10', '0.013']],
  ['{0..3x}{x0..3}*', ['{0..3x}{x0..3}'], ['0{x0..3}', '{0..3x}0']],
  ['{a\\},b}', ['a}', 'b'], ['a', 'a\\}']],
  ['{a\\,b}', ['{a,b}'], ['a', 'a,b']],
  ['{a,b\\}', ['{a,b}'], ['a', 'b}']],
  ['{a,b*', ['{a,b', '{a,b.c'], ['a', 'b', 'a.c']],
  ['{a}*', ['{a}', '{a}.b'], ['a', 'a.b']],
  ['a}b[*', ['a}b[', 'a}b[c'], ['ab', 'abc']],
  ['\\[a\\]', ['[a]'], ['a']],
  ['a(b|c)"d"', ['a(b|c)"d"'], ['ab', 'ad']],
  ['[a{,]b', ['ab', '{b', ',b'], ['b']],
])('%j is read as in shells', (glob, matching, others) => {
  expect(matching.filter((name) => !matcher(glob)(name))).toEqual([]);
  expect(others.filter((name) => matcher(glob)(name))).toEqual([]);
});

test('a range of numbers matches each of them, and no other', () => {
  const number = fc.nat({ max: 12_000 });
  fc.assert(
    fc.property(number, number, number, (a, b, c) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)];
      const matches = matcher(`{${low}..${high}}`);
      for (const n of [low - 1, low, c, high, high + 1]) expect(matches(String(n))).toBe(n >= low && n <= high);
    }),
  );
});

test.each([
  ['@(a|b)', 'no extended globs, but there is'],
  ['a*(b)', 'no extended globs'],
  ['[z-a]', 'ranges from a smaller to a larger character'],
  ['[[:alpha:]]', 'characters and ranges such as a-z'],
  ['{7..3}', 'a range from a smaller number to a larger one'],
  ['{1..12345678901234567}', 'numbers of at most 16 digits'],
  [`${'{a,'.repeat(60)}b${'}'.repeat(60)}`, 'braces that nest at most 50 deep'],
  ['?'.repeat(10_001), 'at most 10000 characters, but there are 10001'],
])('%j is no glob', (glob, message) => {
  expect(() => matcher(glob)).toThrow(SyntaxError);
  expect(() => matcher(glob)).toThrow(message);
});

test.each([
  '*?*?*?*?*?*?*?*?*?*?b',
  `${'{a,aa}'.repeat(200)}b`,
  `${'{*,?*}'.repeat(100)}b`,
  `${'*[a-z]'.repeat(400)}b`,
  '{*{*{*{*{*a,b},b},b},b},b}b',
])('%s takes no time on a name that almost matches', (glob) => {
  const matches = matcher(glob);
  matches('a');
  const start = processorTime();
  for (let i = 0; i < 10; i++) expect(matches('a'.repeat(70))).toBe(false);
  expect(processorTime() - start).toBeLessThan(500);
});
