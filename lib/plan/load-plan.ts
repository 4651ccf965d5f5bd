import {
  checkDtype,
  checkInteger,
  checkOneOf,
  checkOptions,
  copyOfPlain,
  isPlainObject,
  typeError,
} from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { JsonDocument } from '../core/json.js';
import { messageText } from '../core/text.js';
import { pathOf } from '../formats/source/source.js';
import type { Draw } from '../init/draw.js';
import { type Found, findDocument, findPlan, isConfig, orderedKeys } from './find-plan.js';
import type { LoraOptions } from './lora/options.js';
import {
  digestOfTensors,
  frozen,
  frozenCopy,
  type Plan,
  type PlannedTensor,
  type PlanSource,
  type ResolvedTensor,
  resolvePlan,
} from './plan.js';
import { quantizationNames } from './quantize/names.js';
import { keepResolved } from './resolved.js';
import type { Rule } from './rules/rules.js';

/** What a plan is made from: a parsed config.json or recipe, a path to one or to a folder with one, a model's name, or a checkpoint to be like. */
export type PlanInput = string | URL | Readonly<Record<string, unknown>> | { readonly like: string | URL };

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
  /** Quantizes the model of a config.json that is not: 'fp8', 'gptq' and so on (docs/quantized.md). A config's own settings need no option. */
  readonly quantize?: string | undefined;
  /** In place of the model of a config.json, a LoRA adapter for it, as PEFT saves it (docs/lora.md); in float32 unless `dtype` says otherwise. */
  readonly lora?: LoraOptions | undefined;
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
 * The name of a torchvision model wins over a file of that name: write `./resnet18`. A file wins over other names, such as `gpt2`, with a warning.
 *
 * The plan is frozen: to change it, make another one of its parts.
 *
 * @param input a parsed config.json (it has `model_type`) or recipe, a path to either or to a folder with a config.json (or the address of one, or `hf:org/name`),
 *   a model's name, or `{ like: path }` for the names, shapes and dtypes of an existing checkpoint
 * @param options.dtype in place of the input's
 * @param options.rules from globs over names to initializers; the last one that matches counts
 * @param options.tp `{ ranks, rank }`: the part of one of several tensor-parallel ranks
 * @param options.quantize the name of a quantization, for the config.json of a model
 * @param options.lora `{ r, alpha, targets, init, b, base }`: a LoRA adapter for the model of a config.json; neither quantized nor a rank's part
 * @throws InputError for what cannot be read or makes no sense; TypeError and RangeError for options
 */
export async function loadPlan(input: PlanInput, options?: PlanOptions): Promise<LoadedPlan> {
  const fn = 'loadPlan';
  // Both are read after this call has returned, when the caller may have changed them for the next one.
  const given = copyOfPlain(checkOptions(fn, options, ['dtype', 'rules', 'tp', 'quantize', 'lora']));
  const checked = copyOfPlain(checkInput(fn, input));
  const dtype = given.dtype === undefined ? undefined : checkDtype(fn, given.dtype);
  const tp = given.tp === undefined ? undefined : checkTp(fn, given.tp);
  const quantize = given.quantize === undefined ? undefined : checkQuantize(fn, given.quantize);
  const rules = await rulesFrom(fn, given.rules);
  return planFrom(given.lora === undefined ? checked : adapterInput(checked, given.lora), dtype, rules, tp, quantize);
}

/** The recipe of an adapter for an input. */
export function adapterInput(input: string | Readonly<Record<string, unknown>>, lora: unknown) {
  if (typeof input === 'string' || isConfig(input)) return { model: input, lora };
  throw new InputError(
    'lora: expected the config.json of a model, which says which modules there are, but received another input',
  );
}

/** The name of a quantization. */
function checkQuantize(fn: string, value: unknown): string {
  return checkOneOf(fn, 'quantize', value, quantizationNames);
}

function checkInput(fn: string, input: unknown): string | Readonly<Record<string, unknown>> {
  if (typeof input === 'string' || input instanceof URL) return textOf(input);
  if (isPlainObject(input)) return input.like instanceof URL ? { ...input, like: textOf(input.like) } : input;
  throw typeError(fn, 'input', "a config or a recipe as an object, a path, a model's name, or { like: path }", input);
}

