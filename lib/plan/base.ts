import { readFile, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { did_you_mean, quoted } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { error_code, InputError } from '../core/errors.js';
import { type JsonDocument, read_json } from '../core/json.js';
import { strerror } from '../core/strerror.js';
import type { Plan } from './plan.js';
import type { RecipeBase } from './recipe/recipe.js';

/** Reads a JSON file. */
export async function read_document(path: string): Promise<JsonDocument> {
  return read_json(await read(path), path);
}

/** Reads the JSON file that an input names: itself, or the config.json of a folder. */
export async function read_input(input: string): Promise<JsonDocument> {
  const path = (await is_folder(input)) ? join(input, 'config.json') : input;
  if (path.endsWith('.safetensors')) {
    const expected = "a config.json, a recipe or a model's name";
    throw new InputError(`${path}: expected ${expected}, but it is a checkpoint, which --like takes`, { path });
  }
  try {
    return await read_document(path);
  } catch (cause) {
    const missing = cause instanceof InputError && path === input && error_code(cause.cause) === 'ENOENT';
    if (!missing || /[/\\]/.test(input) || input.endsWith('.json')) throw cause;
    const { model_names } = await import('./models.js');
    const hint = did_you_mean(input, model_names);
    const known = `the models known by name are ${quoted(model_names)}${hint === undefined ? '' : ` (${hint})`}`;
    throw new InputError(`${cause.message}; ${known}`, { path, cause: cause.cause, code: cause.code });
  }
}

/** The plan of a model known by name; undefined if there is none of that name. */
export async function named_model(name: string, dtype: Dtype | undefined): Promise<Plan | undefined> {
  if (!/^[a-z0-9_]+$/.test(name)) return undefined;
  const { model_names, plan_of_name } = await import('./models.js');
  return model_names.includes(name) ? plan_of_name(name, dtype) : undefined;
}

/**
 * What a recipe's `model` or `like` stands for; paths are seen from the recipe's folder.
 *
 * @param dtype of all tensors of the model
 */
export async function base_of(
  { source }: JsonDocument,
  { model, like }: { readonly model?: unknown; readonly like?: string | undefined },
  dtype: Dtype | undefined,
): Promise<RecipeBase | undefined> {
  const from_here = (path: string) => (isAbsolute(path) ? path : join(dirname(source), path));
  if (like !== undefined) {
    const { plan_of_likeness, read_likeness } = await import('./like.js');
    const likeness = await read_likeness(from_here(like));
    return { plan: (rules) => plan_of_likeness(likeness, dtype, rules), asks_rules: true };
  }
  if (model === undefined) return undefined;
  const plan = await plan_of_model(model, source, from_here, dtype);
  return { plan: () => plan, asks_rules: false };
}

async function plan_of_model(
  model: unknown,
  source: string,
  from_here: (path: string) => string,
  dtype: Dtype | undefined,
): Promise<Plan> {
  const { plan_of_config } = await import('./models.js');
  if (typeof model === 'string') {
    return (await named_model(model, dtype)) ?? plan_of_config(await read_input(from_here(model)), dtype);
  }
  const text = `${JSON.stringify(model, null, 2)}\n`;
  return plan_of_config(read_json(Buffer.from(text), `${source}: model`), dtype);
}

async function is_folder(path: string): Promise<boolean> {
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
