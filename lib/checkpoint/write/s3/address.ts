import { InputError } from '../../../core/errors.js';

/** Where a checkpoint is in an object store: objects have `prefix` and the names of files. */
export interface Address {
  readonly bucket: string;
  /** Empty, or with a slash at the end. */
  readonly prefix: string;
}

export const isAddress = (folder: string): boolean => folder.startsWith('s3://');

/** @throws InputError */
export function addressOf(text: string): Address {
  const [, bucket = '', path = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/s.exec(text) ?? [];
  const parts = path.replace(/\/+$/, '').split('/');
  const isWrong = bucket === '' || (path !== '' && parts.some((part) => ['', '.', '..'].includes(part)));
  if (isWrong) throw new InputError(`expected s3://bucket/prefix, but received ${JSON.stringify(text)}`);
  return { bucket, prefix: path === '' ? '' : `${parts.join('/')}/` };
}
