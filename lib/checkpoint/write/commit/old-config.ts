import { join } from 'node:path';
import { isPlainObject } from '../../../core/check.js';
import { manifestName } from '../../../formats/raw/names.js';
import { readHeader } from '../../../formats/safetensors/read-header.js';
import { configName } from '../../virtual/layout.js';
import { textOf } from './files.js';

/**
 * Whose the config.json is that stands beside weights which are about to be replaced, where the new ones have none: 'theirs' if nninit
 * wrote it with them, so that it goes with them; 'apart' if nninit wrote them without one, and someone added it; 'unknown' beside weights
 * of other programs, which it may describe, and beside such that do not tell what they were made from.
 *
 * @param weights files of the old checkpoints, a manifest among them: one of files for each tensor may stand beside one of another name
 */
export async function ownerOfConfig(
  folder: string,
  weights: readonly string[],
): Promise<'theirs' | 'apart' | 'unknown'> {
  return ownerByMetadata(weights, (name) => metadataOf(join(folder, name)));
}

/** The same, by what tells a file's metadata. */
export async function ownerByMetadata(
  weights: readonly string[],
  metadataOf: (name: string) => Promise<ReadonlyMap<string, unknown> | undefined>,
): Promise<'theirs' | 'apart' | 'unknown'> {
  let isOurs = false;
  let isTold = true;
  const known = new Set<string>();
  for (const name of weights) {
    const checkpoint = checkpointOf(name);
    if (known.has(checkpoint)) continue;
    const metadata = await metadataOf(name).catch(() => undefined);
    if (metadata?.get('nninit.version') === undefined) continue;
    const source = metadata.get('nninit.source');
    if (String(source).includes(`"${configName}"`)) return 'theirs';
    known.add(checkpoint);
    isOurs = true;
    if (source === undefined) isTold = false; // of a plan that was put together in code, or of a very long recipe: either may have a config
  }
  if (isOurs) return isTold ? 'apart' : 'unknown';
  return weights.length === 0 ? 'apart' : 'unknown';
}

/** What the shards of a checkpoint have in common: of those that stand in one folder any may have brought the config. */
const checkpointOf = (name: string): string => name.replace(/(-\d{5}-of-\d{5})?\.safetensors.*$/, '');

async function metadataOf(path: string): Promise<ReadonlyMap<string, unknown> | undefined> {
  if (/\.safetensors(\.done)?$/.test(path)) return (await readHeader(path)).metadata;
  return path.endsWith(manifestName) ? metadataOfManifest((await textOf(path)) ?? '') : undefined;
}

/** @throws SyntaxError */
export function metadataOfManifest(text: string): ReadonlyMap<string, unknown> {
  const manifest: unknown = JSON.parse(text);
  return new Map(isPlainObject(manifest) && isPlainObject(manifest.metadata) ? Object.entries(manifest.metadata) : []);
}
