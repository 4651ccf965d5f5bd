// Globs as state machines: all ways to go on are followed side by side, so a name takes time in proportion to its length and the glob's.

/** What a glob is made of, one after another. */
type Part =
  | { readonly kind: 'one'; readonly test: (codePoint: number) => boolean }
  | { readonly kind: 'star' }
  | { readonly kind: 'choices'; readonly choices: readonly Sequence[] };
type Sequence = readonly Part[];

/** A state that takes a character, one that goes on as several at once, or the end. */
interface State {
  /** Undefined for states that take no character. */
  readonly test?: (codePoint: number) => boolean;
  next: readonly State[];
  /** The position at which it was last reached. */
  mark: number;
}

/** No glob that people write is longer, or nests deeper. */
const longest = 10_000;
const deepest = 50;

/**
 * The matcher of a glob of any kind.
 *
 * @throws SyntaxError for extended globs (`@(a|b)`), classes with a range backwards or of POSIX, ranges of numbers backwards, and what is longer
 *   or nests deeper than people write
 */
export function matcherOfStates(glob: string): (name: string) => boolean {
  if (glob.length > longest) throw new SyntaxError(`at most ${longest} characters, but there are ${glob.length}`);
  const end: State = { next: [], mark: -1 };
  const start = stateOf(new Parser(glob).all(), end);
  let time = 0; // never falls, so that marks of earlier names mean nothing
  return (name) => {
    let active: State[] = [];
    reach(start, ++time, active);
    for (const character of name) {
      const codePoint = character.codePointAt(0) ?? 0;
      const reached: State[] = [];
      time += 1;
      for (const { test, next } of active) {
        if (test?.(codePoint)) for (const state of next) reach(state, time, reached);
      }
      if (reached.length === 0) return false;
      active = reached;
    }
    return end.mark === time;
  };
}

/** Adds a state, and those that it goes on as. */
function reach(first: State, time: number, reached: State[]): void {
  const waiting = [first];
  for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
    if (state.mark === time) continue;
    state.mark = time;
    if (state.test !== undefined || state.next.length === 0) reached.push(state);
    else waiting.push(...state.next);
  }
}

const anything = () => true;

/** From the last part to the first, since each state knows what comes after it. */
function stateOf(parts: Sequence, after: State): State {
  return parts.reduceRight((next, part): State => {
    if (part.kind === 'one') return { test: part.test, next: [next], mark: -1 };
    if (part.kind === 'choices') return { next: part.choices.map((choice) => stateOf(choice, next)), mark: -1 };
    const loop: State = { next: [], mark: -1 };
    loop.next = [next, { test: anything, next: [loop], mark: -1 }];
    return loop;
  }, after);
}

const slash = 0x2f;
const isNoSlash = (codePoint: number) => codePoint !== slash;
const codeOf = (character: string): number => character.codePointAt(0) ?? 0;

function one(character: string): Part {
  const wanted = codeOf(character);
  return { kind: 'one', test: (codePoint) => codePoint === wanted };
}

function between(from: number, to: number): Part {
  return { kind: 'one', test: (codePoint) => codePoint >= from && codePoint <= to };
}

const literal = (text: string): Sequence => Array.from(text, one);

class Parser {
  readonly #characters: readonly string[];
  /** From an opening brace to the one that closes it. */
  readonly #closing = new Map<number, number>();
  /** Opening braces with a comma between them and the closing one. */
  readonly #lists = new Set<number>();
  #at = 0;

  constructor(glob: string) {
    this.#characters = [...glob];
    this.#findBraces();
  }

  all(): Sequence {
    return this.#sequence(this.#characters.length, false)[0] ?? [];
  }

