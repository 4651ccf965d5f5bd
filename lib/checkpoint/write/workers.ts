import { readFileSync } from 'node:fs';
import { errorCode } from '../../core/errors.js';
import { isWhole } from '../../core/fill.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { createPool, type Pool } from '../../pool/pool.js';

/** More threads write no faster to any disk, and each takes some 10 MB. */
const mostWorkers = 8;
/** Making one that is larger takes so long in one piece that this thread would hear of no signal meanwhile. */
const largestWhole = 2 ** 21;

/** Whether a tensor is made in one piece, and that takes long. */
export const takesLong = ({ fill, bytes }: Pick<ResolvedTensor, 'fill' | 'bytes'>): boolean =>
  isWhole(fill) && bytes > largestWhole;

/** A pool for one call; undefined where the system gives no threads (ulimit -u, a container's limit) or no memory for one (ulimit -v). */
export function poolForCall(threads: number): Pool | undefined {
  const most = Math.min(threads, mostWorkers, Math.floor(freeAddresses() / addressesForWorker));
  if (most < 1) return undefined;
  try {
    return createPool({ threads: most });
  } catch (cause) {
    if (errorCode(cause) === 'ERR_WORKER_INIT_FAILED') return undefined;
    throw cause;
  }
}

/** Node reserves as much for a worker, though it uses little of it; where it cannot, the process aborts. */
const addressesForWorker = 2 ** 30;

/** Bytes of addresses that `ulimit -v` leaves. */
function freeAddresses(): number {
  try {
    const [, limit] = /^Max address space +(\d+) /m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    const [, size] = /^VmSize:\s+(\d+) kB/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
    if (limit !== undefined && size !== undefined) return Math.max(0, Number(limit) - Number(size) * 1024);
  } catch {
    // not Linux
  }
  return Number.POSITIVE_INFINITY;
}
