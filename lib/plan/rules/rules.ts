import { z } from 'zod';
import { isPlainObject } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { isGrid } from '../../core/grid.js';
import { type JsonDocument, type JsonPath, readJson, showPath } from '../../core/json.js';
import { objectError, parseWith } from '../../core/json-problems.js';
import { storedDtype } from '../../core/schemas.js';
import { isFillable, type StoredDtype } from '../../core/stored-dtype.js';
import type { Initializer } from '../../init/initializers.js';
import { withInitializer, withTensors } from '../changes.js';
import type { Plan } from '../plan.js';
import { matcher } from './globs.js';
import { initializerSchemas, parseInitializer, schemaOf } from './initializer-schema.js';

/** A rule from names to an initializer, a dtype or both. */
export interface Rule {
  readonly glob: string;
  readonly matches: (name: string) => boolean;
  readonly initializer?: Initializer | undefined;
  readonly dtype?: StoredDtype | undefined;
  /** As it was given. */
  readonly change: unknown;
  /** Where it stands, for messages: `recipe.json: overrides["*.weight"]`. */
  readonly place: string;
}

function ruleMatcher(glob: string, place: string, source?: string): (name: string) => boolean {
  try {
    return matcher(glob);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new InputError(`${place}: expected a glob: ${message}`, { path: source, cause });
  }
}

const withDtype = initializerSchemas({ dtype: storedDtype.optional() });
const onlyDtype = z.strictObject({ dtype: storedDtype }, { error: objectError(['init', 'dtype']) });

/** A rule's right side: an initializer, which may have a `dtype` beside its parameters, or a `dtype` alone. */
function parseChange(value: unknown, source: string, path: JsonPath): Pick<Rule, 'initializer' | 'dtype'> {
  if (!isPlainObject(value)) return { initializer: parseInitializer(value, source, path) };
  if (!Object.hasOwn(value, 'init') && Object.hasOwn(value, 'dtype')) return parseWith(onlyDtype, value, source, path);
  const { dtype, ...initializer } = parseWith(schemaOf(withDtype, value, source, path), value, source, path);
  return { initializer: initializer as unknown as Initializer, dtype: dtype as StoredDtype | undefined };
}

/**
 * The rules of an object from globs to changes, in the order of the text.
 *
 * @param key the object's key in the document; the document itself without it
 * @param right 'initializer' where no dtypes are allowed
 */
export function rulesOf(document: JsonDocument, key?: string, right: 'change' | 'initializer' = 'change'): Rule[] {
  const { source, value } = document;
  const object = key === undefined ? value : (value as Readonly<Record<string, unknown>>)[key];
  if (object === undefined) return [];
  const prefix = key === undefined ? [] : [key];
  const parsed = parseWith(
    z.custom<Readonly<Record<string, unknown>>>(isPlainObject, { error: 'an object from globs to initializers' }),
    object,
    source,
    prefix,
  );
  return document.keysOf(key).map((glob): Rule => {
    const path = [...prefix, glob];
    const place = `${source}: ${showPath(path)}`;
    const matches = ruleMatcher(glob, place, source);
    if (right === 'change')
      return { glob, matches, ...parseChange(parsed[glob], source, path), change: parsed[glob], place };
    return { glob, matches, initializer: parseInitializer(parsed[glob], source, path), change: parsed[glob], place };
  });
}

/**
 * The rule of `--init GLOB=INITIALIZER`: an initializer's name, or JSON as in a file of rules.
 *
 * @param text cut at its first `=`
 */
export function ruleOfText(text: string): Rule {
  const at = text.indexOf('=');
  const [glob, right] = [text.slice(0, at), text.slice(at + 1)];
  const place = `--init ${text}`;
  const refuse = (what: string) => new InputError(`${place}: ${what}`);
  if (at < 1) throw refuse("expected GLOB=INITIALIZER, such as '*.bias=zeros'");
  const value = right.trimStart().startsWith('{') ? readJson(Buffer.from(right), place).value : right;
  return ruleOf(glob, value, place);
}

/** The rule from a glob to a change, both as a caller gives them. */
export function ruleOf(glob: string, change: unknown, place: string): Rule {
  return { glob, matches: ruleMatcher(glob, place), ...parseChange(change, place, []), change, place };
}

/**
 * Applies rules to a plan: the last initializer and the last dtype of those that match a tensor replace its own. True globs leave tensors
 * alone that can only be zeros: "*" does not mean counters.
 *
 * @returns the plan, with a warning for each rule that matches nothing
 */
export function applyRules(plan: Plan, rules: readonly Rule[]): Plan {
  if (rules.length === 0) return plan;
  const used = new Set<Rule>();
  const tensors = plan.tensors.map((tensor) => {
    const matching = rules.filter((rule) => rule.matches(tensor.name));
    for (const rule of matching) used.add(rule);
    const isMeant = (rule: Rule) => isFillable(tensor.dtype) || rule.glob === tensor.name;
    const dtype = matching.findLast((rule) => rule.dtype !== undefined && isMeant(rule))?.dtype ?? tensor.dtype;
    // Narrow where a rule makes them so, but not where they may be another tensor's codes.
    const isFilled = isFillable(dtype) || (isGrid(dtype) && isFillable(tensor.dtype));
    const fits = (rule: Rule) => isFilled || rule.glob === tensor.name || isZeros(rule.initializer);
    const initializer = matching.findLast((rule) => rule.initializer !== undefined && fits(rule))?.initializer;
    const typed = dtype === tensor.dtype ? tensor : { ...tensor, dtype };
    return initializer === undefined ? typed : withInitializer(typed, initializer);
  });
  const idle = rules.filter((rule) => !used.has(rule)).map(({ place }) => `${place} matches no tensor`);
  return withTensors(plan, tensors, idle);
}

function isZeros(initializer: Initializer | undefined): boolean {
  return initializer === 'zeros' || (typeof initializer === 'object' && initializer.init === 'zeros');
}
