import { isPlainObject } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { JsonDocument } from '../core/json.js';
import { pathOf } from '../formats/source/source.js';
import type { Plan, PlanSource } from './plan.js';
import type { Quantizer } from './quantize/quantize.js';
import type { Rule } from './rules/rules.js';

/** A plan, the file that it is from, and where in it a tensor stands. */
export interface Found {
  readonly plan: Plan;
  readonly file: string;
  readonly place?: ((name: string) => string) | undefined;
  readonly source: PlanSource;
  readonly quantizer?: Quantizer | undefined;
}

/** The plan of an input, by what stands in it, before rules of an option, ranks and quantization. */
export async function findPlan(
  input: string | Readonly<Record<string, unknown>>,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
  quantize: string | undefined,
): Promise<Found> {
  if (quantize !== undefined) return findQuantized(input, dtype, quantize);
  if (typeof input === 'object') {
    const { like, ...others } = input;
    if (typeof like === 'string' && Object.keys(others).length === 0) return findLike(like, dtype, rules);
    const { documentOf } = await import('../core/json.js');
    return findDocument(documentOf(input, 'input'), dtype, rules);
  }
  if (/^[a-z0-9_]+$/.test(input)) {
    const { namedModel } = await import('./models.js');
    const named = await namedModel(input, dtype);
    if (named !== undefined) return { plan: named, file: input, source: { input } };
  }
  const { document, warnings } = await readNamed(input);
  return warned(await findDocument(document, dtype, rules), warnings);
}

/** The config of a model that is known by a name, or what stands at a path or an address. */
async function readNamed(input: string): Promise<{ readonly document: JsonDocument; readonly warnings: string[] }> {
  const { readInput } = await import('./document.js');
  const { isKnownConfig, knownDocument } = await import('./known-models.js');
  const path = pathOf(input);
  const known = await knownDocument(input, path);
  if (known !== undefined) return { document: known, warnings: [] };
  const warning = `${input}: what stands here under this name was read, and not the model that is known by it`;
  return { document: await readInput(path), warnings: isKnownConfig(input) ? [warning] : [] };
}

function warned(found: Found, warnings: readonly string[]): Found {
  if (warnings.length === 0) return found;
  return { ...found, plan: { ...found.plan, warnings: [...(found.plan.warnings ?? []), ...warnings] } };
}

/** Only a config knows its modules, and has a place for what was done to them. */
async function findQuantized(
  input: string | Readonly<Record<string, unknown>>,
  dtype: Dtype | undefined,
  quantize: string,
): Promise<Found> {
  if (typeof input === 'object' && input.lora !== undefined) {
    throw new InputError(`quantize '${quantize}': expected no quantization beside lora: an adapter has none`);
  }
  const { documentOf } = await import('../core/json.js');
  const { modelNames, planOfConfig } = await import('./models.js');
  const read = async (name: string) => (modelNames.includes(name) ? undefined : readNamed(name));
  const given = typeof input === 'object' ? { document: documentOf(input, 'input'), warnings: [] } : await read(input);
  const { document, warnings = [] } = given ?? {};
  if (document === undefined || !isConfig(document.value)) {
    const what = `quantize '${quantize}': expected the config.json of a model, which says which modules there are`;
    throw new InputError(`${what}, but received another input`);
  }
  const { quantizer, ...plan } = await planOfConfig(document, dtype, quantize);
  // The config beside the weights says it all.
  return warned({ plan, file: document.source, source: { input: 'config.json' }, quantizer }, warnings);
}

/** Class names of transformers say what a config is of too; a recipe has none. */
export function isConfig(value: unknown): boolean {
  const has = (key: string) => isPlainObject(value) && Object.hasOwn(value, key);
  return has('model_type') || (has('architectures') && !recipeParts.some(has));
}

async function findLike(like: string, dtype: Dtype | undefined, rules: readonly Rule[]): Promise<Found> {
  const { planOfLikeness, readLikeness } = await import('./like.js');
  const plan = planOfLikeness(await readLikeness(pathOf(like)), dtype, rules);
  return { plan, file: like, source: { input: 'like' } };
}

/** What a recipe has at least one of. */
const recipeParts = ['tensors', 'layers', 'model', 'like'];

/** The plan of a config or a recipe. */
export async function findDocument(
  document: JsonDocument,
  dtype: Dtype | undefined,
  rules: readonly Rule[],
): Promise<Found> {
  const { source: file, value } = document;
  const has = (key: string) => isPlainObject(value) && Object.hasOwn(value, key);
  if (isConfig(value)) {
    const { planOfConfig } = await import('./models.js');
    const { quantizer, ...plan } = await planOfConfig(document, dtype);
    return { plan, file, source: { input: 'config.json' }, quantizer };
  }
  if (recipeParts.some(has)) {
    const { parseRecipe, planOfRecipe } = await import('./recipe/recipe.js');
    const { baseOf } = await import('./recipe/base.js');
    const recipe = parseRecipe(document);
    const base = await baseOf(document, recipe, dtype ?? recipe.dtype);
    const { place, ...plan } = planOfRecipe(document, dtype, base, rules);
    const given = value as Readonly<Record<string, unknown>>;
    const source = { recipe: carried(given, plan, base?.model), ...orderOf(document, given) };
    return { plan, file, place, source, quantizer: base?.quantizer };
  }
  throw new InputError(
    `${file}: expected a Hugging Face config.json, which has a "model_type", or a recipe, which has "tensors", "layers", ` +
      '"model" or "like" (see docs/recipes.md)',
    { path: file },
  );
}

/** Objects of a recipe in which order counts: the last rule that matches, and the next of the engine torch's numbers. */
export const orderedKeys = ['tensors', 'layers', 'initializers', 'overrides'] as const;

/** What its objects do not keep of a recipe's text: JavaScript moves keys such as "0" to the front. */
function orderOf(document: JsonDocument, recipe: Readonly<Record<string, unknown>>): Pick<PlanSource, 'order'> {
  const moved = orderedKeys.filter((key) => {
    const held = Object.keys(recipe[key] ?? {});
    return document.keysOf(key).some((name, i) => name !== held[i]);
  });
  if (moved.length === 0) return {};
  return { order: Object.fromEntries(moved.map((key) => [key, document.keysOf(key)])) };
}

/** A recipe as it is carried: what it names by path stands beside the weights, or is the checkpoint itself. */
function carried(
  { $schema: _, ...recipe }: Readonly<Record<string, unknown>>,
  { config }: Plan,
  model: unknown,
): unknown {
  if (model !== undefined) return { ...recipe, model };
  if (recipe.like !== undefined) return { ...recipe, like: '.' };
  return typeof recipe.model === 'string' && config !== undefined ? { ...recipe, model: 'config.json' } : recipe;
}
