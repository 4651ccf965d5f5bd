import { freemem } from 'node:os';
import { bytes_of, type Trial } from './catalog.js';
import { cgroup_limits } from './cgroup.js';

/** The share of the free memory that a trial may take: beyond it machines begin to swap or to kill. */
export const memory_share = 0.7;

/** Bytes that this process may still take, of the machine's and of its container's. */
export function free_memory(): number {
  return Math.min(freemem(), cgroup_limits().memory ?? Number.POSITIVE_INFINITY);
}

/** What a trial cannot do without: the pool's tensors are shared, where no memset is, so that needs memory of its own. */
function bytes_needed(trial: Trial): number {
  return bytes_of(trial) * (trial.executor === 'pool' && trial.memory === 'warm' ? 2 : 1);
}

/** Why a trial does not fit into memory; undefined if it does. */
export function too_large(trial: Trial, free = free_memory()): string | undefined {
  const bytes = bytes_needed(trial);
  if (bytes <= memory_share * free) return undefined;
  const gib = (n: number) => `${(n / 2 ** 30).toFixed(1)} GiB`;
  return `needs ${gib(bytes)} where ${gib(free)} are free`;
}
