/** What stands in a header, before anything is compared with the file. */
export interface RawHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of the text. */
  readonly tensors: readonly RawTensor[];
}

export interface RawTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Why a header is refused. */
export class HeaderError extends Error {}

/** As deep as the reference lets values nest that it ignores. */
const deepest = 125;

const numberPattern = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;

/**
 * Parses the JSON of a safetensors header in one pass. JSON.parse would keep the last of duplicate keys, round what is beyond 2^53,
 * take 1.0 and 1e3 for integers, and let lone surrogates pass.
 *
 * @throws HeaderError saying what was expected, and where
 */
export function parseHeader(text: string): RawHeader {
  if (text[0] !== '{')
    throw new HeaderError(`expected a header that begins with '{', but it begins with ${shown(text[0])}`);
  return new Parser(text).header();
}

function shown(text: string | undefined): string {
  return text === undefined ? 'nothing' : JSON.stringify(text);
}

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  header(): RawHeader {
    let metadata: Map<string, string> | undefined;
    const tensors: RawTensor[] = [];
    this.#object('the header', (key) => {
      if (key === '__metadata__') metadata = this.#metadata();
      else tensors.push(this.#tensor(key));
    });
    this.#space();
    if (this.#at < this.#text.length) throw this.#refuse('nothing but spaces after the header');
    return { metadata: metadata ?? new Map(), tensors };
  }

  #metadata(): Map<string, string> {
    const metadata = new Map<string, string>();
    if (this.#literal('null')) return metadata; // the reference's None
    this.#object('__metadata__', (key) => {
      metadata.set(key, this.#string(`a string for __metadata__[${shown(key)}]`));
    });
    return metadata;
  }

  #tensor(name: string): RawTensor {
    const place = `tensor ${shown(name)}`;
    let dtype: string | undefined;
    let shape: number[] | undefined;
    let offsets: number[] | undefined;
    this.#object(place, (key) => {
      if (key === 'dtype') dtype = this.#string(`a string for the dtype of ${place}`);
      else if (key === 'shape') shape = this.#integers(`the shape of ${place}`);
      else if (key === 'data_offsets') offsets = this.#integers(`the data_offsets of ${place}`);
      else this.#ignore(1); // as the reference does
    });
    const [begin, end, more] = offsets ?? [];
    if (dtype === undefined) throw new HeaderError(`expected ${place} to have a dtype`);
    if (shape === undefined) throw new HeaderError(`expected ${place} to have a shape`);
    if (begin === undefined || end === undefined || more !== undefined) {
      throw new HeaderError(`expected ${place} to have two data_offsets`);
    }
    return { name, dtype, shape, begin, end };
  }

  /** Reads an object, and calls `value` with each key when its value is next. No key may stand there twice. */
  #object(what: string, value: (key: string) => void): void {
    const keys = new Set<string>();
    this.#take('{', `an object for ${what}`);
    if (this.#has('}')) return;
    do {
      const at = this.#at;
      const key = this.#string(`a key in ${what}`);
      if (keys.has(key)) {
        this.#at = at;
        throw this.#refuse(`each key of ${what} once, but ${shown(key)} stands there again`);
      }
      keys.add(key);
      this.#take(':', `':' after ${shown(key)}`);
      value(key);
    } while (this.#has(','));
    this.#take('}', `',' or '}' in ${what}`);
  }

  #integers(what: string): number[] {
    const list: number[] = [];
    this.#take('[', `an array of whole numbers for ${what}`);
    if (this.#has(']')) return list;
    do list.push(this.#integer(what));
    while (this.#has(','));
    this.#take(']', `',' or ']' in ${what}`);
    return list;
  }

  #integer(what: string): number {
    const at = this.#at;
    const text = this.#number();
    const value = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
    this.#at = at;
    throw this.#refuse(`whole numbers from 0 to 2^53 - 1 in ${what}`);
  }

  #number(): string {
    this.#space();
    numberPattern.lastIndex = this.#at;
    const text = numberPattern.exec(this.#text)?.[0] ?? '';
    this.#at += text.length;
    return text;
  }

  #string(what: string): string {
    this.#space();
    const start = this.#at;
    if (this.#text[start] !== '"') throw this.#refuse(what);
    let end = start;
    do {
      end = this.#text.indexOf('"', end + 1);
      if (end < 0) throw this.#refuse("a string's end");
    } while (this.#escaped(end));
    this.#at = end + 1;
    const raw = this.#text.slice(start + 1, end);
    return plain.test(raw) ? raw : this.#unescape(raw, start);
  }

  /** Whether an odd number of backslashes stands before a character. */
  #escaped(at: number): boolean {
    let first = at;
    while (this.#text.charCodeAt(first - 1) === backslash) first -= 1;
    return (at - first) % 2 === 1;
  }

  #unescape(raw: string, at: number): string {
    let text: string;
    try {
      text = JSON.parse(`"${raw}"`) as string;
    } catch {
      this.#at = at;
      throw this.#refuse("a string in JSON's rules (escapes, no control characters)");
    }
    if (!/\p{Surrogate}/u.test(text)) return text;
    this.#at = at;
    throw this.#refuse('well-formed Unicode, without half a surrogate pair');
  }

  /** Passes over a value that means nothing here. */
  #ignore(depth: number): void {
    if (depth > deepest) throw this.#refuse('values that nest less deeply');
    this.#space();
    switch (this.#text[this.#at]) {
      case '{':
        this.#object('an object', () => this.#ignore(depth + 1));
        return;
      case '[':
        this.#at += 1;
        if (this.#has(']')) return;
        do this.#ignore(depth + 1);
        while (this.#has(','));
        this.#take(']', "',' or ']'");
        return;
      case '"':
        this.#string('a string');
        return;
      default:
        if (this.#literal('true') || this.#literal('false') || this.#literal('null')) return;
        if (!Number.isFinite(Number(this.#number() || Number.NaN))) throw this.#refuse('a value');
    }
  }

  #literal(word: string): boolean {
    this.#space();
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #has(char: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== char) return false;
    this.#at += 1;
    return true;
  }

  #take(char: string, what: string): void {
    if (!this.#has(char)) throw this.#refuse(what);
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #refuse(what: string): HeaderError {
    this.#space();
    return new HeaderError(`expected ${what}, at character ${this.#at} of the header (${shown(this.#text[this.#at])})`);
  }
}

const backslash = 0x5c;

/** Strings without escapes and control characters, which most are. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: those that JSON forbids
const plain = /^[^\\\u0000-\u001f]*$/;
