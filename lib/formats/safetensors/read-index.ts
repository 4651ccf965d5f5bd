import { isPlainObject, show } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { readJson } from '../../core/json.js';
import { readWhole } from '../source/source.js';

/** As long as the longest header: an index says less of each tensor than the headers do. */
export const indexLimit = 100_000_000;

/**
 * Reads the index of a checkpoint in several files: from each tensor's name to the name of the file that holds it.
 *
 * The names must be those of files in the index's own folder: `..`, separators and drive letters would let a downloaded index read any
 * file.
 *
 * @throws InputError with the path: ERR_NNINIT_READ if the system refuses, ERR_NNINIT_INDEX otherwise
 */
export async function readIndex(path: string, signal?: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const refuse = (what: string, cause?: unknown) => new InputError(what, { path, code: 'ERR_NNINIT_INDEX', cause });
  const bytes = await readWhole(path, indexLimit, refuse, signal);
  let map: unknown;
  try {
    const { value } = readJson(bytes, path);
    map = isPlainObject(value) && Object.hasOwn(value, 'weight_map') ? value.weight_map : undefined;
  } catch (cause) {
    throw cause instanceof InputError ? refuse(cause.message, cause) : cause;
  }
  if (!isPlainObject(map)) {
    const found = map === undefined ? 'there is none' : `it is ${show(map)}`;
    throw refuse(`${path}: expected an index with a "weight_map" from tensors to files, but ${found}`);
  }
  const files = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    if (typeof file !== 'string' || !isFileName(file)) {
      const what = `the name of a file in this folder, but received ${show(file)}`;
      throw refuse(`${path}: weight_map[${JSON.stringify(tensor)}]: expected ${what}`);
    }
    files.set(tensor, file);
  }
  if (files.size === 0) throw refuse(`${path}: expected tensors in "weight_map", but it is empty`);
  return files;
}

/** Whether a name stays in its folder, on any system. */
export function isFileName(name: string): boolean {
  // A colon is a drive letter's or, on NTFS, a stream's.
  return name !== '' && name !== '.' && name !== '..' && !/[/\\:\0]/.test(name);
}
