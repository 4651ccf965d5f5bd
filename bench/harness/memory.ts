import { freemem } from 'node:os';
import { cgroupLimits } from '../../lib/core/cgroup.js';
import { bytesOf, type Trial } from './catalog.js';

/** The share of the free memory that a trial may take: beyond it machines begin to swap or to kill. */
export const memoryShare = 0.7;

/** Bytes that this process may still take, of the machine's and of its container's. */
export function freeMemory(): number {
  return Math.min(freemem(), cgroupLimits().memory ?? Number.POSITIVE_INFINITY);
}

/** What a trial cannot do without: the pool's tensors are shared, where no memset is, so that needs memory of its own. */
function bytesNeeded(trial: Trial): number {
  return bytesOf(trial) * (trial.executor === 'pool' && trial.memory === 'warm' ? 2 : 1);
}

/** Why a trial does not fit into memory; undefined if it does. */
export function tooLarge(trial: Trial, free = freeMemory()): string | undefined {
  const bytes = bytesNeeded(trial);
  if (bytes <= memoryShare * free) return undefined;
  const gib = (n: number) => `${(n / 2 ** 30).toFixed(1)} GiB`;
  return `needs ${gib(bytes)} where ${gib(free)} are free`;
}
