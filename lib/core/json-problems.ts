import type { z } from 'zod';
import { didYouMean, quoted, show } from './check.js';
import { InputError } from './errors.js';
import { type JsonPath, showPath } from './json.js';

/**
 * Checks a value from a JSON file against a schema whose error texts say what is expected ('a whole number ≥ 0').
 *
 * @param path where the value stands in the file
 * @throws InputError with the path, what was expected and what was there: the first problem, and how many more there are
 */
export function parseWith<S extends z.ZodType>(
  schema: S,
  value: unknown,
  source: string,
  path: JsonPath = [],
): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [first, ...more] = result.error.issues;
  if (first === undefined) throw result.error;
  const others = more.length === 0 ? '' : ` (and ${more.length} more)`;
  throw new InputError(`${source}: ${describe(first, value, path)}${others}`, { path: source, cause: result.error });
}

function describe(issue: z.core.$ZodIssue, root: unknown, prefix: JsonPath): string {
  const path = [...prefix, ...(issue.path as JsonPath)];
  if (issue.code === 'unrecognized_keys') return `${showPath([...path, issue.keys[0] ?? ''])}: ${issue.message}`;
  const received = valueAt(root, issue.path);
  const where = path.length === 0 ? '' : `${showPath(path)}: `;
  const words = issue.code === 'invalid_value' ? issue.values.map(String) : [];
  const hint = typeof received === 'string' ? didYouMean(received, words) : undefined;
  const found = received === undefined ? 'it is missing' : `received ${show(received)}`;
  return `${where}expected ${withinNumbers(inOurWords(issue.message), received)}, but ${found}${hint === undefined ? '' : ` (${hint})`}`;
}

const signs: Readonly<Record<string, string>> = { '>=': '≥', '<=': '≤' };

const kinds: Readonly<Record<string, string>> = {
  number: 'a number',
  int: 'a whole number',
  string: 'text',
  boolean: 'true or false',
  array: 'an array',
  tuple: 'an array',
  object: 'an object',
  record: 'an object',
};

/** Of zod's own words, where a schema has none: 'Invalid input: expected array, received string', 'Too small: expected number to be >=1'. */
function inOurWords(message: string): string {
  const wanted = message.replace(/^[A-Z][a-z ]*: expected (.*?)(?:, received .*)?$/s, '$1');
  const bound = /^(number|int|string|array) to (?:be|have) ([<>]=?)(\S+)(?: \w+)?$/.exec(wanted);
  if (bound === null) return kinds[wanted] ?? wanted;
  const [, kind = '', sign = '', limit] = bound;
  const length = kind === 'string' || kind === 'array' ? ' of a length' : '';
  return `${kinds[kind]}${length} ${signs[sign] ?? sign} ${limit}`;
}

/** Says what a whole number is refused for that is larger than JavaScript's are exact, unless a bound is told on that side. */
function withinNumbers(wanted: string, received: unknown): string {
  if (!Number.isInteger(received) || Number.isSafeInteger(received)) return wanted;
  const [told, beyond] = (received as number) > 0 ? ['≤', '< 2^53'] : ['≥', '> -2^53'];
  return wanted.includes(told) ? wanted : wanted.replace(/whole number(?: ≥ \d+)?(?=$|,| or )/, `$& and ${beyond}`);
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const key of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** The error text of a strict object: what is expected of its keys, the nearest one named, or of the whole. */
export function objectError(known: readonly string[], what = 'an object') {
  return (issue: { readonly code?: string | undefined; readonly keys?: readonly string[] }): string => {
    if (issue.code !== 'unrecognized_keys') return what;
    const hint = didYouMean(issue.keys?.[0] ?? '', known);
    return `unknown key, expected one of ${quoted(known)}${hint === undefined ? '' : ` (${hint})`}`;
  };
}
