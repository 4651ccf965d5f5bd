import { checkDtype, checkInteger, checkOneOf, checkOptions, isPlainObject, typeError } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { JsonDocument } from '../core/json.js';
import type { Draw } from '../init/draw.js';
import { type Plan, type PlannedTensor, type PlanSource, type ResolvedTensor, resolvePlan } from './plan.js';
import type { Rule } from './rules/rules.js';

/** What a plan is made from: a parsed config.json or recipe, a path to one or to a folder with one, a model's name, or a checkpoint to be like. */
export type PlanInput = string | Readonly<Record<string, unknown>> | { readonly like: string };

/** What changes a plan. */
export interface PlanOptions {
  /**
   * Of all tensors of a model, of a recipe's that name none, of those of `like` in one of the four dtypes that are filled; by default what
   * the input says, or float32.
   */
  readonly dtype?: Dtype | undefined;
  /** From globs over names to initializers, after the input's own; a path to a JSON file of them, or an array where the order or a glob counts twice. */
  readonly rules?: string | Readonly<Record<string, unknown>> | readonly (readonly [string, unknown])[] | undefined;
  /** How many ranks share each tensor (tensor parallelism), and which of them this is. */
  readonly tp?: { readonly ranks: number; readonly rank: number } | undefined;
}

/** A plan with all that is known of it: plain data, which JSON keeps. */
export interface LoadedPlan extends Plan {
  readonly tensors: readonly PlannedTensor[];
  /** Elements, and bytes, of all tensors. */
  readonly parameters: number;
  readonly bytes: number;
  /** What is odd about the input without being an error. */
  readonly warnings: readonly string[];
}

/**
 * Loads the plan of a model: its tensors by name, each with shape, dtype and initializer. Nothing is drawn.
 *
 *     const plan = await loadPlan('resnet18', { rules: { '*.bias': 'zeros' } });
 *
 * The name of a known model wins over a file of that name: write `./resnet18`.
 *
 * The plan is frozen: to change it, make another one of its parts.
 *
 * @param input a parsed config.json (it has `model_type`) or recipe, a path to either or to a folder with a config.json, a model's name, or
 *   `{ like: path }` for the names, shapes and dtypes of an existing checkpoint
 * @param options.dtype in place of the input's
 * @param options.rules from globs over names to initializers; the last one that matches counts
 * @param options.tp `{ ranks, rank }`: the part of one of several tensor-parallel ranks
 * @throws InputError for what cannot be read or makes no sense; TypeError and RangeError for options
 */
export async function loadPlan(input: PlanInput, options?: PlanOptions): Promise<LoadedPlan> {
  const fn = 'loadPlan';
  const given = checkOptions(fn, options, ['dtype', 'rules', 'tp']);
  const dtype = given.dtype === undefined ? undefined : checkDtype(fn, given.dtype);
  const tp = given.tp === undefined ? undefined : checkTp(fn, given.tp);
  const rules = await rulesFrom(fn, given.rules);
  return planFrom(checkInput(fn, input), dtype, rules, tp);
}

function checkInput(fn: string, input: unknown): string | Readonly<Record<string, unknown>> {
  if (typeof input === 'string') return input;
  if (isPlainObject(input)) return input;
  throw typeError(fn, 'input', "a config or a recipe as an object, a path, a model's name, or { like: path }", input);
}

function checkTp(fn: string, value: unknown): { ranks: number; rank: number } {
  const { ranks, rank } = checkOptions(fn, value, ['ranks', 'rank']);
  const count = checkInteger(fn, 'tp.ranks', ranks, 1);
  return { ranks: count, rank: checkInteger(fn, 'tp.rank', rank, 0, count - 1) };
}

async function rulesFrom(fn: string, rules: unknown): Promise<Rule[]> {
  if (rules === undefined) return [];
  const { ruleOf, rulesOf } = await import('./rules/rules.js');
  if (typeof rules === 'string') {
    const { readDocument } = await import('./base.js');
    return rulesOf(await readDocument(rules));
  }
  if (Array.isArray(rules)) {
    return rules.map((pair: unknown, i) => {
      if (!Array.isArray(pair) || typeof pair[0] !== 'string') {
        throw typeError(fn, `rules[${i}]`, 'a pair of a glob and an initializer', pair);
      }
      return ruleOf(pair[0], pair[1], `rules[${i}]`);
    });
  }
  if (!isPlainObject(rules)) throw typeError(fn, 'rules', 'an object from globs to initializers, or a path', rules);
  return Object.entries(rules).map(([glob, change]) => ruleOf(glob, change, `rules[${JSON.stringify(glob)}]`));
}

