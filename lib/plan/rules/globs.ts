import { matcherOfStates } from './glob-states.js';

/** Names that one pattern may stand for. */
const mostNames = 1_000_000;

/**
 * A glob over whole names, case-sensitive: `*` also crosses dots and slashes; `?` (no slash), `[0-9]`, `[!a]`, `{q,k,v}` and `{0..11}` as in
 * shells; a leading `!` is a character. A glob that is a name to the letter matches it. It takes time in proportion to its length and the
 * name's, whatever the glob.
 *
 * @throws SyntaxError for what is no glob
 */
export function matcher(glob: string): (name: string) => boolean {
  if (glob === '*') return () => true;
  if (/^[\w.*-]+$/.test(glob)) return matcherOfStars(glob);
  const matches = matcherOfStates(glob);
  return (name) => name === glob || matches(name);
}

/** Globs of nothing but `*` and characters that mean themselves, in less time than by states. */
function matcherOfStars(glob: string): (name: string) => boolean {
  const [first = '', ...others] = glob.split('*');
  const last = others.pop();
  if (last === undefined) return (name) => name === glob;
  const middle = others.filter((part) => part !== '');
  return (name) => {
    const end = name.length - last.length;
    if (end < first.length || !name.startsWith(first) || !name.endsWith(last)) return false;
    // What a part finds first leaves the most to those after it.
    let at = first.length;
    for (const part of middle) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return at <= end;
  };
}

/** True for a name that any of the globs matches. */
export function matcherOfAll(globs: readonly string[]): (name: string) => boolean {
  const matchers = globs.map(matcher);
  return (name) => matchers.some((matches) => matches(name));
}

/**
 * The names that braces in a name stand for: `h.{0..11}.{q,k}` is h.0.q, h.0.k, h.1.q, … The last pair of braces changes fastest. A
 * backslash before `{`, `}`, `,` or `\` makes that a character of the name. Zeros in front of a number in a range are kept.
 *
 * @throws RangeError for braces that are neither a list nor a range, and for more than a million names
 */
export function expandBraces(name: string): string[] {
  const parts = parse(name);
  const total = parts.reduce((product, { length }) => product * length, 1);
  if (total > mostNames) throw new RangeError(`expected at most ${mostNames} names, but these braces make ${total}`);
  return parts.reduce<string[]>(
    (names, choices) => {
      const [only] = choices;
      if (choices.length === 1 && only !== undefined) return names.map((begun) => begun + only);
      return names.flatMap((begun) => choices.map((choice) => begun + choice));
    },
    [''],
  );
}

/** A name as a sequence of choices; literal text is a choice of one. */
function parse(name: string): string[][] {
  const parts: string[][] = [];
  let text = '';
  for (let at = 0; at < name.length; at++) {
    const character = name[at] ?? '';
    if (isEscape(name, at)) {
      text += name[++at];
    } else if (character === '{') {
      const end = closing(name, at);
      parts.push([text], choicesOf(name.slice(at, end + 1)));
      text = '';
      at = end;
    } else if (character === '}') {
      throw new RangeError(`expected { before } in '${name}'; \\} is the character`);
    } else {
      text += character;
    }
  }
  return [...parts, [text]];
}

/** Whether a backslash at a place takes the meaning from the character after it. */
function isEscape(text: string, at: number): boolean {
  return text[at] === '\\' && '{},\\'.includes(text[at + 1] ?? ' ');
}

function closing(name: string, open: number): number {
  for (let at = open + 1; at < name.length; at++) {
    if (isEscape(name, at)) at += 1;
    else if (name[at] === '}') return at;
    else if (name[at] === '{') throw new RangeError(`expected no braces within braces in '${name}'`);
  }
  throw new RangeError(`expected } after { in '${name}'; \\{ is the character`);
}

function choicesOf(braces: string): string[] {
  const inside = braces.slice(1, -1);
  const [, from = '', to = ''] = /^(\d+)\.\.(\d+)$/.exec(inside) ?? [];
  if (from !== '') return range(from, to, braces);
  const choices = [''];
  for (let at = 0; at < inside.length; at++) {
    const character = inside[at] ?? '';
    if (character === ',') choices.push('');
    else if (isEscape(inside, at)) choices.push(`${choices.pop()}${inside[++at]}`);
    else choices.push(`${choices.pop()}${character}`);
  }
  if (choices.length > 1) return choices;
  throw new RangeError(`expected a list such as {q,k,v} or a range such as {0..11}, but received '${braces}'`);
}

function range(from: string, to: string, braces: string): string[] {
  const first = Number(from);
  const count = Number(to) - first + 1;
  // Beyond, names would be those of other numbers.
  if (!Number.isSafeInteger(Number(to)) || !Number.isSafeInteger(first))
    throw new RangeError(`expected numbers below 2^53, but received '${braces}'`);
  if (!(count >= 1))
    throw new RangeError(`expected a range from a smaller number to a larger one, but received '${braces}'`);
  if (count > mostNames) throw new RangeError(`expected at most ${mostNames} names, but '${braces}' makes ${count}`);
  const width = [from, to].some((number) => number.length > 1 && number.startsWith('0'))
    ? Math.max(from.length, to.length)
    : 0;
  return Array.from({ length: count }, (_, i) => String(first + i).padStart(width, '0'));
}
