import { viewOf } from '../core/dtype.js';
import { hasMemory, type StagedJob } from './job.js';
import { maxPieces, Records, slotDataBytes, slotHeadBytes } from './messages.js';
import { batchNanoseconds } from './split.js';

interface Part {
  readonly job: StagedJob;
  readonly begin: number;
  readonly count: number;
  readonly at: number;
}

/** Smaller tensors are not cut to make use of the rest of a slot. */
const leastCutBytes = 256 << 10;
const cacheLine = 64;

/** Memory of the pool's own in which a worker fills a batch of pieces, before they are copied to where they belong. */
export class Slot {
  readonly memory = new SharedArrayBuffer(slotHeadBytes + slotDataBytes);
  readonly parts: Part[] = [];
  deaths = 0;
  readonly #records = new Records(this.memory);
  #bytes = 0;
  #cost = 0;

  clear(): void {
    this.parts.length = 0;
    this.deaths = 0;
    this.#bytes = 0;
    this.#cost = 0;
  }

  /** Takes as much of a job as there is room for. Returns whether that was all of it: if not, the slot is full. */
  take(job: StagedJob): boolean {
    if (this.parts.length === maxPieces) return false;
    const rest = job.size - job.next;
    const room = Math.floor((slotDataBytes - this.#bytes) / job.bytesEach);
    const time = Math.ceil((batchNanoseconds - this.#cost) / job.costEach);
    let count = Math.min(rest, room, Math.max(time, 1));
    if (count < rest) {
      const cut = !job.whole && rest * job.bytesEach > leastCutBytes;
      if (!cut && this.parts.length > 0) return false;
      if (job.whole) count = rest;
      else count -= count % cacheLine; // into whole cache lines
      if (count <= 0) return false;
    }
    this.#add(job, count);
    return job.next === job.size;
  }

  #add(job: StagedJob, count: number): void {
    const { fill, tensor, begin } = job.order;
    const at = this.#bytes;
    this.#records.write(this.parts.length, fill, tensor.dtype, job.key, begin + job.next, count, at);
    this.parts.push({ job, begin: job.next, count, at });
    job.next += count;
    this.#bytes += Math.ceil((count * job.bytesEach) / cacheLine) * cacheLine;
    this.#cost += count * job.costEach;
  }

  /** Copies the pieces to their tensors, and settles those that are complete. */
  copyOut(): void {
    for (const { job, begin, count, at } of this.parts) {
      if (job.settled || !hasMemory(job)) continue;
      const { data, dtype } = job.order.tensor;
      data.set(viewOf(dtype, this.memory, slotHeadBytes + at, count), begin);
      job.copied += count;
      if (job.copied === job.size) job.settle();
    }
  }
}