  #findBraces(): void {
    const open: number[] = [];
    for (let at = 0; at < this.#characters.length; at++) {
      const character = this.#characters[at];
      if (character === '\\') at += 1;
      else if (character === '[') at = this.#classEnd(at) ?? at;
      else if (character === '{') open.push(at);
      else if (character === ',') this.#lists.add(open.at(-1) ?? -1);
      else if (character === '}') this.#closing.set(open.pop() ?? -1, at);
      if (open.length > deepest) throw new SyntaxError(`braces that nest at most ${deepest} deep`);
    }
  }

  /** The parts up to a place; within a list, one sequence for each of its choices. */
  #sequence(end: number, isList: boolean): Part[][] {
    let parts: Part[] = [];
    const choices = [parts];
    while (this.#at < end) {
      if (isList && this.#characters[this.#at] === ',') {
        this.#at += 1;
        parts = [];
        choices.push(parts);
      } else parts.push(...this.#next());
    }
    return choices;
  }

  #next(): Sequence {
    const at = this.#at++;
    const character = this.#characters[at] ?? '';
    if ('@!+*?'.includes(character) && this.#characters[at + 1] === '(') {
      const how = 'lists are {a,b}, and \\( is the character';
      throw new SyntaxError(`no extended globs, but there is '${character}(': ${how}`);
    }
    switch (character) {
      case '*':
        return [{ kind: 'star' }];
      case '?':
        return [{ kind: 'one', test: isNoSlash }];
      case '\\':
        return [one(this.#characters[this.#at++] ?? '\\')];
      case '[': {
        const end = this.#classEnd(at);
        return end === undefined ? [one('[')] : [this.#class(end)];
      }
      case '{':
        return this.#braces(at);
      default:
        return [one(character)];
    }
  }

  #braces(open: number): Sequence {
    const end = this.#closing.get(open);
    if (end === undefined) return [one('{')];
    if (this.#lists.has(open)) {
      const choices = this.#sequence(end, true);
      this.#at = end + 1;
      return [{ kind: 'choices', choices }];
    }
    const inside = this.#characters.slice(open + 1, end).join('');
    const [, from = '', to = ''] = /^(\d+|[^\\]?)\.\.(\d+|[^\\]?)$/u.exec(inside) ?? [];
    if (from === '' || to === '') return [one('{')]; // as in shells, what is neither a list nor a range means itself
    this.#at = end + 1;
    if (/^\d+$/.test(from + to)) return [{ kind: 'choices', choices: numbers(from, to) }];
    const [low = 0, high = 0] = [codeOf(from), codeOf(to)].sort((a, b) => a - b);
    return [between(low, high)];
  }

  /** Where a class that begins at a place ends; undefined where the bracket means itself. */
  #classEnd(open: number): number | undefined {
    let at = open + 1;
    if (this.#characters[at] === '!' || this.#characters[at] === '^') at += 1;
    if (this.#characters[at] === ']') at += 1; // first in a class, it is a character of it
    for (; at < this.#characters.length; at++) {
      if (this.#characters[at] === '\\') at += 1;
      else if (this.#characters[at] === ']') return at;
    }
    return undefined;
  }

  #class(end: number): Part {
    const isNegated = this.#characters[this.#at] === '!' || this.#characters[this.#at] === '^';
    if (isNegated) this.#at += 1;
    const ranges: (readonly [low: number, high: number])[] = [];
    while (this.#at < end) {
      if (this.#characters[this.#at] === '[' && this.#characters[this.#at + 1] === ':')
        throw new SyntaxError('characters and ranges such as a-z in [ ], but there is [:');
      const low = this.#classCharacter();
      const isRange = this.#characters[this.#at] === '-' && this.#at + 1 < end;
      if (isRange) this.#at += 1;
      const high = isRange ? this.#classCharacter() : low;
      if (high < low) throw new SyntaxError('ranges from a smaller to a larger character in [ ]');
      ranges.push([low, high]);
    }
    this.#at = end + 1;
    const has = (codePoint: number) => ranges.some(([low, high]) => codePoint >= low && codePoint <= high);
    return { kind: 'one', test: isNegated ? (codePoint) => codePoint !== slash && !has(codePoint) : has };
  }

  #classCharacter(): number {
    if (this.#characters[this.#at] === '\\') this.#at += 1;
    return codeOf(this.#characters[this.#at++] ?? '\\');
  }
}

/** The numbers of a range as texts; zeros in front of one of them are kept. */
function numbers(from: string, to: string): Sequence[] {
  if (from.length > 16 || to.length > 16) throw new SyntaxError('numbers of at most 16 digits in {0..11}');
  if (Number(from) > Number(to))
    throw new SyntaxError(`a range from a smaller number to a larger one, but there is {${from}..${to}}`);
  const isPadded = [from, to].some((number) => number.length > 1 && number.startsWith('0'));
  const width = Math.max(from.length, to.length);
  if (isPadded) return digits(from.padStart(width, '0'), to.padStart(width, '0'));
  const sequences: Sequence[] = [];
  for (let length = from.length; length <= to.length; length++) {
    const low = length === from.length ? from : `1${'0'.repeat(length - 1)}`;
    sequences.push(...digits(low, length === to.length ? to : '9'.repeat(length)));
  }
  return sequences;
}

/** The numbers between two of the same length: a few sequences of digits and ranges of them. */
function digits(low: string, high: string): Sequence[] {
  if (low === high) return [literal(low)];
  const [first, last] = [codeOf(low), codeOf(high)];
  const [lowRest, highRest] = [low.slice(1), high.slice(1)];
  const nines = '9'.repeat(lowRest.length);
  const zeros = '0'.repeat(lowRest.length);
  const before = (digit: number, rests: Sequence[]) => rests.map((rest) => [between(digit, digit), ...rest]);
  if (first === last) return before(first, digits(lowRest, highRest));
  if (lowRest === zeros && highRest === nines)
    return [[between(first, last), ...Array.from(nines, () => between(codeOf('0'), codeOf('9')))]];
  return [
    ...before(first, digits(lowRest, nines)),
    ...(last - first > 1
      ? digits(String.fromCodePoint(first + 1) + zeros, String.fromCodePoint(last - 1) + nines)
      : []),
    ...before(last, digits(zeros, highRest)),
  ];
}
