import { show, typeError } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { isAddress } from './s3/address.js';

/** Addresses that inputs may have, and others that look like one: `hf:org/name`, `file:///out`, `https://host/out`. */
const otherAddress = /^(?:(?:hf|file|https?|s3):|[a-z][a-z0-9+.-]+:\/\/)/i;

/**
 * Where a checkpoint is to be written.
 *
 * @throws InputError for an address that nothing is written to: a folder `https:` is not what it asks for
 */
export function checkFolder(fn: string, folder: unknown): string {
  if (typeof folder !== 'string' || folder === '') throw typeError(fn, 'folder', "a folder's name", folder);
  // The system's calls would replace half a surrogate pair, and two names could become one.
  if (/\p{Surrogate}/u.test(folder)) throw typeError(fn, 'folder', 'a name in well-formed Unicode', folder);
  if (folder.includes('\0')) throw typeError(fn, 'folder', 'a name without null characters', folder);
  if (isAddress(folder) || !otherAddress.test(folder)) return folder;
  const why = 'another address; a folder of such a name is ./ and the name';
  throw new InputError(`expected a folder to write to, or s3://bucket/prefix, but received ${show(folder)} (${why})`);
}
