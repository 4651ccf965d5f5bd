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
  const usual = usualIndex(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'), path);
  if (usual !== undefined) return usual;
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

/** A tensor and its file, in ASCII and without escapes. */
const pair = /\s*"([ !#-[\]-~]*)"\s*:\s*"([ !#-[\]-~]*)"\s*([,}])/y;

/**
 * The index of a text as libraries write it, without an object of half a million keys, which takes V8 seconds; undefined for any other text, of which all must be
 * looked at.
 *
 * @param text byte for byte
 */
function usualIndex(text: string, path: string): ReadonlyMap<string, string> | undefined {
  const opened = /"weight_map"\s*:\s*\{/.exec(text);
  if (opened === null) return undefined;
  const begin = opened.index + opened[0].length;
  const files = new Map<string, string>();
  let last: string | undefined;
  pair.lastIndex = begin;
  for (let more = true; more; ) {
    const found = pair.exec(text);
    if (found === null) return undefined;
    const [, tensor = '', file = '', end] = found;
    if (file !== last) {
      if (!isFileName(file)) return undefined;
      last = file;
    }
    files.set(tensor, last); // one string for all that are in it
    more = end === ',';
    if (!more) pair.lastIndex = found.index + found[0].length;
  }
  // What stands around is JSON, in which this object is what counts.
  const mark = '\0';
  const around = `${text.slice(0, begin - 1)}${JSON.stringify(mark)}${text.slice(pair.lastIndex)}`;
  try {
    const { value } = readJson(Buffer.from(around, 'latin1'), path);
    return isPlainObject(value) && value.weight_map === mark ? files : undefined;
  } catch {
    return undefined; // to be told of with its place
  }
}

/** Whether a name stays in its folder, on any system. */
export function isFileName(name: string): boolean {
  // A colon is a drive letter's or, on NTFS, a stream's. Half a surrogate pair would become another character, or is no part of an address.
  return name !== '' && name !== '.' && name !== '..' && !/[/\\:\0]|\p{Surrogate}/u.test(name);
}
