import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { errorCode, InputError, saysResumable } from '../../../core/errors.js';
import type { FileSet } from '../../virtual/layout.js';
import { VirtualCheckpoint } from '../../virtual/virtual.js';
import { makeFolder, removeNames, retried, step, syncFolder } from '../commit/files.js';
import { Heartbeat } from '../commit/heartbeat.js';
import {
  addToJournal,
  type Begin,
  baseToTell,
  Claim,
  createJournal,
  filesToTell,
  isOf,
  newRun,
  orderName,
  pendingName,
  readJournal,
  runOf,
  takenOver,
} from '../commit/journal.js';
import { checkSpace, type Left } from '../commit/space.js';
import { ownerOf, type Survey, survey } from '../commit/survey.js';
import type { Stretch } from '../outlet.js';
import { type RunOptions, writeStretches } from '../run.js';
import { type Laid, lastOf, type Work, type Written, writtenOf } from '../write.js';
import { writeOrder } from './order.js';
import { Lost, PartOutlet } from './part-outlet.js';
import { type FileExtent, missingOfAll, type Part, shareOf } from './shares.js';

export interface PartOptions extends RunOptions {
  readonly part: Part;
  /** Replaces a checkpoint that is there already, when the parts are finished. */
  readonly force?: boolean | undefined;
  readonly graceMs?: number | undefined;
  readonly onBegin?: ((work: Work) => Promise<void>) | undefined;
}

/** Orders that are replaced while a part is written are so many at most. */
const mostTurns = 5;

/**
 * Writes one part of a checkpoint, beside whoever writes the others, or the same one: what several processes write is the same. All
 * write under the names of one run, which the folder's journal tells, and mark what they have put on the disk. What is marked is not
 * written again. A checkpoint that is complete is left alone.
 *
 * @returns what the checkpoint is; `resumedBytes` is what of the part was there already
 */
export async function writePart(folder: string, laid: Laid, options: PartOptions): Promise<Written> {
  using _call = options.pool?.enter('writeCheckpoint');
  const made = await makeFolder(folder);
  const own = newRun();
  const left = new Set<string>();
  const syncAbove = async () => {
    for (const each of made.map(dirname)) await syncFolder(each);
  };
  let written: Written;
  try {
    written = await writeTurns(folder, laid, options, own, left);
  } catch (cause) {
    await cleanUp(folder, own, left).catch(() => {});
    await syncAbove().catch(() => {}); // whatever is wrong then, this is why
    if (saysResumable(cause)) cause.resumable = (await readJournal(folder).catch(() => 'broken')) !== undefined;
    throw cause;
  }
  await cleanUp(folder, own, left).catch(() => {});
  await syncAbove();
  return written;
}

/** writePart, once more where its order was lost. */
async function writeTurns(
  folder: string,
  laid: Laid,
  options: PartOptions,
  own: string,
  left: Set<string>,
): Promise<Written> {
  for (let turn = 1; ; turn++) {
    try {
      return await writeOnce(folder, laid, options, own);
    } catch (cause) {
      // The order that it was of may be finished by now, or another one may stand in its place.
      if (!(cause instanceof Lost)) throw cause;
      left.add(cause.run);
      if (turn === mostTurns) throw takenOver(folder);
    }
  }
}

async function writeOnce(folder: string, laid: Laid, options: PartOptions, own: string): Promise<Written> {
  const { set, keys } = laid;
  const share = shareOf(set, options.part);
  const { run, seen } = await joinOrder(folder, laid, share, options);
  const missing = missingOfAll(set, share, seen);
  const bytes = bytesOf(share);
  const doneBytes = bytes - bytesOf(missing);
  const written = { ...writtenOf(folder, laid), resumedBytes: doneBytes, complete: isComplete(set, seen) };
  if (missing.length === 0) return written;
  if (run === undefined) throw unfinished(folder);
  const path = lastOf(folder, set);
  const virtual = VirtualCheckpoint.of(set, keys);
  const files = set.files.map(({ name }) => virtual.file(name));
  const stretches = missing.map(({ file, begin, end }) => ({ file: files[file] as Stretch['file'], begin, end }));
  const numbers = new Map(set.files.map(({ name }, number) => [name, number]));
  const heartbeat = new Heartbeat(folder, own);
  await step('create a file in', folder, () => heartbeat.start());
  try {
    const names = missing.map(({ file }) => set.files[file]?.name ?? '');
    await checkSpace(folder, bytes - doneBytes, leftOf(set.digest, run, new Set(names), seen));
    await options.onBegin?.({ path, tensors: laid.tensors, files: share.length, bytes, doneBytes });
    await writeStretches(path, stretches, virtual, options, new PartOutlet(folder, set.digest, run, own, numbers));
  } finally {
    await heartbeat.stop();
  }
  await syncFolder(folder);
  return written;
}

