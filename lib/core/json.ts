import { InputError } from './errors.js';
import { kindOfFile } from './file-kinds.js';
import { deepest, JsonSyntaxError, type ScannedJson, scanJson, tooDeepAt } from './json-scan.js';

/** A path into a JSON document: names and indices. */
export type JsonPath = readonly (string | number)[];

/** A JSON document: UTF-8, no values nested deeper than code may recurse. */
export interface JsonDocument {
  /** The file's name, for messages. */
  readonly source: string;
  readonly text: string;
  /** Whether it was given as an object, so that the text is ours. */
  readonly isObject: boolean;
  /**
   * As Python reads it: the last of equal keys counts, and Infinity, -Infinity and NaN are numbers. `__proto__` is an ordinary own
   * key.
   */
  readonly value: unknown;
  /**
   * For documents that people write by hand, where it is a slip.
   *
   * @throws InputError for a key that stands twice in one object
   */
  refuseDuplicates(): void;
  /**
   * The keys of the object under a top-level key, or of the whole without one, as the text has them: JavaScript objects move keys
   * such as "0" to the front.
   *
   * @throws InputError for duplicates, anywhere
   */
  keysOf(key?: string): readonly string[];
}

/**
 * Reads JSON text, and of what is no JSON but Python's the numbers Infinity, -Infinity and NaN.
 *
 * @throws InputError with line and column for what is neither, and for values that nest too deeply; saying what the file is where its
 *   beginning tells
 */
export function readJson(bytes: Uint8Array, source: string, { isObject = false } = {}): JsonDocument {
  const text = decode(bytes, source);
  let scanned: ScannedJson | undefined;
  const scan = (): ScannedJson => {
    try {
      scanned ??= scanJson(text);
      return scanned;
    } catch (cause) {
      if (cause instanceof JsonSyntaxError) throw noJson(bytes, text, source, cause);
      throw cause;
    }
  };
  const refuseDuplicates = () => {
    const { duplicate } = scan();
    if (duplicate === undefined) return;
    const where = `${source}:${position(text, duplicate.offset)}: ${showPath(duplicate.path)}`;
    throw new InputError(`${where}: expected each key once, but this one stands here again`, { path: source });
  };
  return {
    source,
    text,
    isObject,
    value: parsed(text) ?? scan().value,
    refuseDuplicates,
    keysOf(key) {
      refuseDuplicates();
      const { keys, value } = scan();
      const has = key === undefined || (typeof value === 'object' && value !== null && Object.hasOwn(value, key));
      const object = has ? (key === undefined ? value : (value as Record<string, unknown>)[key]) : undefined;
      return keys.get(object as object) ?? [];
    },
  };
}

/** By JSON.parse, which is many times as fast as a pass of our own; undefined where that has more to say. */
function parsed(text: string): unknown {
  try {
    const value = JSON.parse(text) as unknown;
    return value === null || tooDeepAt(text) !== undefined ? undefined : value;
  } catch {
    return undefined;
  }
}

function noJson(bytes: Uint8Array, text: string, source: string, cause: JsonSyntaxError): InputError {
  const kind = kindOfFile(bytes);
  if (kind !== undefined && kind !== 'JSON text')
    return new InputError(`${source}: expected JSON, but it is ${kind}`, { path: source, cause });
  const where = `${source}:${position(text, cause.offset)}`;
  return new InputError(`${where}: expected JSON: ${cause.message}`, { path: source, cause });
}

function decode(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const kind = kindOfFile(bytes);
    const what = kind === undefined || kind === 'JSON text' ? 'no valid UTF-8' : kind;
    throw new InputError(`${source}: expected JSON in UTF-8, but it is ${what}`, { path: source, cause });
  }
}

/** 'line:column', both from 1. */
function position(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`;
}

/** A document of an object that a caller gives. */
export function documentOf(value: unknown, source: string): JsonDocument {
  return readJson(Buffer.from(`${jsonText(value, source, 2)}\n`), source, { isObject: true });
}

/**
 * A value as JSON that readJson reads again: with Infinity, -Infinity and NaN as Python writes them.
 *
 * @throws InputError for what JSON cannot hold: values that contain themselves, bigints, what nests too deeply
 */
export function jsonText(value: unknown, source: string, indent = 0): string {
  const marks = new Map<string, string>();
  try {
    const text = JSON.stringify(
      value,
      (_, each: unknown) => {
        if (typeof each !== 'number' || Number.isFinite(each)) return each;
        const mark = `\0${each}\0`;
        marks.set(JSON.stringify(mark), String(each));
        return mark;
      },
      indent,
    );
    if (text === undefined) throw new TypeError('it is undefined or a function');
    return Array.from(marks).reduce((written, [mark, word]) => written.replaceAll(mark, word), text);
  } catch (cause) {
    const why = cause instanceof RangeError ? `it nests deeper than ${deepest}` : (cause as Error).message;
    throw new InputError(`${source}: expected what JSON can hold, but ${why.split('\n')[0]}`, { cause });
  }
}

/** The objects of a recipe whose keys are names, not words of the format. */
const maps: JsonPath = ['tensors', 'layers', 'initializers', 'overrides'];

/** `tensors["h.0.weight"].shape[1]`: names in brackets, words of the format after a dot. */
export function showPath(path: JsonPath): string {
  const text = path.map((key, index) => {
    if (typeof key === 'number') return `[${key}]`;
    const isWord = /^[A-Za-z_$][\w$]*$/.test(key) && !(index === 1 && maps.includes(path[0] ?? ''));
    return isWord ? `.${key}` : `[${JSON.stringify(key)}]`;
  });
  return text.join('').replace(/^\./, '');
}

/**
 * Sets a top-level key, and leaves the rest of the text as it is: numbers such as 1e-05 keep their spelling.
 *
 * @param written the value in JSON
 */
export function setKey(text: string, key: string, value: unknown, written = JSON.stringify(value)): string {
  const { members } = scanJson(text);
  const there = members.findLast((member) => member.key === key);
  if (there !== undefined) return text.slice(0, there.valueBegin) + written + text.slice(there.valueEnd);
  const [first] = members;
  const last = members.at(-1);
  if (first === undefined || last === undefined)
    return text.replace('{', (brace) => `${brace}${JSON.stringify(key)}: ${written}`); // a text might have $&
  // On a line of its own where the first key has one.
  const space = /\s*$/.exec(text.slice(0, first.begin))?.[0] ?? '';
  const between = space.includes('\n') ? space : ' ';
  return `${text.slice(0, last.valueEnd)},${between}${JSON.stringify(key)}: ${written}${text.slice(last.valueEnd)}`;
}
