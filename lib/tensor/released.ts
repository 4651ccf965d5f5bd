import { rangeError } from '../core/check.js';
import type { Target } from './target.js';

/** Arrays whose memory a pool has taken back: it may be another tensor's. */
const released = new WeakSet<object>();
/** Most programs release nothing: their fills do not look. */
let isAny = false;

/** Marks the array of a tensor that is released. */
export function markReleased(data: Target['data']): void {
  released.add(data);
  isAny = true;
}

export const isReleased = (data: Target['data']): boolean => released.has(data);

/** Refuses a tensor that was released. */
export function checkUnreleased(fn: string, data: Target['data']): void {
  if (isAny && isReleased(data)) {
    throw rangeError(fn, 'data', 'memory that is still there', data, 'the tensor was released');
  }
}
