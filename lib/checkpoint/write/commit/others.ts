/** Files of other checkpoints in a folder. */
import { join } from 'node:path';
import { isPlainObject } from '../../../core/check.js';
import { manifestName } from '../../../formats/raw/names.js';
import { indexNameOf, isWeightsName } from '../../virtual/shards.js';
import { ifThere, step, textOf } from './files.js';

/**
 * Files of checkpoints, whatever their format: two in one folder would be taken for one. What tells that all is there comes first.
 *
 * @param bases what the names of safetensors files begin with
 * @param told files whose names do not tell whose they are
 */
export function othersOf(names: readonly string[], bases: readonly string[], told: readonly string[]): string[] {
  const indexNames = bases.map(indexNameOf);
  const isWeights = (name: string): boolean => bases.some((base) => isWeightsName(name, base));
  const weights = names.filter((name) => isWeights(name) && !indexNames.includes(name));
  const index = names.filter((name) => indexNames.includes(name));
  const isThere = new Set(names);
  return [...new Set([...index, ...told.filter((name) => isThere.has(name)), ...weights])];
}

/** Whether a file may be one of a checkpoint of a file for each tensor: its name does not tell whose. */
export const isTensorFile = (name: string): boolean => /\.(npy|bin)$/.test(name);

/** The manifest in a folder and what it lists, as far as it is there; nothing if it is someone else's. */
export async function filesOfManifest(folder: string, names: readonly string[]): Promise<string[]> {
  if (!names.includes(manifestName)) return [];
  const path = join(folder, manifestName);
  return filesOfManifestText((await step('read', path, () => ifThere(textOf(path)))) ?? '', names);
}

/** The same for a manifest that is read. */
export function filesOfManifestText(text: string, names: readonly string[]): string[] {
  let listed: unknown;
  try {
    listed = JSON.parse(text);
  } catch {
    return [];
  }
  if (!isPlainObject(listed) || !isPlainObject(listed.tensors)) return [];
  const metadata = isPlainObject(listed.metadata) ? listed.metadata : {};
  if (!Object.hasOwn(metadata, 'nninit.version')) return [];
  const files = new Set(Object.values(listed.tensors).map((entry) => (isPlainObject(entry) ? entry.file : undefined)));
  return [manifestName, ...names.filter((name) => isTensorFile(name) && files.has(name))];
}