/** A plan, the file that it is from, and where in it a tensor stands. */
interface Found {
  readonly plan: Plan;
  readonly file: string;
  readonly place?: ((name: string) => string) | undefined;
  readonly source: PlanSource;
}

/** What loadPlan resolved; its plans cannot be changed afterwards. */
const resolved = new WeakMap<Plan, readonly ResolvedTensor[]>();

/**
 * A plan's tensors with all that a writer needs; a plan that loadPlan made was checked before, any other is checked here.
 *
 * @throws InputError naming the tensor
 */
export function tensorsOf(plan: Plan): readonly ResolvedTensor[] {
  return resolved.get(plan) ?? resolvePlan(plan);
}

/** loadPlan, for options that are checked. */
export async function planFrom(
  input: string | Readonly<Record<string, unknown>>,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
  tp: { readonly ranks: number; readonly rank: number } | undefined,
): Promise<LoadedPlan> {
  const { plan: given, file, place, source } = await find(input, dtype, rules);
  const changed = rules.length === 0 ? given : (await import('./rules/rules.js')).applyRules(given, rules);
  const whole = resolvePlan(changed, file, place);
  const tensors = tp === undefined ? whole : await tensorsOfRank(whole, tp, changed.config, file);
  const made: PlanSource = {
    ...source,
    ...(dtype !== undefined && { dtype }),
    ...(rules.length > 0 && { rules: rules.map(({ glob, change }) => [glob, change] as const) }),
    ...(tp !== undefined && { tp }),
  };
  const plan: LoadedPlan = {
    tensors: Object.freeze(
      tensors.map(({ fill: _, elements: __, bytes: ___, stream: ____, ...planned }) => Object.freeze(planned)),
    ),
    parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
    bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    warnings: changed.warnings ?? [],
    ...(changed.config !== undefined && { config: changed.config }),
    ...(changed.draws !== undefined && { draws: changed.draws as readonly Draw[] }),
    source: made,
  };
  resolved.set(plan, tensors);
  return Object.freeze(plan);
}

async function find(
  input: string | Readonly<Record<string, unknown>>,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
): Promise<Found> {
  if (typeof input === 'object') {
    const { like, ...others } = input;
    if (typeof like === 'string' && Object.keys(others).length === 0) return findLike(like, dtype, rules);
    const { readJson } = await import('../core/json.js');
    return findDocument(readJson(Buffer.from(`${JSON.stringify(input, null, 2)}\n`), 'input'), dtype, rules);
  }
  const { namedModel, readInput } = await import('./base.js');
  const named = await namedModel(input, dtype);
  if (named !== undefined) return { plan: named, file: input, source: { input } };
  return findDocument(await readInput(input), dtype, rules);
}

async function findLike(like: string, dtype: Dtype | undefined, rules: readonly Rule[]): Promise<Found> {
  const { planOfLikeness, readLikeness } = await import('./like.js');
  const plan = planOfLikeness(await readLikeness(like), dtype, rules);
  return { plan, file: like, source: { input: 'like' } };
}

/** What a recipe has at least one of. */
const recipeParts = ['tensors', 'layers', 'model', 'like'];

