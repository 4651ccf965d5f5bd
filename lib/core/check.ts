import { type Dtype, dtypes } from './dtype.js';
import { messageText, printable } from './text.js';

/**
 * The one shape of every refusal:
 * `${fn}: expected ${what} for ${argument}, but received ${shown} of type ${type}`, and a hint in brackets where one helps.
 * TypeError for a value of the wrong type, RangeError for a wrong value of the right type.
 */
function message(fn: string, argument: string, what: string, received: unknown, hint: string | undefined): string {
  const text = `${fn}: expected ${what} for ${argument}, but received ${show(received)} of type ${typeName(received)}`;
  return messageText(hint === undefined ? text : `${text} (${hint})`);
}

/** The error for a value of the wrong type; its `code` is Node's, ERR_INVALID_ARG_TYPE. */
export function typeError(fn: string, argument: string, what: string, received: unknown, hint?: string): TypeError {
  return refusal(new TypeError(message(fn, argument, what, received, hint)), 'ERR_INVALID_ARG_TYPE');
}

/** The error for a wrong value of the right type; its `code` is Node's, ERR_OUT_OF_RANGE. */
export function rangeError(fn: string, argument: string, what: string, received: unknown, hint?: string): RangeError {
  return refusal(new RangeError(message(fn, argument, what, received, hint)), 'ERR_OUT_OF_RANGE');
}

const refusals = new WeakSet<Error>();

function refusal<E extends Error>(error: E, code: string): E {
  refusals.add(error);
  return Object.assign(error, { code });
}

/** Whether an error refuses an argument, as typeError and rangeError make them. Node's own have the same codes. */
export const isRefusal = (error: unknown): boolean => error instanceof Error && refusals.has(error);

// The getter knows typed arrays of every realm (vm contexts, test runners), and cannot be fooled by a property.
const typedArrayTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype) as object,
  Symbol.toStringTag,
)?.get as (this: unknown) => string | undefined;

/** 'Float32Array', 'Uint16Array', …; undefined for whatever is no typed array. */
export function typedArrayName(value: unknown): string | undefined {
  return typedArrayTag.call(value);
}

/** What a value is, in one word: null and array beside typeof's words, the class of other objects. */
export function typeName(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value !== 'object') return typeof value;
  return typedArrayName(value) ?? className(value) ?? 'object';
}

function className(value: object): string | undefined {
  try {
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== '' && name !== 'Object' ? name : undefined;
  } catch {
    return undefined; // a getter or a Proxy that throws
  }
}

const longestShown = 60;

/** A value as short text for a message; runs no code of the value's own except what reading an array takes. */
export function show(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return `'${printable(short(value))}'`;
    case 'bigint':
      return `${short(String(value))}n`;
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'function':
      return 'a function';
    case 'object':
      return value === null ? 'null' : showObject(value);
    default:
      return short(String(value)); // a symbol has a text too
  }
}

const short = (text: string): string => (text.length > longestShown ? `${text.slice(0, longestShown)}…` : text);

function showObject(value: object): string {
  if (Array.isArray(value)) {
    const first = value.slice(0, 8).map((item: unknown) => (Array.isArray(item) ? '[…]' : show(item)));
    return `[${first.join(', ')}${value.length > 8 ? ', …' : ''}]`;
  }
  return typedArrayName(value) === undefined ? 'an object' : `${(value as Uint8Array).length} elements`;
}

/** 'a', 'b', 'c' in quotes and with commas. */
export function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(', ');
}

/** What others call it: other libraries, files, habit. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ['bf16', 'bfloat16'],
  ...['fp16', 'f16', 'half'].map((name) => [name, 'float16'] as const),
  ...['fp32', 'f32', 'float', 'single'].map((name) => [name, 'float32'] as const),
  ...['fp64', 'f64', 'double'].map((name) => [name, 'float64'] as const),
  ...['seed', 'rng', 'key', 'random_state'].map((name) => [name, 'generator'] as const),
  ...['uniform', 'normal'].flatMap((kind) => [
    [`glorot_${kind}`, `xavier_${kind}`] as const,
    [`he_${kind}`, `kaiming_${kind}`] as const,
    [`random_${kind}`, kind] as const,
  ]),
  ['truncated_normal', 'trunc_normal'],
]);

/** Fewer letters begin too many names. */
const fewestLetters = 3;
const mostHints = 3;

/**
 * The known name that a wrong one stands for elsewhere, or the nearest to it, or those that begin with it, as a hint; undefined when none is near: more
 * than a third is wrong.
 */
export function didYouMean(wrong: string, known: readonly string[]): string | undefined {
  const name = wrong.replace(/^torch\./, '');
  const same = known.includes(name) ? name : otherNames.get(name.toLowerCase());
  if (same !== undefined && known.includes(same)) return hintOf([same]);
  const others = [...otherNames].filter(([, meant]) => known.includes(meant));
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(name.length / 3));
  for (const [candidate, meant] of [...known.map((each) => [each, each] as const), ...others]) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance <= bestDistance && (best === undefined || distance < bestDistance)) {
      best = meant;
      bestDistance = distance;
    }
  }
  if (best !== undefined) return hintOf([best]);
  const longer = name.length < fewestLetters ? [] : known.filter((each) => each.startsWith(`${name}_`));
  return longer.length === 0 || longer.length > mostHints ? undefined : hintOf(longer);
}

