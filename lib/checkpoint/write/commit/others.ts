/** Files of other checkpoints in a folder. */
import { join } from 'node:path';
import { isPlainObject } from '../../../core/check.js';
import { manifestName } from '../../../formats/raw/names.js';
import { indexNameOf, isWeightsName } from '../../virtual/shards.js';
import { ifThere, step, textOf } from './files.js';

/** Files of another checkpoint, whatever its format: two in one folder would be taken for one. What tells that all is there comes first. */
export async function othersOf(
  folder: string,
  names: readonly string[],
  base: string,
  ours: ReadonlySet<string>,
  known: ReadonlySet<string>,
): Promise<string[]> {
  const indexName = indexNameOf(base);
  const weights = names.filter((name) => isWeightsName(name, base) && name !== indexName);
  const index = names.filter((name) => name === indexName);
  const left = names.filter((name) => isTensorFile(name) && known.has(name));
  const all = new Set([...index, ...(await filesOfManifest(folder, names)), ...left, ...weights]);
  return [...all].filter((name) => !ours.has(name));
}

/** Whether a file may be one of a checkpoint of a file for each tensor: its name does not tell whose. */
export const isTensorFile = (name: string): boolean => /\.(npy|bin)$/.test(name);

/** The manifest in a folder and what it lists, as far as it is there; nothing if it is someone else's. */
async function filesOfManifest(folder: string, names: readonly string[]): Promise<string[]> {
  if (!names.includes(manifestName)) return [];
  const path = join(folder, manifestName);
  const text = (await step('read', path, () => ifThere(textOf(path)))) ?? '';
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
