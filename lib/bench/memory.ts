import { freemem } from 'node:os';
import { bytes_of, type Trial } from './catalog.js';

/** The share of the free memory that a trial may take: beyond it machines begin to swap or to kill. */
export const memory_share = 0.7;

/** Why a trial does not fit into memory; undefined if it does. */
export function too_large(trial: Trial): string | undefined {
  const bytes = bytes_of(trial);
  const free = freemem();
  if (bytes <= memory_share * free) return undefined;
  const gib = (n: number) => `${(n / 2 ** 30).toFixed(1)} GiB`;
  return `needs ${gib(bytes)} where ${gib(free)} are free`;
}