const hintOf = (names: readonly string[]): string => `did you mean ${names.map((name) => `'${name}'`).join(' or ')}?`;

/** How many letters were left out, added, replaced or swapped with their neighbours. */
function editDistance(from: string, to: string): number {
  if (Math.abs(from.length - to.length) > longestShown) return Number.POSITIVE_INFINITY;
  let row = Array.from({ length: to.length + 1 }, (_, i) => i);
  let before = row;
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const crossed = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const neighbours = crossed ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, neighbours));
    }
    before = row;
    row = next;
  }
  return row[to.length] ?? 0;
}

/** true or false. */
export function checkBoolean(fn: string, argument: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw typeError(fn, argument, 'a boolean', value);
  return value;
}

/** A safe integer in [min, max]. */
export function checkInteger(
  fn: string,
  argument: string,
  value: unknown,
  min = Number.MIN_SAFE_INTEGER,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  const what = describeInteger(min, max);
  if (typeof value !== 'number') throw typeError(fn, argument, what, value);
  throw rangeError(
    fn,
    argument,
    what,
    value,
    Math.abs(value) > Number.MAX_SAFE_INTEGER ? 'beyond 2^53 - 1' : undefined,
  );
}

function describeInteger(min: number, max: number): string {
  if (max < Number.MAX_SAFE_INTEGER) return `an integer from ${min} to ${max}`;
  return min > Number.MIN_SAFE_INTEGER ? `an integer ≥ ${min}` : 'an integer';
}

/** One of a list of names. */
export function checkOneOf<const T extends string>(
  fn: string,
  argument: string,
  value: unknown,
  names: readonly T[],
  hint?: string,
): T {
  if ((names as readonly unknown[]).includes(value)) return value as T;
  const what = names.length === 1 ? quoted(names) : `one of ${quoted(names)}`;
  if (typeof value !== 'string') throw typeError(fn, argument, what, value, hint);
  throw rangeError(fn, argument, what, value, hint ?? didYouMean(value, names));
}

const dtypeNames = Object.keys(dtypes) as Dtype[];

/** The name of an element type that nninit fills. */
export function checkDtype(fn: string, value: unknown, hint?: string): Dtype {
  return checkOneOf(fn, 'dtype', value, dtypeNames, hint);
}

/** True for `{…}` and objects without a prototype, of any realm; false for arrays and instances of classes. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

/** Deeper than any document may nest: what is there is refused when it is read. */
const deepestCopied = 1000;

/** A copy of plain objects and arrays and of all such in them. Whatever else is there stays what it is, and so do values that contain themselves. */
export function copyOfPlain<T>(value: T, depth = 0, copies = new Map<unknown, unknown>()): T {
  if (depth > deepestCopied || !(Array.isArray(value) || isPlainObject(value))) return value;
  const known = copies.get(value);
  if (known !== undefined) return known as T;
  // Of a spread an own `__proto__` stays one.
  const copy = (Array.isArray(value) ? Array.from(value as unknown[]) : { ...value }) as Record<string, unknown>;
  copies.set(value, copy);
  for (const key of Object.keys(copy)) copy[key] = copyOfPlain(copy[key], depth + 1, copies);
  return copy as T;
}

/** The error for an option that the function does not have: it names the nearest one that it has. */
export function unknownOption(fn: string, name: string, known: readonly string[]): TypeError {
  const what = known.length === 0 ? 'no options' : `one of ${quoted(known)}`;
  return typeError(fn, 'the name of an option', what, name, didYouMean(name, known));
}

/**
 * A plain object that has no option but the known ones; undefined counts as {}.
 *
 * @returns a copy: who goes on after an `await` still has what was given, whatever the caller does with the object meanwhile
 */
export function checkOptions<const K extends string>(
  fn: string,
  value: unknown,
  known: readonly K[],
  argument = 'options',
): { readonly [Name in K]?: unknown } {
  if (value === undefined) return {};
  if (!isPlainObject(value)) throw typeError(fn, argument, 'a plain object', value);
  for (const name of Object.keys(value)) {
    if (!(known as readonly string[]).includes(name)) throw unknownOption(fn, name, known);
  }
  return { ...value } as { readonly [Name in K]?: unknown };
}

/**
 * Checks a shape: an array of integers ≥ 0 whose product stays below 2^53. Returns the product, the number of elements
 * ([] has one).
 */
export function checkShape(fn: string, shape: unknown, name = 'shape'): number {
  if (!Array.isArray(shape)) throw typeError(fn, name, 'an array of integers ≥ 0', shape);
  let elements = 1;
  let product = 1; // of the sizes that are not zero, so that [2^52, 2^52, 0] is not refused
  for (let i = 0; i < shape.length; i++) {
    const size: unknown = shape[i];
    if (!Number.isSafeInteger(size) || (size as number) < 0) checkInteger(fn, `${name}[${i}]`, size, 0);
    if (size === 0) elements = 0;
    else product *= size as number;
  }
  if (elements === 0) return 0;
  if (product > Number.MAX_SAFE_INTEGER) {
    throw rangeError(fn, name, 'a product of at most 2^53 - 1 elements', shape);
  }
  return product;
}
