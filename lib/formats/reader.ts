import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { InputError } from '../core/errors.js';
import { manifestName } from './raw/names.js';
import { type FileHeader, type FileTensor, notThere, readHeader, unreadable } from './safetensors/read-header.js';

export { type FileHeader, type FileTensor, readHeader } from './safetensors/read-header.js';

/** A tensor of a checkpoint and the file that holds it. */
export interface CheckpointTensor extends FileTensor {
  readonly file: FileHeader;
}

/** A checkpoint, of which the headers have been read and found consistent. */
export interface Checkpoint {
  /** The file, the index or the manifest that it was opened by. */
  readonly path: string;
  /** The folder that holds it. */
  readonly folder: string;
  /** In the order of their names. */
  readonly files: readonly FileHeader[];
  /** By name; file after file, each in the order of its data. */
  readonly tensors: ReadonlyMap<string, CheckpointTensor>;
}

const suffix = '.safetensors';
const indexSuffix = `${suffix}.index.json`;

/**
 * Opens a checkpoint: reads the headers of a safetensors file, of all files of an index or of a manifest of `.npy` or raw files, or of what a
 * folder holds (`model.safetensors`, its index, whatever single file or index there is, or else a manifest).
 *
 * An index and its files must agree: each tensor is in the file that the index names, and no file holds others. Shards are files of the
 * index's own folder.
 *
 * @throws InputError with the path: ERR_NNINIT_READ, ERR_NNINIT_HEADER, ERR_NNINIT_INDEX, ERR_NNINIT_MANIFEST, or ERR_NNINIT_CHECKPOINT for a folder that holds
 *   no checkpoint or several
 */
export async function readHeaders(path: string): Promise<Checkpoint> {
  const found = (await isFolder(path)) ? await findCheckpoint(path) : path;
  if (basename(found) === manifestName) {
    const { readManifest } = await import('./raw/read-manifest.js'); // with zod, which takes a while
    return checkpointOf(found, await readManifest(found));
  }
  return found.endsWith('.json') ? await openIndex(found) : checkpointOf(found, [await readHeader(found)]);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw await notThere(path, cause);
  }
}

/** The file or index that is meant by a folder. */
async function findCheckpoint(folder: string): Promise<string> {
  let names: string[];
  try {
    names = (await readdir(folder)).filter((name) => !name.startsWith('.')).sort();
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  const refuse = (what: string) =>
    new InputError(`${folder}: ${what}`, { path: folder, code: 'ERR_NNINIT_CHECKPOINT' });
  const usual = [`model${suffix}`, `model${indexSuffix}`].filter((name) => names.includes(name));
  const indexes = names.filter((name) => name.endsWith(indexSuffix));
  const files = names.filter((name) => name.endsWith(suffix));
  const manifest = names.filter((name) => name === manifestName);
  const [choice, ...more] = [usual, indexes, files, manifest].find((list) => list.length > 0) ?? [];
  if (choice === undefined)
    throw refuse(`expected a checkpoint, but there is no file ${suffix} and no ${manifestName}`);
  if (more.length > 0) {
    const list = [choice, ...more].slice(0, 5).join(', ') + (more.length > 4 ? ', …' : '');
    throw refuse(`expected one checkpoint, but there are ${more.length + 1}: ${list}; name the one you mean`);
  }
  return join(folder, choice);
}

async function openIndex(path: string): Promise<Checkpoint> {
  const { readIndex } = await import('./safetensors/read-index.js'); // with a parser of JSON, which takes a while
  const filesOf = await readIndex(path);
  const refuse = (what: string) => new InputError(`${path}: ${what}`, { path, code: 'ERR_NNINIT_INDEX' });
  const byFile = new Map<string, string[]>();
  for (const [tensor, file] of filesOf) {
    const list = byFile.get(file);
    if (list === undefined) byFile.set(file, [tensor]);
    else list.push(tensor);
  }
  const headers: FileHeader[] = [];
  for (const [name, expected] of [...byFile].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const header = await readHeader(join(dirname(path), name));
    const held = new Set(header.tensors.map((tensor) => tensor.name));
    const missing = expected.find((tensor) => !held.has(tensor));
    if (missing !== undefined)
      throw refuse(`expected tensor ${JSON.stringify(missing)} in ${name}, but it is not there`);
    const extra = header.tensors.find((tensor) => filesOf.get(tensor.name) !== name);
    if (extra !== undefined) {
      const elsewhere = filesOf.get(extra.name);
      const where = elsewhere === undefined ? 'in no file' : `in ${elsewhere}`;
      throw refuse(`expected tensor ${JSON.stringify(extra.name)} ${where}, but ${name} holds it`);
    }
    headers.push(header);
  }
  return checkpointOf(path, headers);
}

function checkpointOf(path: string, files: readonly FileHeader[]): Checkpoint {
  const tensors = new Map<string, CheckpointTensor>();
  for (const file of files) {
    for (const tensor of file.tensors) tensors.set(tensor.name, { ...tensor, file });
  }
  return { path, folder: dirname(path), files, tensors };
}
