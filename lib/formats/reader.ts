import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../core/errors.js';
import { journalName } from './journal-name.js';
import { manifestName } from './raw/names.js';
import { type FileHeader, type FileTensor, type HeaderOptions, readHeader } from './safetensors/read-header.js';
import { notThere, unreadable } from './source/file.js';
import { beside, folderAt, isMissing, isMissingOrRefused, isUrl, openSource, pathnameOf } from './source/source.js';

export { type FileHeader, type FileTensor, readHeader } from './safetensors/read-header.js';

/** A tensor of a checkpoint and the file that holds it. */
export interface CheckpointTensor extends FileTensor {
  readonly file: FileHeader;
}

/** A checkpoint, of which the headers have been read and found consistent. */
export interface Checkpoint {
  /** The file, the index or the manifest that it was opened by. */
  readonly path: string;
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
 * At an address of http, https or s3 that names no file, these are looked for by their usual names.
 *
 * An index and its files must agree: each tensor is in the file that the index names, and no file holds others. Shards are files of the
 * index's own folder.
 *
 * @throws InputError with the path: ERR_NNINIT_READ, ERR_NNINIT_HEADER, ERR_NNINIT_INDEX, ERR_NNINIT_MANIFEST, or ERR_NNINIT_CHECKPOINT for a folder that holds
 *   no checkpoint or several
 */
export async function readHeaders(path: string, options: HeaderOptions = {}): Promise<Checkpoint> {
  const found = isUrl(path) ? await findAt(path, options.signal) : (await isFolder(path)) ? await findIn(path) : path;
  const name = isUrl(found) ? pathnameOf(found) : found;
  if (name.endsWith(manifestName)) {
    const { readManifest } = await import('./raw/read-manifest.js'); // with zod, which takes a while
    return checkpointOf(found, await readManifest(found, options.signal));
  }
  return name.endsWith('.json')
    ? await openIndex(found, options)
    : checkpointOf(found, [await readHeader(found, options)]);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (cause) {
    throw await notThere(path, cause);
  }
}

const isShard = (name: string): boolean =>
  /-\d{5}-of-\d{5}\.safetensors$/.test(name) && !name.endsWith('-00001-of-00001.safetensors');

/** The file or index that is meant by a folder. */
async function findIn(folder: string): Promise<string> {
  let all: string[];
  try {
    all = await readdir(folder);
  } catch (cause) {
    throw unreadable(folder, cause);
  }
  const refuse = (what: string) =>
    new InputError(`${folder}: ${what}`, { path: folder, code: 'ERR_NNINIT_CHECKPOINT' });
  const names = all.filter((name) => !name.startsWith('.')).sort();
  const usual = [`model${suffix}`, `model${indexSuffix}`].filter((name) => names.includes(name));
  const indexes = names.filter((name) => name.endsWith(indexSuffix));
  const files = names.filter((name) => name.endsWith(suffix));
  const manifest = names.filter((name) => name === manifestName);
  const [choice, ...more] = [usual, indexes, files, manifest].find((list) => list.length > 0) ?? [];
  const shards = choice !== undefined && [choice, ...more].every(isShard);
  if ((choice === undefined || shards) && all.includes(journalName)) throw refuse(unfinished);
  // Of a download that did not end.
  if (shards) throw refuse(withoutIndex([choice, ...more]));
  if (choice === undefined)
    throw refuse(`expected a checkpoint, but there is no file ${suffix} and no ${manifestName}`);
  if (more.length > 0) {
    const list = [choice, ...more].slice(0, 5).join(', ') + (more.length > 4 ? ', …' : '');
    throw refuse(`expected one checkpoint, but there are ${more.length + 1}: ${list}; name the one you mean`);
  }
  return join(folder, choice);
}

const unfinished = `expected a checkpoint, but this one is unfinished: a run writes it, or has left it to nninit generate --resume (${journalName})`;

function withoutIndex([first = '', ...more]: readonly string[]): string {
  const which =
    more.length === 0 ? `is a shard without its index: ${first}` : `are shards without their index: ${first}, …`;
  return `expected a checkpoint, but there ${which}`;
}

/** The usual names of what is in a folder. */
const usualNames = [
  ...['model', 'diffusion_pytorch_model', 'adapter_model'].flatMap((base) => [
    `${base}${suffix}`,
    `${base}${indexSuffix}`,
  ]),
  manifestName,
];

/** The file or index that is meant by the address of a folder, or of a repository's page. */
async function findAt(address: string, signal?: AbortSignal): Promise<string> {
  if (/\.(safetensors|json)$/.test(pathnameOf(address))) return address;
  const folder = folderAt(address);
  let refused: unknown;
  for (const name of usualNames) {
    const path = beside(folder, name);
    try {
      await (await openSource(path, signal)).close();
      return path;
    } catch (cause) {
      if (!isMissingOrRefused(cause, path)) throw cause;
      if (!isMissing(cause)) refused ??= cause;
    }
  }
  if (refused !== undefined) throw refused; // whether there is one cannot be told
  const what = `expected the address of a checkpoint, but it has none of ${usualNames.join(', ')}`;
  throw new InputError(`${address}: ${what}`, { path: address, code: 'ERR_NNINIT_CHECKPOINT' });
}

async function openIndex(path: string, options: HeaderOptions): Promise<Checkpoint> {
  const { readIndex } = await import('./safetensors/read-index.js'); // with a parser of JSON, which takes a while
  const filesOf = await readIndex(path, options.signal);
  const refuse = (what: string) => new InputError(`${path}: ${what}`, { path, code: 'ERR_NNINIT_INDEX' });
  const byFile = new Map<string, string[]>();
  for (const [tensor, file] of filesOf) {
    const list = byFile.get(file);
    if (list === undefined) byFile.set(file, [tensor]);
    else list.push(tensor);
  }
  const headers: FileHeader[] = [];
  for (const [name, expected] of [...byFile].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const header = await readHeader(beside(path, name), options);
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
  return { path, files, tensors };
}
