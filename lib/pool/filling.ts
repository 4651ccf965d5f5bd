import type { Target } from '../tensor/target.js';

/** Bytes of a buffer, from `begin` to before `end`. */
interface Range {
  readonly begin: number;
  readonly end: number;
}

/** A fill that has not settled, and the bytes that it writes. */
interface Filling extends Range {
  /** Starts one that waits; undefined once it has. */
  start: (() => void) | undefined;
}

interface OnBuffer {
  /** In the order of their calls. */
  readonly fillings: Set<Filling>;
  waiting: number;
  /** What they lie within: tensors that follow one another in a buffer are compared with nothing else. */
  begin: number;
  end: number;
}

/** Of all pools of this thread: any may be given what another one's `empty` made. */
const buffers = new Map<ArrayBufferLike, OnBuffer>();

/** Whether a tensor on this memory is being filled, by whatever pool. */
export function isFilling(buffer: ArrayBufferLike): boolean {
  return buffers.has(buffer);
}

/** Whether a tensor with some of these bytes is. */
export function isFillingAny({ buffer, byteOffset: begin, byteLength }: Target['data']): boolean {
  const on = buffers.get(buffer);
  return on !== undefined && meets(on, { begin, end: begin + byteLength });
}

/**
 * Calls `start` when no earlier fill writes to these bytes any more, at once if none does: a tensor that is filled twice, as a list of a model with tied
 * weights may have it, would have values of both otherwise.
 *
 * @returns to be called when it has settled, begun or not
 */
export function afterEarlier({ buffer, byteOffset: begin, byteLength }: Target['data'], start: () => void): () => void {
  const filling: Filling = { begin, end: begin + byteLength, start };
  const on = buffers.get(buffer) ?? { fillings: new Set(), waiting: 0, begin, end: begin };
  buffers.set(buffer, on);
  const waits = meets(on, filling);
  on.fillings.add(filling);
  on.begin = Math.min(on.begin, filling.begin);
  on.end = Math.max(on.end, filling.end);
  if (waits) on.waiting++;
  else begun(filling);
  return () => {
    on.fillings.delete(filling);
    if (filling.start !== undefined) on.waiting--;
    if (on.fillings.size === 0) buffers.delete(buffer);
    if (on.waiting === 0) return;
    for (const each of on.fillings) {
      if (each.start === undefined || !overlap(filling, each) || meets(on, each)) continue;
      on.waiting--;
      begun(each);
    }
  };
}

function begun(filling: Filling): void {
  const { start } = filling;
  filling.start = undefined;
  start?.();
}

/** Whether an earlier one writes to some of the same bytes. */
function meets(on: OnBuffer, range: Range): boolean {
  if (!overlap(on, range)) return false;
  for (const earlier of on.fillings) {
    if (earlier === range) return false;
    if (overlap(earlier, range)) return true;
  }
  return false;
}

const overlap = (a: Range, b: Range): boolean => a.begin < b.end && b.begin < a.end;
