import { writeEnsemble } from '../checkpoint/write/ensemble.js';
import type { Part } from '../checkpoint/write/parts/shares.js';
import { writePart } from '../checkpoint/write/parts/write-part.js';
import { leastForWorkers } from '../checkpoint/write/run.js';
import { poolForCall } from '../checkpoint/write/workers.js';
import { incomplete, type Written, writeSet, writtenOf } from '../checkpoint/write/write.js';
import { errorCode } from '../core/errors.js';
import { get_num_threads } from '../native/addon.js';
import type { Pool } from '../pool/pool.js';
import type { LaidOrder } from './order-data.js';

/** How parts of orders are done. Each may be done twice, by whomever, and at once. */
export interface Performer {
  /** How many bytes of the part were there already. */
  part(
    order: LaidOrder,
    output: string,
    part: Part,
    signal: AbortSignal,
    onProgress: (bytes: number) => void,
  ): Promise<number>;
  /** `resumedBytes` is all, since nothing is written any more: the parts know what was there before them. */
  finish(order: LaidOrder, output: string, signal: AbortSignal): Promise<Written>;
  close(): Promise<void>;
}

/** Why an order of which all parts were done cannot be finished. */
const undone = ', though all parts were written: something else has been begun there since, or files were removed';

/** Into a folder, by a pool that is made when the first part is worth it. */
export function onFolder(threads: number | undefined): Performer {
  let made: Pool | undefined;
  const poolFor = (bytes: number): Pool | undefined => {
    if (bytes >= leastForWorkers) made ??= poolForCall(threads ?? get_num_threads());
    return bytes >= leastForWorkers ? made : undefined;
  };
  return {
    async part({ ordered, laid, bytes }, output, part, signal, onProgress) {
      const { plan, layout, seeds, isEnsemble, replaces } = ordered;
      // Threads share what is large: a small member is sooner written by this one than handed to another.
      const pool = poolFor(bytes / (isEnsemble ? seeds.length : part.count));
      if (!isEnsemble) {
        const done = await writePart(output, laid, { part, pool, threads, signal, onProgress, force: replaces });
        return done.resumedBytes;
      }
      const all = seeds.map(BigInt);
      const existing = replaces ? 'replace' : 'resume'; // a part that is done again finds what it has done
      const progress = { onProgress: (done: { readonly bytes: number }) => onProgress(done.bytes) };
      const given = { ...layout, seeds: all, part, existing, pool, threads, signal, ...progress } as const;
      return (await writeEnsemble(plan, output, given)).resumedBytes;
    },
    async finish({ ordered, laid, bytes }, output, signal) {
      const { seeds, isEnsemble } = ordered;
      if (!isEnsemble) {
        return writeSet(output, laid, { resume: true, finishes: true, signal }).catch((cause: unknown) => {
          throw errorCode(cause) === 'ERR_NNINIT_INCOMPLETE' ? incomplete(output, undone) : cause;
        });
      }
      const { files, ...written } = writtenOf(output, laid);
      const each = laid.set.files.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
      return { ...written, path: output, files: files * seeds.length, bytes, resumedBytes: each * seeds.length };
    },
    close: async () => made?.close(),
  };
}
