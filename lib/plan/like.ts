import { isPlainObject } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { isGrid } from '../core/grid.js';
import { type JsonDocument, setKey } from '../core/json.js';
import { isFillable, type StoredDtype } from '../core/stored-dtype.js';
import { type CheckpointTensor, readHeaders } from '../formats/reader.js';
import { beside, isMissingOrRefused } from '../formats/source/source.js';
import { byName, drawsOf } from './changes.js';
import { explained, readDocument } from './document.js';
import { defaultOfName, isCounter, paddingRow, settingsOf } from './like-defaults.js';
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
 * @param path a .safetensors file, an index, a folder with either, or the address of one
 * @throws InputError for what the strict reader refuses, and for a config.json that is no JSON
 */
export async function readLikeness(path: string): Promise<Likeness> {
  const checkpoint = await readHeaders(path, { withoutData: true }).catch(async (cause: unknown) => {
    throw await explained(path, cause);
  });
  const tensors = [...checkpoint.tensors.values()];
  return { path: checkpoint.path, tensors, config: await readConfig(beside(checkpoint.path, 'config.json')) };
}

async function readConfig(path: string): Promise<JsonDocument | undefined> {
  try {
    return await readDocument(path);
  } catch (cause) {
    if (isMissingOrRefused(cause, path)) return undefined;
    throw cause;
  }
}

/**
 * The plan of a checkpoint with the same names, shapes and dtypes. Each tensor has the initializer of the last rule that matches its name,
 * or the default of its kind (like-defaults.ts). What can only be zeros, or may be another tensor's codes, is zeros: only a rule of its full name reaches it.
 *
 * @param dtype in place of those of the four dtypes that are filled
 */
export function planOfLikeness(likeness: Likeness, dtype?: Dtype, rules: readonly Rule[] = []): Plan {
  const { path, config } = likeness;
  const names = new Set(likeness.tensors.map(({ name }) => name));
  const settings = settingsOf(config?.value);
  const odd = new Map<string, string[]>();
  const note = (what: string, name: string) => {
    const which = odd.get(what);
    if (which === undefined) odd.set(what, [name]);
    else which.push(name);
  };
  const tensors = likeness.tensors.map(({ name, shape, dtype: own }): PlannedTensor => {
    if (!isFillable(own)) {
      const named = rules.findLast(
        (rule) => rule.initializer !== undefined && rule.glob === name && rule.matches(name),
      )?.initializer;
      if (named === undefined && !isCounter(name)) note(zerosIn(own), name);
      return { name, shape, dtype: own, initializer: named ?? 'zeros' };
    }
    const used = dtype ?? own;
    const given = rules.findLast((rule) => rule.initializer !== undefined && rule.matches(name))?.initializer;
    if (given !== undefined) return { name, shape, dtype: used, initializer: given };
    const found = defaultOfName(name, shape, (other) => names.has(other), settings);
    if (found.odd !== undefined) note(found.odd, name);
    const zeroRow = paddingRow(name, shape, settings);
    return { name, shape, dtype: used, initializer: found.initializer, ...(zeroRow !== undefined && { zeroRow }) };
  });
  const warnings = Array.from(odd, ([what, [first, ...more]]) => {
    return `${path}: ${JSON.stringify(first)}${more.length === 0 ? '' : ` and ${more.length} more`}: ${what}`;
  });
  const drawn = byName(tensors);
  return {
    tensors,
    warnings,
    ...(drawn.some((tensor, i) => tensor !== tensors[i]) && { draws: drawsOf(drawn) }),
    ...(config !== undefined && { config: configText(config, dtype) }),
  };
}

/** Why a tensor is zeros. */
function zerosIn(dtype: StoredDtype): string {
  return isGrid(dtype)
    ? `zeros, since ${dtype} may be codes, which random values do not suit: a rule of the full name gives others`
    : `zeros, which is all that nninit writes in ${dtype}`;
}

/** The config's text, in which a dtype that is there is the one used. */
function configText({ text, value }: JsonDocument, dtype: Dtype | undefined): string {
  if (dtype === undefined || !isPlainObject(value)) return text;
  const keys = ['dtype', 'torch_dtype'].filter((key) => Object.hasOwn(value, key) && value[key] !== dtype);
  return keys.reduce((edited, key) => setKey(edited, key, dtype), text);
}
