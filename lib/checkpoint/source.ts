import { readFile } from 'node:fs/promises';
import { is_plain_object } from '../check.js';
import type { Dtype } from '../dtype.js';
import { InputError } from './errors.js';
import { read_json, show_path } from './json.js';
import { type ResolvedTensor, resolve_plan } from './plan.js';
import { strerror } from './strerror.js';

/** What is to be written: tensors ready to be filled, and the text of config.json where the model has one. */
export interface Source {
  readonly tensors: readonly ResolvedTensor[];
  readonly config: string | undefined;
  /** What is odd but no error. */
  readonly warnings: readonly string[];
}

/**
 * Reads a config.json or a recipe, whichever the file is: a recipe has `tensors`, a config has `model_type`.
 *
 * @param dtype for all of a model's tensors, or for a recipe's that name none; by default what the file says, or float32
 * @throws InputError for what cannot be read or makes no sense
 */
export async function load_source(path: string, dtype?: Dtype): Promise<Source> {
  const document = read_json(await read(path), path);
  const { value } = document;
  if (is_plain_object(value) && Object.hasOwn(value, 'tensors')) {
    const { plan_of_recipe } = await import('./recipe.js');
    const { warnings, ...plan } = plan_of_recipe(document, dtype);
    const tensors = resolve_plan(plan, path, (name) => show_path(['tensors', name]));
    return { tensors, config: undefined, warnings };
  }
  if (is_plain_object(value) && Object.hasOwn(value, 'model_type')) {
    const { plan_of_config } = await import('../models/index.js');
    const plan = plan_of_config(document, dtype);
    return { tensors: resolve_plan(plan, path), config: plan.config, warnings: [] };
  }
  throw new InputError(
    `${path}: expected a Hugging Face config.json, which has a "model_type", or a recipe, which has "tensors" ` +
      '(see docs/recipes.md)',
    { path },
  );
}

async function read(path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause, code: 'ERR_NNINIT_READ' });
  }
}
