import { rangeError, typeError } from './check.js';

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  tb: 1e12,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
};

/**
 * Bytes, from '5GB' (5·10^9, as the Hub's libraries count), '500MB', '1.5GiB' (of 2^30), '1048576'. Case does not matter. Undefined for any
 * other text.
 */
export function bytesOfText(text: string): number | undefined {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([kmgt]?i?b)?$/i.exec(text.trim()) ?? [];
  const bytes = number === '' ? 0 : Math.floor(Number(number) * (units[unit.toLowerCase()] ?? 0));
  return Number.isSafeInteger(bytes) && bytes > 0 ? bytes : undefined;
}

/** A size that a caller gives: a whole number of bytes > 0, or text such as '5GB'. */
export function checkSize(fn: string, argument: string, value: unknown): number {
  const what = "a whole number of bytes > 0, or text such as '5GB'";
  if (typeof value !== 'number' && typeof value !== 'string') throw typeError(fn, argument, what, value);
  const bytes = typeof value === 'string' ? bytesOfText(value) : value;
  if (bytes !== undefined && Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw rangeError(fn, argument, what, value);
}
