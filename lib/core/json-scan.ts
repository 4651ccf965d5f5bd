/** A key of an object, and where it and its value stand in the text. */
export interface Member {
  readonly key: string;
  readonly begin: number;
  readonly valueBegin: number;
  readonly valueEnd: number;
}

/** What JSON.parse does not tell of a text. */
export interface ScannedJson {
  /** Python's Infinity, -Infinity and NaN are numbers in it; else as JSON.parse gives it, `__proto__` an ordinary key. */
  readonly value: unknown;
  /** The keys of each object as the text has them: JavaScript objects move keys such as "0" to the front. */
  readonly keys: ReadonlyMap<object, readonly string[]>;
  /** Of the outermost object. */
  readonly members: readonly Member[];
  /** The first key that stands in its object a second time. */
  readonly duplicate: { readonly path: readonly (string | number)[]; readonly offset: number } | undefined;
}

/** The text is no JSON. */
export class JsonSyntaxError extends Error {
  readonly offset: number;

  constructor(what: string, offset: number) {
    super(what);
    this.offset = offset;
  }
}

/** Values nest at most so deep: Python's reader gives up not far beyond, and so would recursion here. */
export const deepest = 500;

interface Frame {
  readonly value: Record<string, unknown> | unknown[];
  /** Of an object; undefined for an array. */
  readonly keys: string[] | undefined;
  readonly seen: Set<string>;
  key: string;
  keyBegin: number;
  valueBegin: number;
}

const scalar = /true|false|null|NaN|-?Infinity|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/** The words that stand for values; all else that `scalar` matches is a number. */
const words: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['true', true],
  ['false', false],
  ['null', null],
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
]);

/**
 * Reads JSON as Python's json does, in one pass without recursion.
 *
 * @throws JsonSyntaxError with the place, for what is no JSON, and for values that nest too deeply
 */
export function scanJson(text: string): ScannedJson {
  return new Scanner(text).run();
}

class Scanner {
  readonly #text: string;
  #at = 0;
  readonly #stack: Frame[] = [];
  readonly #keys = new Map<object, readonly string[]>();
  readonly #members: Member[] = [];
  #duplicate: ScannedJson['duplicate'];

  constructor(text: string) {
    this.#text = text;
  }

  run(): ScannedJson {
    for (;;) {
      let value = this.#begin();
      if (value === undefined) continue; // one has been opened that is not empty
      for (;;) {
        const frame = this.#stack.at(-1);
        if (frame === undefined) {
          this.#space();
          if (this.#at < this.#text.length) throw this.#refuse('nothing after the value');
          return { value, keys: this.#keys, members: this.#members, duplicate: this.#duplicate };
        }
        this.#put(frame, value);
        if (this.#has(',')) {
          if (frame.keys !== undefined) this.#key(frame);
          break;
        }
        if (!this.#has(frame.keys === undefined ? ']' : '}')) {
          throw this.#refuse(frame.keys === undefined ? "',' or ']'" : "',' or '}'");
        }
        value = frame.value;
        this.#stack.pop();
      }
    }
  }

  /** Reads a value; undefined for an object or array that is now open. */
  #begin(): unknown {
    const isObject = this.#has('{');
    if (!isObject && !this.#has('[')) return this.#scalar();
    if (this.#stack.length >= deepest) {
      this.#at -= 1;
      throw this.#refuse(`values that nest at most ${deepest} deep`);
    }
    const frame: Frame = {
      ...{ value: isObject ? {} : [], keys: isObject ? [] : undefined, seen: new Set() },
      ...{ key: '', keyBegin: 0, valueBegin: 0 },
    };
    if (frame.keys !== undefined) this.#keys.set(frame.value, frame.keys);
    if (this.#has(isObject ? '}' : ']')) return frame.value;
    this.#stack.push(frame);
    if (isObject) this.#key(frame);
    return undefined;
  }

  #key(frame: Frame): void {
    this.#space();
    frame.keyBegin = this.#at;
    if (this.#text[this.#at] !== '"') throw this.#refuse('a key in quotes');
    frame.key = this.#string();
    if (!this.#has(':')) throw this.#refuse("':' after a key");
    this.#space();
    frame.valueBegin = this.#at;
    if (!frame.seen.has(frame.key)) {
      frame.seen.add(frame.key);
      frame.keys?.push(frame.key);
    } else this.#duplicate ??= { path: this.#path(), offset: frame.keyBegin };
  }

  #put({ value: container, key, keyBegin, valueBegin }: Frame, value: unknown): void {
    if (Array.isArray(container)) {
      container.push(value);
      return;
    }
    // An assignment to __proto__ would set the prototype.
    Object.defineProperty(container, key, { value, enumerable: true, writable: true, configurable: true });
    if (this.#stack.length === 1) this.#members.push({ key, begin: keyBegin, valueBegin, valueEnd: this.#at });
  }

  #path(): (string | number)[] {
    return this.#stack.map(({ value, key }) => (Array.isArray(value) ? value.length : key));
  }

  #scalar(): unknown {
    this.#space();
    if (this.#text[this.#at] === '"') return this.#string();
    scalar.lastIndex = this.#at;
    const found = scalar.exec(this.#text)?.[0];
    if (found === undefined) throw this.#refuse('a value');
    this.#at += found.length;
    return words.has(found) ? words.get(found) : Number(found);
  }

  #string(): string {
    const begin = this.#at;
    const end = endOfString(this.#text, begin);
    if (end < 0) throw this.#refuse("a string's end");
    try {
      const value = JSON.parse(this.#text.slice(begin, end)) as string;
      this.#at = end;
      return value;
    } catch {
      throw this.#refuse("a string in JSON's rules (escapes, no control characters)");
    }
  }

  #has(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #refuse(what: string): JsonSyntaxError {
    return new JsonSyntaxError(what, this.#at);
  }
}

const backslash = 0x5c;

/** The offset behind the quote that ends the string which begins at `begin`; -1 where there is none. */
function endOfString(text: string, begin: number): number {
  for (let end = text.indexOf('"', begin + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let first = end;
    while (text.charCodeAt(first - 1) === backslash) first -= 1;
    if ((end - first) % 2 === 0) return end + 1;
  }
  return -1;
}

/** Where values of a text that is JSON nest too deeply; undefined where none do. */
export function tooDeepAt(text: string): number | undefined {
  let depth = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x22) at = endOfString(text, at) - 1;
    else if (code === 0x7b || code === 0x5b) {
      depth += 1;
      if (depth > deepest) return at;
    } else if (code === 0x7d || code === 0x5d) depth -= 1;
  }
  return undefined;
}
