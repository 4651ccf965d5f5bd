import type { Dtype } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { type JsonDocument, showPath } from '../../core/json.js';
import { parseWith } from '../../core/json-problems.js';
import { byName, drawsAfter, drawsOf } from '../changes.js';
import type { Plan, PlannedTensor } from '../plan.js';
import { applyPreset } from '../presets/apply.js';
import type { Quantizer } from '../quantize/quantize.js';
import { applyRules, type Rule, rulesOf } from '../rules/rules.js';
import { recipeLayers } from './layers.js';
import { recipePresets } from './presets.js';
import { recipeSchema } from './schema.js';
import { recipeTensors } from './tensors.js';

/** The plan of a recipe. */
export interface RecipePlan extends Plan {
  readonly warnings: readonly string[];
  /** Names a tensor's place in the recipe, for messages. */
  readonly place: (name: string) => string;
}

/** What a recipe builds on: its `model`, or its `like`. */
export interface RecipeBase {
  /** @param rules of the recipe's `initializers`; a model has its own, and does not ask them */
  plan(rules: readonly Rule[]): Plan;
  /** Where the model is quantized: what it does to the tensors of the finished plan. */
  readonly quantizer?: Quantizer | undefined;
  readonly asksRules: boolean;
  /** What stands for `model` in what checkpoints carry, where the config beside the weights is another one. */
  readonly model?: unknown;
}

/** The top level of a recipe: what it builds on, and the dtype of what names none. */
export function parseRecipe(document: JsonDocument) {
  const { value, source } = document;
  document.refuseDuplicates();
  const recipe = parseWith(recipeSchema, value, source);
  if (recipe.model !== undefined && recipe.like !== undefined) {
    throw new InputError(`${source}: expected "model" or "like", but both are there`, { path: source });
  }
  if (recipe.lora !== undefined && recipe.model === undefined) {
    throw new InputError(`${source}: expected "model" beside "lora", a model's config.json, but it is missing`, {
      path: source,
    });
  }
  if (recipe.mtp && (recipe.model === undefined || recipe.lora !== undefined)) {
    throw new InputError(`${source}: expected "model" beside "mtp", and no "lora"`, { path: source });
  }
  const parts = [recipe.tensors, recipe.layers, recipe.model, recipe.like];
  if (parts.every((part) => part === undefined)) {
    const what = 'expected "tensors", "layers", "model" or "like", from which the tensors come';
    throw new InputError(`${source}: ${what}, but none of them is there`, { path: source });
  }
  return recipe;
}

/**
 * The plan of a recipe: docs/recipes.md. The tensors are those of its base, then of its layers, then its own; initializers come from, each
 * before those after it: the base and the layers, `initializers`, the presets, a tensor's own `init`, `overrides`.
 *
 * @param override the dtype of tensors that name none, in place of the recipe's own
 * @param base what `model` or `like` stands for
 * @param later rules that will come after the recipe: a tensor that they initialize needs no initializer before
 * @throws InputError naming the JSON path and what was expected there
 */
export function planOfRecipe(
  document: JsonDocument,
  override?: Dtype,
  base?: RecipeBase,
  later: readonly Rule[] = [],
): RecipePlan {
  const { source } = document;
  const recipe = parseRecipe(document);
  const dtype = override ?? recipe.dtype ?? 'float32';
  const rules = rulesOf(document, 'initializers', 'initializer');
  const presets = recipePresets(recipe.preset, source);
  const overrides = rulesOf(document, 'overrides');

  const begun: Plan = base?.plan(rules) ?? { tensors: [] };
  const places = new Map(begun.tensors.map(({ name }) => [name, `tensor ${JSON.stringify(name)}`]));
  const layers = recipeLayers(document, recipe.layers, dtype, places);
  const own = recipeTensors(document, recipe.tensors, dtype, rules, places);
  const built = [...begun.tensors, ...layers.tensors];
  const warnings = [
    ...(begun.warnings ?? []),
    ...idleRules(rules, base?.asksRules ? begun.tensors : [], own.tensors, built),
  ];

  let plan: Plan = { tensors: [...built, ...own.tensors], warnings };
  for (const preset of presets) plan = applyPreset(plan, preset, own.fixed);
  plan = applyRules(plan, overrides);

  const place = (name: string) => places.get(name) ?? `tensor ${JSON.stringify(name)}`;
  const comesLater = (name: string) =>
    later.some(({ initializer, matches }) => initializer !== undefined && matches(name));
  const missing = plan.tensors.find(({ name, initializer }) => initializer === own.missing && !comesLater(name));
  if (missing !== undefined) {
    const what = 'expected an initializer: its own "init", or a rule in "initializers" that matches its name';
    throw new InputError(`${source}: ${place(missing.name)}: ${what}`, { path: source });
  }
  // What presets and overrides change is drawn once, in the end: so all that was built is looked at together.
  const count = base?.asksRules ? begun.tensors.length : 0;
  const ordered = [...byName(plan.tensors.slice(0, count)), ...plan.tensors.slice(count)];
  const constructed = { tensors: built, draws: [...(begun.draws ?? drawsOf(begun.tensors)), ...layers.draws] };
  return {
    tensors: plan.tensors,
    warnings: plan.warnings ?? [],
    place,
    ...(begun.config !== undefined && { config: begun.config }),
    ...(begun.adapter !== undefined && { adapter: begun.adapter }),
    ...(built.length > 0 && { draws: drawsAfter(constructed, ordered) }),
  };
}

/** A warning for each rule of `initializers` that gives no tensor its initializer because none of their names matches. */
function idleRules(
  rules: readonly Rule[],
  base: readonly PlannedTensor[],
  own: readonly PlannedTensor[],
  built: readonly PlannedTensor[],
): string[] {
  const asked = [...base, ...own];
  const idle = rules.filter(({ matches }) => !asked.some(({ name }) => matches(name)));
  return idle.map(({ matches, place }) => {
    const elsewhere = built.some(({ name }) => matches(name));
    return elsewhere
      ? `${place} matches only tensors that have an initializer already: ${showPath(['overrides'])} would replace it`
      : `${place} matches no tensor`;
  });
}