/** What parts that ended early have put into files, and not marked: it is written over, in its place. */
function leftOf(digest: string, run: string, names: ReadonlySet<string>, { parts }: Survey): Left {
  const marked = [...names].flatMap((name) => parts.get(name) ?? []);
  return {
    names: [...names].map((name) => pendingName(digest, run, name)),
    counted: marked.reduce((sum, { begin, end }) => sum + end - begin, 0),
  };
}

const bytesOf = (extents: readonly FileExtent[]): number =>
  extents.reduce((sum, { begin, end }) => sum + end - begin, 0);

function unfinished(folder: string): InputError {
  const text = `${folder} holds what a run without parts has left: existing: 'resume' without a part finishes it, existing: 'replace' starts anew`;
  return new InputError(text, { path: folder, code: 'EEXIST' });
}

/**
 * The run whose names the parts in a folder have: that of the journal, or a new one where there is none. Undefined where nothing is to be
 * written, or where a run without parts has the folder.
 */
async function joinOrder(
  folder: string,
  laid: Laid,
  share: readonly FileExtent[],
  { force = false, part, graceMs, signal }: PartOptions,
): Promise<{ readonly run: string | undefined; readonly seen: Survey }> {
  const { set } = laid;
  // Another part may be quicker to begin, or finish just now what was being looked at.
  return retried(['EBUSY', 'ENOENT'], async () => {
    const before = ownerOf(await readJournal(folder));
    const besides = await survey(folder, set, 'resume', { besides: true }).catch((cause) => {
      if (force && errorCode(cause) === 'EEXIST') return undefined;
      throw cause;
    });
    if (besides?.journal?.parts) return { run: besides.journal.run, seen: besides };
    const begun = besides?.journal !== undefined;
    // What a run without parts has left is used by none, where one will begin anew. Who finishes parts has their order still, and all of them.
    const isFinishing =
      besides?.names.some((name) => name === orderName(set.digest, runOf(name))) &&
      missingOfAll(set, shareOf(set, { index: 0, count: 1 }), besides).length === 0;
    const anew = force && begun && !isFinishing;
    if (besides !== undefined && !anew && missingOfAll(set, share, besides).length === 0)
      return { run: undefined, seen: besides };
    if (besides !== undefined && begun && !force) return { run: undefined, seen: besides };
    const seen = begun || !besides ? await survey(folder, set, 'force', { graceMs, signal }) : besides;
    // That may have waited long, and another part has begun meanwhile: it is joined.
    if (seen.owner !== before) throw takenOver(folder);
    return { run: await beginOrder(folder, laid, seen, part.count), seen };
  });
}

/** Whether a folder holds all of a checkpoint under its own names, and nobody is at it. */
function isComplete({ files, index, config }: FileSet, seen: Survey): boolean {
  if (seen.journal !== undefined) return false;
  return seen.complete.size === files.length && (!index || seen.index) && (!config || seen.config);
}

async function beginOrder(folder: string, laid: Laid, seen: Survey, count: number): Promise<string> {
  const run = newRun();
  const { digest } = laid.set;
  const { replaces, stale, kept, remnants, owner } = seen;
  const made = { files: filesToTell(laid.set), kept, ...baseToTell(laid.set), remnants };
  const state = { replaces, stale: [...stale], ...made, committing: false, parts: true, process: null, progress: {} };
  await writeOrder(folder, run, laid, count);
  const claim = new Claim(folder, run);
  try {
    const begin: Begin = { run, ...(owner && { over: owner }), digest, ...state };
    await (owner === undefined ? createJournal : addToJournal)(folder, begin);
    if (!(await claim.holds())) throw takenOver(folder);
  } catch (cause) {
    // A journal that names an order must have it: where it cannot be told whether it does, the order stays.
    if (!(await claim.holds().catch(() => true))) await removeOf(folder, run).catch(() => {});
    throw cause;
  }
  return run;
}

/** @param left runs that have no order any more: a part that was late may have made a file anew under its name */
async function cleanUp(folder: string, own: string, left: ReadonlySet<string>): Promise<void> {
  await removeOf(folder, own);
  // Whoever finishes goes on with files of the order, and so may others as long as that is written down.
  if ((await readJournal(folder)) === undefined) for (const run of left) await removeOf(folder, run);
}

async function removeOf(folder: string, run: string): Promise<void> {
  const names = await readdir(folder);
  await removeNames(
    folder,
    names.filter((name) => isOf(run, name)),
  );
}
