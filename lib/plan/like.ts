import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { is_plain_object } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { error_code, InputError } from '../core/errors.js';
import { type JsonDocument, read_json, set_key } from '../core/json.js';
import { is_fillable } from '../core/stored-dtype.js';
import { strerror } from '../core/strerror.js';
import { type CheckpointTensor, open_checkpoint } from '../formats/reader.js';
import { default_of_name, has_centred_norms, is_counter } from './like-defaults.js';
import type { Plan, PlannedTensor } from './plan.js';
import type { Rule } from './rules/rules.js';

/** An existing checkpoint, of which names, shapes and dtypes count. */
export interface Likeness {
  readonly path: string;
  readonly tensors: readonly CheckpointTensor[];
  /** The config.json beside it, where there is one. */
  readonly config: JsonDocument | undefined;
}

/**
 * Reads the headers of a checkpoint, and the config.json beside it.
 *
 * @param path a .safetensors file, an index, or a folder with either
 * @throws InputError for what the strict reader refuses, and for a config.json that is no JSON
 */
export async function read_likeness(path: string): Promise<Likeness> {
  const checkpoint = await open_checkpoint(path);
  const tensors = [...checkpoint.tensors.values()];
  return { path: checkpoint.path, tensors, config: await read_config(join(checkpoint.folder, 'config.json')) };
}

async function read_config(path: string): Promise<JsonDocument | undefined> {
  try {
    return read_json(await readFile(path), path);
  } catch (cause) {
    if (error_code(cause) === 'ENOENT') return undefined;
    if (cause instanceof InputError) throw cause;
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause, code: 'ERR_NNINIT_READ' });
  }
}

/**
 * The plan of a checkpoint with the same names, shapes and dtypes. Each tensor has the initializer of the last rule that matches its name,
 * or the default of its kind (like_defaults.ts); what can only be zeros is zeros.
 *
 * @param dtype in place of those of the four dtypes that are filled
 */
export function plan_of_likeness(likeness: Likeness, dtype?: Dtype, rules: readonly Rule[] = []): Plan {
  const { path, config } = likeness;
  const names = new Set(likeness.tensors.map(({ name }) => name));
  const settings = is_plain_object(config?.value) ? config.value : {};
  const centred = has_centred_norms(settings.model_type);
  const odd = new Map<string, string[]>();
  const note = (what: string, name: string) => {
    const which = odd.get(what);
    if (which === undefined) odd.set(what, [name]);
    else which.push(name);
  };
  const tensors = likeness.tensors.map(({ name, shape, dtype: own }): PlannedTensor => {
    if (!is_fillable(own)) {
      if (!is_counter(name)) note(`zeros, which is all that nninit writes in ${own}`, name);
      return { name, shape, dtype: own, initializer: 'zeros' };
    }
    const used = dtype ?? own;
    const given = rules.findLast((rule) => rule.initializer !== undefined && rule.matches(name))?.initializer;
    if (given !== undefined) return { name, shape, dtype: used, initializer: given };
    const found = default_of_name(name, shape, (other) => names.has(other), centred);
    if (found.odd !== undefined) note(found.odd, name);
    return { name, shape, dtype: used, initializer: found.initializer };
  });
  const warnings = Array.from(odd, ([what, [first, ...more]]) => {
    return `${path}: ${JSON.stringify(first)}${more.length === 0 ? '' : ` and ${more.length} more`}: ${what}`;
  });
  return { tensors, warnings, ...(config !== undefined && { config: config_text(config, dtype) }) };
}

/** The config's text, in which a dtype that is there is the one used. */
function config_text({ text, value }: JsonDocument, dtype: Dtype | undefined): string {
  if (dtype === undefined || !is_plain_object(value)) return text;
  const keys = ['dtype', 'torch_dtype'].filter((key) => Object.hasOwn(value, key) && value[key] !== dtype);
  return keys.reduce((edited, key) => set_key(edited, key, dtype), text);
}
