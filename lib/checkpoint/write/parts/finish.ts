import { readdir } from 'node:fs/promises';
import { checkOptions } from '../../../core/check.js';
import { errorCode, InputError, saysResumable } from '../../../core/errors.js';
import { checkProgressing } from '../../progressing.js';
import { retried } from '../commit/files.js';
import { readJournal } from '../commit/journal.js';
import { checkFolder } from '../folder.js';
import { incomplete, type Written, writeSet } from '../write.js';
import type { Order } from './order.js';

export interface FinishOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Makes a checkpoint of parts: sees that every byte is there, syncs, gives the files their names, and last what tells that all is there. What
 * the checkpoint is stands in the folder; neither the plan nor its input is needed.
 *
 *     await Promise.all(machines.map((_, index) => writeCheckpoint(plan, 'out', { part: { index, count: machines.length } })));
 *     await finishCheckpoint('out');
 *
 * @param folder where the parts are
 * @param options.signal stops: the promise rejects with an InterruptedError, and finishing may be tried again
 * @returns what was written, and where
 * @throws InputError: ERR_NNINIT_INCOMPLETE where parts are missing, which it names; ERR_NNINIT_NO_PARTS where there are none, or they are
 *   finished; EBUSY while another process finishes them. WriteError with the system's `code`
 */
export async function finishCheckpoint(folder: string, options?: FinishOptions): Promise<Written> {
  const fn = 'finishCheckpoint';
  checkFolder(fn, folder);
  const { signal } = checkProgressing(fn, checkOptions(fn, options, ['signal']));
  try {
    return await retried(['ENOENT', 'EEXIST'], () => finishOnce(folder, signal)); // others may finish the same
  } catch (cause) {
    // The parts stay, and so does what was finished of them.
    if (saysResumable(cause)) cause.resumable = true;
    throw cause;
  }
}

async function finishOnce(folder: string, signal: AbortSignal | undefined): Promise<Written> {
  const { laidByOrder, missingParts, readOrders } = await import('./order.js'); // with zod, which takes a while
  let order: Order | undefined;
  try {
    for await (const each of readOrders(folder)) {
      order ??= each;
      const laid = await laidByOrder(folder, each);
      if (laid === undefined) continue;
      order = each;
      return await writeSet(folder, laid, { resume: true, finishes: true, signal });
    }
    if (order !== undefined) throw incomplete(folder);
    throw new InputError(`${folder} holds no parts of a checkpoint`, { path: folder, code: 'ERR_NNINIT_NO_PARTS' });
  } catch (cause) {
    if (order === undefined || errorCode(cause) !== 'ERR_NNINIT_INCOMPLETE') throw cause;
    const parts = missingParts(order, await readdir(folder), await readJournal(folder));
    const [are, more] = [parts.slice(0, 10).join(', '), parts.length > 10 ? ` and ${parts.length - 10} more` : ''];
    const what =
      parts.length === 1
        ? `part ${are} of ${order.count} is missing`
        : `parts ${are}${more} of ${order.count} are missing`;
    throw parts.length === 0 ? cause : incomplete(folder, `: ${what}`);
  }
}

/** finishCheckpoint, if all is there and nobody else is at it; undefined otherwise. */
export async function finishIfThere(folder: string, options: FinishOptions): Promise<Written | undefined> {
  try {
    return await finishCheckpoint(folder, options);
  } catch (cause) {
    const code = errorCode(cause) ?? '';
    if (cause instanceof InputError && ['ERR_NNINIT_INCOMPLETE', 'ERR_NNINIT_NO_PARTS', 'EBUSY'].includes(code)) {
      return undefined;
    }
    throw cause;
  }
}
