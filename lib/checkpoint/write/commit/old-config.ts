import { isPlainObject } from '../../../core/check.js';
import { manifestName } from '../../../formats/raw/names.js';
import { readHeader } from '../../../formats/safetensors/read-header.js';
import { configName, type FileSet } from '../../virtual/layout.js';
import { sharersOf } from '../../virtual/shards.js';
import { textOf } from './files.js';

type MetadataOf = (name: string) => Promise<ReadonlyMap<string, unknown> | undefined>;

/** Weights that are about to be replaced. */
export interface Replaced {
  /** The new ones. */
  readonly set: FileSet;
  /** Files of the old ones, a manifest among them: one of files for each tensor may stand beside one of another name. */
  readonly weights: readonly string[];
  /** Weights that stay. */
  readonly strangers: readonly string[];
}

/**
 * The configs that go with the old weights, of those that the new ones do not have: nninit wrote them with these, and none that stay share them. `isUnknown`
 * is set where there is a config.json of which nobody can tell and the new weights have no config: it would seem to describe them.
 *
 * @param metadataOf what tells a file's metadata
 */
export async function configsOfReplaced(
  configs: readonly string[],
  { set, weights, strangers }: Replaced,
  metadataOf: MetadataOf,
): Promise<{ readonly theirs: string[]; readonly isUnknown: boolean }> {
  const theirs: string[] = [];
  let isUnknown = false;
  for (const name of configs) {
    if (sharersOf(name, strangers).length > 0) continue;
    const owner = await ownerOf(name, weights, metadataOf);
    if (owner === 'theirs') theirs.push(name);
    else if (owner === 'unknown' && name === configName && set.config === undefined) isUnknown = true;
  }
  return { theirs, isUnknown };
}

/** Why a run is refused beside such a config. */
export const inDoubt = (path: string): string =>
  `${path} may describe the weights that would be replaced, and the plan has no config: move it away first`;

/**
 * Whose a config is: 'theirs' if nninit wrote it with the weights; 'apart' if nninit wrote them without one, and someone added it; 'unknown' beside weights
 * of other programs, which it may describe, and beside such that do not tell what they were made from.
 */
async function ownerOf(
  config: string,
  weights: readonly string[],
  metadataOf: MetadataOf,
): Promise<'theirs' | 'apart' | 'unknown'> {
  let isOurs = false;
  let isTold = true;
  const known = new Set<string>();
  for (const name of weights) {
    const checkpoint = checkpointOf(name);
    if (known.has(checkpoint)) continue;
    const metadata = await metadataOf(name).catch(() => undefined);
    if (metadata?.get('nninit.version') === undefined) continue;
    const brought = brings(metadata.get('nninit.source'), config);
    if (brought) return 'theirs';
    known.add(checkpoint);
    isOurs = true;
    if (brought === undefined) isTold = false;
  }
  if (isOurs) return isTold ? 'apart' : 'unknown';
  return weights.length === 0 ? 'apart' : 'unknown';
}

/** Whether what weights were made from comes with a config of that name; undefined where it may: of what is like a checkpoint, one that had one. */
function brings(source: unknown, config: string): boolean | undefined {
  let made: unknown;
  try {
    made = JSON.parse(String(source));
  } catch {}
  if (!isPlainObject(made)) return undefined; // of a plan that was put together in code, or of a very long recipe
  const recipe = isPlainObject(made.recipe) ? made.recipe : {};
  if (config !== configName) return recipe.lora !== undefined;
  if (recipe.lora !== undefined) return false;
  if (made.input === 'like' || recipe.like !== undefined) return undefined;
  return made.input === configName || recipe.model === configName || isPlainObject(recipe.model);
}

/** What the shards of a checkpoint have in common: of those that stand in one folder any may have brought the config. */
const checkpointOf = (name: string): string => name.replace(/(-\d{5}-of-\d{5})?\.safetensors.*$/, '');

/** Of a file in a folder. */
export async function metadataOf(path: string): Promise<ReadonlyMap<string, unknown> | undefined> {
  if (/\.safetensors(\.done)?$/.test(path)) return (await readHeader(path)).metadata;
  return path.endsWith(manifestName) ? metadataOfManifest((await textOf(path)) ?? '') : undefined;
}

/** @throws SyntaxError */
export function metadataOfManifest(text: string): ReadonlyMap<string, unknown> {
  const manifest: unknown = JSON.parse(text);
  return new Map(isPlainObject(manifest) && isPlainObject(manifest.metadata) ? Object.entries(manifest.metadata) : []);
}
