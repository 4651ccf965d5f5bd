import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { is_plain_object } from '../check.js';
import type { Dtype } from '../dtype.js';
import { InputError } from './errors.js';
import { type JsonDocument, read_json, show_path } from './json.js';
import { type Plan, type ResolvedTensor, resolve_plan } from './plan.js';
import { strerror } from './strerror.js';

/** What is to be written: tensors ready to be filled, and the text of config.json where the model has one. */
export interface Source {
  readonly tensors: readonly ResolvedTensor[];
  readonly config: string | undefined;
  /** What is odd but no error. */
  readonly warnings: readonly string[];
}

/** Where a plan comes from, and what changes it: `input` or `like`, and options. */
export interface SourceRequest {
  /** A config.json, a recipe, a folder that holds a config.json, or the name of a model that nninit knows. */
  readonly input?: string | undefined;
  /** A .safetensors file, an index of several, or a folder that holds either: names, shapes and dtypes are its own. */
  readonly like?: string | undefined;
  /**
   * Of all tensors of a model, of a recipe's that name none, of those of `like` in one of the four types that are filled; by default what
   * the input says, or float32.
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

/**
 * Reads a config.json or a recipe, whichever the file is: a recipe has `tensors`, a config has `model_type`.
 *
 * @throws InputError for what cannot be read or makes no sense
 */
export async function load_source({ input, dtype }: SourceRequest): Promise<Source> {
  if (input === undefined) throw new InputError('expected a config.json or a recipe');
  const path = (await is_folder(input)) ? join(input, 'config.json') : input;
  const document = read_json(await read(path), path);
  const plan = await plan_of_document(document, dtype);
  const tensors = resolve_plan(plan, path, is_recipe(document.value) ? place_in_recipe : undefined);
  return { tensors, config: plan.config, warnings: plan.warnings ?? [] };
}

async function plan_of_document(document: JsonDocument, dtype: Dtype | undefined): Promise<Plan> {
  const { source, value } = document;
  if (is_recipe(value)) {
    const { plan_of_recipe } = await import('./recipe.js');
    return plan_of_recipe(document, dtype);
  }
  if (is_plain_object(value) && Object.hasOwn(value, 'model_type')) {
    const { plan_of_config } = await import('../models/index.js');
    return plan_of_config(document, dtype);
  }
  throw new InputError(
    `${source}: expected a Hugging Face config.json, which has a "model_type", or a recipe, which has "tensors" ` +
      '(see docs/recipes.md)',
    { path: source },
  );
}

function is_recipe(value: unknown): boolean {
  return is_plain_object(value) && Object.hasOwn(value, 'tensors');
}

function place_in_recipe(name: string): string {
  return show_path(['tensors', name]);
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
