import { isAbsolute } from 'node:path';
import { show } from '../../core/check.js';
import type { Dtype } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { documentOf, type JsonDocument } from '../../core/json.js';
import { isUrl, pathOf, relativeTo } from '../../formats/source/source.js';
import { readInput } from '../document.js';
import type { Lora } from '../lora/schema.js';
import type { ModelPlan } from '../models.js';
import type { RecipeBase } from './recipe.js';

/**
 * What a recipe's `model` or `like` stands for; paths are seen from the recipe's folder.
 *
 * @param dtype of all tensors of the model
 */
export async function baseOf(
  { source }: JsonDocument,
  {
    model,
    like,
    lora,
    mtp = false,
  }: {
    readonly model?: unknown;
    readonly like?: string | undefined;
    readonly lora?: Lora | undefined;
    readonly mtp?: boolean | undefined;
  },
  dtype: Dtype | undefined,
): Promise<RecipeBase | undefined> {
  const fromHere = (given: string) => pathFrom(source, given);
  if (like !== undefined) {
    const { planOfLikeness, readLikeness } = await import('../like.js');
    const likeness = await readLikeness(fromHere(like));
    return { plan: (rules) => planOfLikeness(likeness, dtype, rules), asksRules: true };
  }
  if (model === undefined) return undefined;
  if (lora !== undefined) return adapterOf(lora, model, source, fromHere, dtype);
  const { quantizer, ...plan } = await planOfModel(model, source, fromHere, dtype, mtp);
  return { plan: () => plan, asksRules: false, quantizer };
}

/**
 * What a recipe means by a path or an address.
 *
 * @throws InputError for a file of this machine in a recipe of a server's, which has no business with it
 */
function pathFrom(source: string, given: string): string {
  const path = pathOf(given);
  if (isUrl(path)) return path;
  const isLocal = isAbsolute(path) && isUrl(source);
  if (isLocal || /\p{Surrogate}/u.test(path)) {
    const what = isLocal ? 'a path beside it, or an address, in a recipe at an address' : 'well-formed Unicode';
    throw new InputError(`${source}: expected ${what}, but received ${show(given)}`, { path: source });
  }
  return isAbsolute(path) ? path : relativeTo(source, path);
}

/** An adapter's files have no config of the model: what makes the plan again has it in itself. */
async function adapterOf(
  lora: Lora,
  model: unknown,
  source: string,
  fromHere: (path: string) => string,
  dtype: Dtype | undefined,
): Promise<RecipeBase> {
  const { modelNames, modelOf } = await import('../models.js');
  const { planOfLora } = await import('../lora/lora.js');
  if (typeof model === 'string' && modelNames.includes(model)) {
    const what = `${source}: model: expected a config.json beside "lora", which says which modules there are`;
    throw new InputError(`${what}, but received ${show(model)}`, { path: source });
  }
  const document =
    typeof model === 'string' ? await readModel(model, fromHere(model)) : documentOf(model, `${source}: model`);
  const plan = planOfLora(await modelOf(document), lora, dtype ?? 'float32', source);
  return { plan: () => plan, asksRules: false, model: document.value };
}

async function planOfModel(
  model: unknown,
  source: string,
  fromHere: (path: string) => string,
  dtype: Dtype | undefined,
  mtp: boolean,
): Promise<ModelPlan> {
  const { namedModel, planOfConfig } = await import('../models.js');
  if (typeof model !== 'string') return planOfConfig(documentOf(model, `${source}: model`), dtype, undefined, mtp);
  const named = await namedModel(model, dtype);
  if (named === undefined) return planOfConfig(await readModel(model, fromHere(model)), dtype, undefined, mtp);
  if (!mtp) return named;
  const what = `${source}: model: expected a config.json beside "mtp", but received ${show(model)}`;
  throw new InputError(what, { path: source });
}

/** The config of a known model, or that at a path. */
async function readModel(model: string, path: string): Promise<JsonDocument> {
  const { knownDocument } = await import('../known-models.js');
  return (await knownDocument(model, path)) ?? readInput(path);
}
