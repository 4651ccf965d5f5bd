import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { didYouMean, quoted } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { errorCode, InputError } from '../core/errors.js';
import { type JsonDocument, readJson } from '../core/json.js';
import { strerror } from '../core/strerror.js';
import type { Plan } from './plan.js';
import type { RecipeBase } from './recipe/recipe.js';

/** Reads a JSON file. */
export async function readDocument(path: string): Promise<JsonDocument> {
  return readJson(await read(path), path);
}

/** Reads the JSON file that an input names: itself, or the config.json of a folder. */
export async function readInput(input: string): Promise<JsonDocument> {
  const path = (await isFolder(input)) ? join(input, 'config.json') : input;
  if (path.endsWith('.safetensors')) {
    const expected = "a config.json, a recipe or a model's name";
    throw new InputError(`${path}: expected ${expected}, but it is a checkpoint, which --like takes`, { path });
  }
  try {
    return await readDocument(path);
  } catch (cause) {
    const missing = cause instanceof InputError && path === input && errorCode(cause.cause) === 'ENOENT';
    if (!missing || /[/\\]/.test(input) || input.endsWith('.json')) throw cause;
    const { modelNames } = await import('./models.js');
    const hint = didYouMean(input, modelNames);
    const known = `the models known by name are ${quoted(modelNames)}${hint === undefined ? '' : ` (${hint})`}`;
    throw new InputError(`${cause.message}; ${known}`, { path, cause: cause.cause, code: cause.code });
  }
}

/** The plan of a model known by name; undefined if there is none of that name. */
export async function namedModel(name: string, dtype: Dtype | undefined): Promise<Plan | undefined> {
  if (!/^[a-z0-9_]+$/.test(name)) return undefined;
  const { modelNames, planOfName } = await import('./models.js');
  return modelNames.includes(name) ? planOfName(name, dtype) : undefined;
}

/**
 * What a recipe's `model` or `like` stands for; paths are seen from the recipe's folder.
 *
 * @param dtype of all tensors of the model
 */
export async function baseOf(
  { source }: JsonDocument,
  { model, like }: { readonly model?: unknown; readonly like?: string | undefined },
  dtype: Dtype | undefined,
): Promise<RecipeBase | undefined> {
  const fromHere = (path: string) => (isAbsolute(path) ? path : join(dirname(source), path));
  if (like !== undefined) {
    const { planOfLikeness, readLikeness } = await import('./like.js');
    const likeness = await readLikeness(fromHere(like));
    return { plan: (rules) => planOfLikeness(likeness, dtype, rules), asksRules: true };
  }
  if (model === undefined) return undefined;
  const plan = await planOfModel(model, source, fromHere, dtype);
  return { plan: () => plan, asksRules: false };
}

async function planOfModel(
  model: unknown,
  source: string,
  fromHere: (path: string) => string,
  dtype: Dtype | undefined,
): Promise<Plan> {
  const { planOfConfig } = await import('./models.js');
  if (typeof model === 'string') {
    return (await namedModel(model, dtype)) ?? planOfConfig(await readInput(fromHere(model)), dtype);
  }
  const text = `${JSON.stringify(model, null, 2)}\n`;
  return planOfConfig(readJson(Buffer.from(text), `${source}: model`), dtype);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // reading it says why
  }
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause, code: 'ERR_NNINIT_READ' });
  }
}