/** Objects of URL are what pathOf makes of them: of an object store their keys are encoded, which those in a text are not. */
const textOf = (input: string | URL): string => (typeof input === 'string' ? input : pathOf(input));

function checkTp(fn: string, value: unknown): { ranks: number; rank: number } {
  const { ranks, rank } = checkOptions(fn, value, ['ranks', 'rank'], 'tp');
  const count = checkInteger(fn, 'tp.ranks', ranks, 1);
  return { ranks: count, rank: checkInteger(fn, 'tp.rank', rank, 0, count - 1) };
}

async function rulesFrom(fn: string, rules: unknown): Promise<Rule[]> {
  if (rules === undefined) return [];
  const { ruleOf, rulesOf } = await import('./rules/rules.js');
  if (typeof rules === 'string') {
    const { readDocument } = await import('./document.js');
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

/** loadPlan, for options that are checked. */
export async function planFrom(
  input: string | Readonly<Record<string, unknown>>,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
  tp: { readonly ranks: number; readonly rank: number } | undefined,
  quantize?: string,
): Promise<LoadedPlan> {
  return planOf(await findPlan(input, dtype, rules, quantize), dtype, rules, tp);
}

async function planOf(
  { plan: given, file, place, source, quantizer }: Found,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
  tp: { readonly ranks: number; readonly rank: number } | undefined,
): Promise<LoadedPlan> {
  const changed = rules.length === 0 ? given : await ruled(given, rules, isLike(source));
  if (changed.adapter && tp !== undefined) {
    const what = 'expected no tensor parallelism beside lora: servers load an adapter whole, and cut it themselves';
    throw new InputError(`${file}: ${what}`, { path: file });
  }
  const whole = resolvePlan(changed, file, place);
  const parts = tp === undefined ? whole : await tensorsOfRank(whole, tp, changed.config, file);
  // Last, of what each rank has: rules and ranks are of the weights by their own names.
  const tensors = quantizer === undefined ? parts : resolvePlan({ tensors: quantizer.quantize(parts) }, file);
  // What is in them is shared with those that are resolved, of which there may be half a million.
  const planned = tensors.map(({ fill: _, elements: __, bytes: ___, stream: ____, ...each }) => frozen(each));
  const made: PlanSource = {
    makes: digestOfTensors(planned),
    ...source,
    ...(dtype !== undefined && { dtype }),
    ...(rules.length > 0 && { rules: rules.map(({ glob, change }) => [glob, change] as const) }),
    ...(tp !== undefined && { tp }),
  };
  const plan: LoadedPlan = {
    tensors: Object.freeze(planned),
    parameters: tensors.reduce((sum, { elements }) => sum + elements, 0),
    bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    warnings: (changed.warnings ?? []).map(messageText),
    ...(changed.config !== undefined && { config: changed.config }),
    ...(changed.adapter !== undefined && { adapter: changed.adapter }),
    ...(changed.draws !== undefined && { draws: changed.draws as readonly Draw[] }),
    source: frozenCopy(made),
  };
  keepResolved(plan, tensors);
  return Object.freeze(plan);
}

/** Whether names, shapes and dtypes of a plan are those of a checkpoint's files. */
export const isLike = (source: PlanSource | undefined): boolean =>
  source?.input === 'like' || (isPlainObject(source?.recipe) && source.recipe.like !== undefined);

async function ruled(plan: Plan, rules: readonly Rule[], like: boolean): Promise<Plan> {
  const { applyRules } = await import('./rules/rules.js');
  const changed = applyRules(plan, rules);
  if (!like || changed.draws === undefined) return changed;
  const { byName, drawsAfter } = await import('./changes.js');
  return { ...changed, draws: drawsAfter(plan, byName(changed.tensors)) };
}

async function tensorsOfRank(
  tensors: readonly ResolvedTensor[],
  { ranks, rank }: { readonly ranks: number; readonly rank: number },
  config: string | undefined,
  source: string,
): Promise<ResolvedTensor[]> {
  const { forRank } = await import('./tensor-parallel.js');
  const { readJson } = await import('../core/json.js');
  const parsed = config === undefined ? undefined : readJson(Buffer.from(config), source).value;
  return forRank(tensors, { tp: ranks, rank, source, config: parsed });
}

const sourceKeys = ['input', 'recipe', 'order', 'dtype', 'rules', 'tp'] as const;

/**
 * The plan that a source makes again, for a checkpoint that carries it. The text is as foreign as the checkpoint: it can name a model that
 * nninit knows, and the checkpoint's own folder, but no other file.
 *
 * @param text JSON, as the checkpoint has it
 * @param checkpoint the file, index or manifest by which it was opened
 * @throws InputError
 */
export async function planOfSource(text: string, checkpoint: string): Promise<LoadedPlan> {
  const place = `${checkpoint}: nninit.source`;
  try {
    const { readJson } = await import('../core/json.js');
    const source = readJson(Buffer.from(text), place).value;
    if (!isPlainObject(source)) throw typeError(place, 'it', 'an object', source);
    const { dtype: name, tp: ranks, rules: list, order } = checkOptions(place, source, sourceKeys);
    const dtype = name === undefined ? undefined : checkDtype(place, name);
    const tp = ranks === undefined ? undefined : checkTp(place, ranks);
    if (list !== undefined && !Array.isArray(list)) throw typeError(place, 'rules', 'an array', list);
    const input = await inputOfSource(place, source, checkpoint);
    const like = typeof input === 'object' && input.like !== undefined;
    if (like && ((tp !== undefined && tp.ranks > 1) || 'tensors' in input || 'layers' in input)) {
      const what = 'a part of another checkpoint, or more than it: give the input that it was made from';
      throw new InputError(`${checkpoint}: expected a plan to check against, but it is ${what}`, { path: checkpoint });
    }
    const rules = await rulesFrom(place, list);
    if (order === undefined) return await planFrom(input, dtype, rules, tp);
    return await planOf(await findDocument(await inOrder(place, input, order), dtype, rules), dtype, rules, tp);
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new InputError(cause.message, { path: checkpoint, cause });
  }
}

/** A recipe whose keys stand as they are carried beside it. */
async function inOrder(
  place: string,
  recipe: string | Readonly<Record<string, unknown>>,
  given: unknown,
): Promise<JsonDocument> {
  if (typeof recipe === 'string') throw typeError(place, 'order', 'none without a recipe', given);
  const { documentOf } = await import('../core/json.js');
  const document = documentOf(recipe, 'input');
  const order = checkOptions(place, given, orderedKeys, 'order') as Record<string, readonly string[]>;
  for (const [key, names] of Object.entries(order)) {
    const held = JSON.stringify(document.keysOf(key).toSorted());
    const areNames = Array.isArray(names) && names.every((name) => typeof name === 'string');
    if (!areNames || JSON.stringify(names.toSorted()) !== held) {
      throw typeError(place, `order.${key}`, `the keys of the recipe's ${key}`, names);
    }
  }
  return { ...document, keysOf: (key) => order[key ?? ''] ?? document.keysOf(key) };
}

async function inputOfSource(
  place: string,
  { input, recipe }: Readonly<Record<string, unknown>>,
  checkpoint: string,
): Promise<string | Readonly<Record<string, unknown>>> {
  const { beside } = await import('../formats/source/source.js');
  const { modelNames } = await import('./models.js');
  const config = beside(checkpoint, 'config.json');
  if (input === 'like') return { like: checkpoint };
  if (input === 'config.json') return config;
  if (input !== undefined) return checkOneOf(place, 'input', input, modelNames);
  if (!isPlainObject(recipe)) throw typeError(place, 'recipe', 'a recipe', recipe);
  if (recipe.like !== undefined)
    return { ...recipe, like: checkOneOf(place, 'recipe.like', recipe.like, ['.']) && checkpoint };
  if (recipe.model === 'config.json') return { ...recipe, model: config };
  if (typeof recipe.model === 'string') checkOneOf(place, 'recipe.model', recipe.model, modelNames);
  return recipe;
}