async function findDocument(document: JsonDocument, dtype: Dtype | undefined, rules: readonly Rule[]): Promise<Found> {
  const { source: file, value } = document;
  const has = (key: string) => isPlainObject(value) && Object.hasOwn(value, key);
  if (has('model_type')) {
    const { planOfConfig } = await import('./models.js');
    return { plan: planOfConfig(document, dtype), file, source: { input: 'config.json' } };
  }
  if (recipeParts.some(has)) {
    const { parseRecipe, planOfRecipe } = await import('./recipe/recipe.js');
    const { baseOf } = await import('./base.js');
    const recipe = parseRecipe(document);
    const base = await baseOf(document, recipe, dtype ?? recipe.dtype);
    const { place, ...plan } = planOfRecipe(document, dtype, base, rules);
    return { plan, file, place, source: { recipe: carried(value as Readonly<Record<string, unknown>>, plan) } };
  }
  throw new InputError(
    `${file}: expected a Hugging Face config.json, which has a "model_type", or a recipe, which has "tensors", "layers", ` +
      '"model" or "like" (see docs/recipes.md)',
    { path: file },
  );
}

/** A recipe as it is carried: what it names by path stands beside the weights, or is the checkpoint itself. */
function carried({ $schema: _, ...recipe }: Readonly<Record<string, unknown>>, { config }: Plan): unknown {
  if (recipe.like !== undefined) return { ...recipe, like: '.' };
  return typeof recipe.model === 'string' && config !== undefined ? { ...recipe, model: 'config.json' } : recipe;
}

async function tensorsOfRank(
  tensors: readonly ResolvedTensor[],
  { ranks, rank }: { readonly ranks: number; readonly rank: number },
  config: string | undefined,
  source: string,
): Promise<ResolvedTensor[]> {
  const { forRank } = await import('./tensor-parallel.js');
  const parsed = config === undefined ? undefined : (JSON.parse(config) as unknown);
  return forRank(tensors, { tp: ranks, rank, source, config: parsed });
}

const sourceKeys = ['input', 'recipe', 'dtype', 'rules', 'tp'] as const;

/**
 * The plan that a source makes again, for a checkpoint that carries it. The text is as foreign as the checkpoint: it can name a model that
 * nninit knows, and the checkpoint's own folder, but no other file.
 *
 * @param text JSON, as the checkpoint has it
 * @param checkpoint the file, index or manifest by which it was opened
 * @param folder the one that holds it
 * @throws InputError
 */
export async function planOfSource(text: string, checkpoint: string, folder: string): Promise<LoadedPlan> {
  const place = `${checkpoint}: nninit.source`;
  try {
    const { readJson } = await import('../core/json.js');
    const source = readJson(Buffer.from(text), place).value;
    if (!isPlainObject(source)) throw typeError(place, 'it', 'an object', source);
    const { dtype: name, tp: ranks, rules: list } = checkOptions(place, source, sourceKeys);
    const dtype = name === undefined ? undefined : checkDtype(place, name);
    const tp = ranks === undefined ? undefined : checkTp(place, ranks);
    if (list !== undefined && !Array.isArray(list)) throw typeError(place, 'rules', 'an array', list);
    const input = await inputOfSource(place, source, checkpoint, folder);
    const isLike = typeof input === 'object' && input.like !== undefined;
    if (isLike && (tp !== undefined || 'tensors' in input || 'layers' in input)) {
      const what = 'a part of another checkpoint, or more than it: give the input that it was made from';
      throw new InputError(`${checkpoint}: expected a plan to check against, but it is ${what}`, { path: checkpoint });
    }
    return await planFrom(input, dtype, await rulesFrom(place, list), tp);
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new InputError(cause.message, { path: checkpoint, cause });
  }
}

async function inputOfSource(
  place: string,
  { input, recipe }: Readonly<Record<string, unknown>>,
  checkpoint: string,
  folder: string,
): Promise<string | Readonly<Record<string, unknown>>> {
  const { join } = await import('node:path');
  const { modelNames } = await import('./models.js');
  if (input === 'like') return { like: checkpoint };
  if (input === 'config.json') return join(folder, 'config.json');
  if (input !== undefined) return checkOneOf(place, 'input', input, modelNames);
  if (!isPlainObject(recipe)) throw typeError(place, 'recipe', 'a recipe', recipe);
  if (recipe.like !== undefined)
    return { ...recipe, like: checkOneOf(place, 'recipe.like', recipe.like, ['.']) && checkpoint };
  if (recipe.model === 'config.json') return { ...recipe, model: join(folder, 'config.json') };
  if (typeof recipe.model === 'string') checkOneOf(place, 'recipe.model', recipe.model, modelNames);
  return recipe;
}
