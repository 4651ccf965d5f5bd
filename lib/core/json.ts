import {
  applyEdits,
  modify,
  type Node,
  type ParseError,
  parseTree as parseJson,
  printParseErrorCode,
} from 'jsonc-parser';
import { InputError } from './errors.js';

/** A path into a JSON document: names and indices. */
export type JsonPath = readonly (string | number)[];

/** A JSON document read strictly: valid JSON, UTF-8, no key twice in one object. */
export interface JsonDocument {
  /** The file's name, for messages. */
  readonly source: string;
  readonly text: string;
  /** As JSON.parse gives it, so `__proto__` is an ordinary own key. */
  readonly value: unknown;
  /**
   * The keys of the object under a top-level key, or of the whole without one, as the text has them: JavaScript objects move keys
   * such as "0" to the front.
   */
  keysOf(key?: string): string[];
}

/**
 * Reads JSON text.
 *
 * @throws InputError with line and column for what is no JSON, for a duplicate key (JSON.parse would keep the last
 *   silently), and for bytes that are not UTF-8
 */
export function readJson(bytes: Uint8Array, source: string): JsonDocument {
  const text = decode(bytes, source);
  const errors: ParseError[] = [];
  const tree = parseTree(text, source, errors);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    // jsonc-parser knows line and column; V8's message is kept for what only JSON.parse refuses.
    const first = errors[0];
    const what = first === undefined ? String((cause as Error).message) : words(printParseErrorCode(first.error));
    const where = first === undefined ? '' : `:${position(text, first.offset)}`;
    throw new InputError(`${source}${where}: expected JSON: ${what}`, { path: source, cause });
  }
  if (tree !== undefined) refuseDuplicates(tree, [], text, source);
  return {
    source,
    text,
    value,
    keysOf(key) {
      const property = tree?.children?.findLast((child) => child.children?.[0]?.value === key);
      const object = key === undefined ? tree : property?.children?.[1];
      return (object?.children ?? []).map((child) => String(child.children?.[0]?.value));
    },
  };
}

function decode(bytes: Uint8Array, source: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new InputError(`${source}: expected JSON in UTF-8, but the file is no valid UTF-8`, { path: source, cause });
  }
}

function parseTree(text: string, source: string, errors: ParseError[]): Node | undefined {
  try {
    return parseJson(text, errors, { disallowComments: true });
  } catch (cause) {
    throw new InputError(`${source}: nested too deeply`, { path: source, cause }); // the parser is recursive
  }
}

/** 'PropertyNameExpected' → 'property name expected'. */
function words(code: string): string {
  return code.replace(/\B[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();
}

/** 'line:column', both from 1. */
function position(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `${before.split('\n').length}:${offset - before.lastIndexOf('\n')}`;
}

function refuseDuplicates(node: Node, path: JsonPath, text: string, source: string): void {
  const children = node.children ?? [];
  if (node.type === 'array') {
    for (const [index, child] of children.entries()) refuseDuplicates(child, [...path, index], text, source);
    return;
  }
  const seen = new Set<string>();
  for (const property of children) {
    const [key, value] = property.children ?? [];
    if (key === undefined || value === undefined) continue;
    const name = String(key.value);
    const here = [...path, name];
    if (seen.has(name)) {
      const where = `${source}:${position(text, key.offset)}`;
      throw new InputError(`${where}: ${showPath(here)}: expected each key once, but this one stands here again`, {
        path: source,
      });
    }
    seen.add(name);
    refuseDuplicates(value, here, text, source);
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

/** Sets a top-level key, and leaves the rest of the text as it is: numbers such as 1e-05 keep their spelling. */
export function setKey(text: string, key: string, value: unknown): string {
  const formattingOptions = { insertSpaces: true, tabSize: 2, eol: text.includes('\r\n') ? '\r\n' : '\n' };
  return applyEdits(text, modify(text, [key], value, { formattingOptions }));
}
