import { isPlainObject } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { JsonDocument } from '../core/json.js';
import type { Draw } from '../init/draw.js';
import { type Plan, type ResolvedTensor, resolvePlan } from './plan.js';
import type { Rule } from './rules/rules.js';

/** What is to be written: tensors ready to be filled, and the text of config.json where the model has one. */
export interface Source {
  readonly tensors: readonly ResolvedTensor[];
  readonly config: string | undefined;
  /** What is odd but no error. */
  readonly warnings: readonly string[];
  /** For engines that draw in sequence: all draws in order, where they are not simply those of the tensors. */
  readonly draws?: readonly Draw[] | undefined;
}

/** Where a plan comes from, and what changes it: `input` or `like`, and options. */
export interface SourceRequest {
  /** A config.json, a recipe, a folder that holds a config.json, or the name of a model that nninit knows. */
  readonly input?: string | undefined;
  /** A .safetensors file, an index of several, or a folder that holds either: names, shapes and dtypes are its own. */
  readonly like?: string | undefined;
  /**
   * Of all tensors of a model, of a recipe's that name none, of those of `like` in one of the four dtypes that are filled; by default
   * what the input says, or float32.
   */
  readonly dtype?: Dtype | undefined;
  /** A JSON file of rules from globs to initializers, which come after the input's own. */
  readonly rules?: string | undefined;
  /** Rules as GLOB=INITIALIZER, after those of `rules`. */
  readonly init?: readonly string[] | undefined;
  /** How many ranks share each tensor (tensor parallelism), and which of them this is. */
  readonly tp?: number | undefined;
  readonly rank?: number | undefined;
}

/** A plan, the file that it is from, and where in it a tensor stands. */
interface Loaded {
  readonly plan: Plan;
  readonly source: string;
  readonly place?: ((name: string) => string) | undefined;
}

/**
 * Loads what is to be written, and resolves it: the name of a known model (which wins over a file of that name: write `./resnet18`), a
 * config.json (it has `model_type`), a recipe, or an existing checkpoint to be like.
 *
 * @throws InputError for what cannot be read or makes no sense
 */
export async function loadSource(request: SourceRequest): Promise<Source> {
  const { tp, rank = 0 } = request;
  const rules = await loadRules(request);
  const { plan: given, source, place } = await loadPlan(request, rules);
  const plan = rules.length === 0 ? given : (await import('./rules/rules.js')).applyRules(given, rules);
  const whole = resolvePlan(plan, source, place);
  const tensors = tp === undefined ? whole : await tensorsOfRank(whole, tp, rank, plan.config, source);
  return { tensors, config: plan.config, warnings: plan.warnings ?? [], draws: plan.draws };
}

async function loadRules({ rules, init = [] }: SourceRequest): Promise<Rule[]> {
  if (rules === undefined && init.length === 0) return [];
  const { ruleOfText, rulesOf } = await import('./rules/rules.js');
  const { readDocument } = await import('./base.js');
  const fromFile = rules === undefined ? [] : rulesOf(await readDocument(rules));
  return [...fromFile, ...init.map(ruleOfText)];
}

async function loadPlan({ input, like, dtype }: SourceRequest, rules: readonly Rule[]): Promise<Loaded> {
  if ((input === undefined) === (like === undefined)) {
    throw new InputError('expected either an input, or a checkpoint to be like');
  }
  if (like !== undefined) {
    const { planOfLikeness, readLikeness } = await import('./like.js');
    return { plan: planOfLikeness(await readLikeness(like), dtype, rules), source: like };
  }
  const { namedModel, readInput } = await import('./base.js');
  const named = await namedModel(input ?? '', dtype);
  if (named !== undefined) return { plan: named, source: input ?? '' };
  return planOfDocument(await readInput(input ?? ''), dtype, rules);
}

/** What a recipe has at least one of. */
const recipeParts = ['tensors', 'layers', 'model', 'like'];

async function planOfDocument(
  document: JsonDocument,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
): Promise<Loaded> {
  const { source, value } = document;
  const has = (key: string) => isPlainObject(value) && Object.hasOwn(value, key);
  if (has('model_type')) {
    const { planOfConfig } = await import('./models.js');
    return { plan: planOfConfig(document, dtype), source };
  }
  if (recipeParts.some(has)) {
    const { parseRecipe, planOfRecipe } = await import('./recipe/recipe.js');
    const { baseOf } = await import('./base.js');
    const recipe = parseRecipe(document);
    const base = await baseOf(document, recipe, dtype ?? recipe.dtype);
    const { place, ...plan } = planOfRecipe(document, dtype, base, rules);
    return { plan, source, place };
  }
  throw new InputError(
    `${source}: expected a Hugging Face config.json, which has a "model_type", or a recipe, which has "tensors", "layers", ` +
      '"model" or "like" (see docs/recipes.md)',
    { path: source },
  );
}

async function tensorsOfRank(
  tensors: readonly ResolvedTensor[],
  tp: number,
  rank: number,
  config: string | undefined,
  source: string,
): Promise<ResolvedTensor[]> {
  const { forRank } = await import('./tensor-parallel.js');
  return forRank(tensors, { tp, rank, source, config: config === undefined ? undefined : JSON.parse(config) });
}
