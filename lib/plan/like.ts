import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isPlainObject } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { errorCode, InputError } from '../core/errors.js';
import { type JsonDocument, readJson, setKey } from '../core/json.js';
import { isFillable } from '../core/stored-dtype.js';
import { strerror } from '../core/strerror.js';
import { type CheckpointTensor, readHeaders } from '../formats/reader.js';
import { defaultOfName, hasCentredNorms, isCounter } from './like-defaults.js';
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
export async function readLikeness(path: string): Promise<Likeness> {
  const checkpoint = await readHeaders(path);
  const tensors = [...checkpoint.tensors.values()];
  return { path: checkpoint.path, tensors, config: await readConfig(join(checkpoint.folder, 'config.json')) };
}

async function readConfig(path: string): Promise<JsonDocument | undefined> {
  try {
    return readJson(await readFile(path), path);
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT') return undefined;
    if (cause instanceof InputError) throw cause;
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause, code: 'ERR_NNINIT_READ' });
  }
}

/**
 * The plan of a checkpoint with the same names, shapes and dtypes. Each tensor has the initializer of the last rule that matches its name,
 * or the default of its kind (like-defaults.ts); what can only be zeros is zeros.
 *
 * @param dtype in place of those of the four dtypes that are filled
 */
export function planOfLikeness(likeness: Likeness, dtype?: Dtype, rules: readonly Rule[] = []): Plan {
  const { path, config } = likeness;
  const names = new Set(likeness.tensors.map(({ name }) => name));
  const settings = isPlainObject(config?.value) ? config.value : {};
  const centred = hasCentredNorms(settings.model_type);
  const odd = new Map<string, string[]>();
  const note = (what: string, name: string) => {
    const which = odd.get(what);
    if (which === undefined) odd.set(what, [name]);
    else which.push(name);
  };
  const tensors = likeness.tensors.map(({ name, shape, dtype: own }): PlannedTensor => {
    if (!isFillable(own)) {
      if (!isCounter(name)) note(`zeros, which is all that nninit writes in ${own}`, name);
      return { name, shape, dtype: own, initializer: 'zeros' };
    }
    const used = dtype ?? own;
    const given = rules.findLast((rule) => rule.initializer !== undefined && rule.matches(name))?.initializer;
    if (given !== undefined) return { name, shape, dtype: used, initializer: given };
    const found = defaultOfName(name, shape, (other) => names.has(other), centred);
    if (found.odd !== undefined) note(found.odd, name);
    return { name, shape, dtype: used, initializer: found.initializer };
  });
  const warnings = Array.from(odd, ([what, [first, ...more]]) => {
    return `${path}: ${JSON.stringify(first)}${more.length === 0 ? '' : ` and ${more.length} more`}: ${what}`;
  });
  return { tensors, warnings, ...(config !== undefined && { config: configText(config, dtype) }) };
}

/** The config's text, in which a dtype that is there is the one used. */
function configText({ text, value }: JsonDocument, dtype: Dtype | undefined): string {
  if (dtype === undefined || !isPlainObject(value)) return text;
  const keys = ['dtype', 'torch_dtype'].filter((key) => Object.hasOwn(value, key) && value[key] !== dtype);
  return keys.reduce((edited, key) => setKey(edited, key, dtype), text);
}
