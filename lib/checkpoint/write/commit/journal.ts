import { randomUUID } from 'node:crypto';
import { lstat, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode, InputError } from '../../../core/errors.js';
import { journalName } from '../../../formats/journal-name.js';
import type { FileSet } from '../../virtual/layout.js';
import { appendSynced, ifThere, PendingFile, step, textOf } from './files.js';
import type { ProcessId } from './process.js';

/**
 * What a run writes down so that a later one can go on.
 *
 * The file is a log, a line of JSON for each thing said, and is never replaced: a run that was paused can add to it whatever it likes, and
 * takes the folder from nobody. A run begins with a line that has all of this, and names the run whose folder it takes over; that counts
 * only if the folder is that one's still. So of two that take over at once the first one has it, and knows all that was written down
 * before. What only another run, or none, could have meant to say is passed over, and so is a line that a crash has cut off.
 */
export interface Journal {
  /** Names the run that has the folder: whoever finds another one's name here has lost it. */
  readonly run: string;
  /** The digest of the files that are being written. */
  readonly digest: string;
  /** Whether what was there before may be replaced. */
  readonly replaces: boolean;
  /** Whether all files were complete, and were being given their names. */
  readonly committing: boolean;
  /** Files of another checkpoint that are to be removed: once its manifest is gone nothing else tells them. */
  readonly stale: readonly string[];
  /** Files that the run makes, where their names do not tell whose they are: before their manifest is there, nothing else does. */
  readonly files: readonly string[];
  /** Of these, what was there before and was nobody's of ours: it stays until it is replaced. */
  readonly kept?: readonly string[] | undefined;
  /** What the names of the files begin with that the run makes, where these tell whose they are. */
  readonly base?: string | undefined;
  /** The same of unfinished checkpoints that runs before have left. */
  readonly remnants?: readonly string[] | undefined;
  /** Whether several processes write parts, each for itself, under the name of the run; see ../parts/. Nobody has the folder alone then. */
  readonly parts: boolean;
  /** Who writes; null once they have given up in good order. */
  readonly process: ProcessId | null;
  /** For files that are not complete: their names until then, and so many bytes of their tensors, without a gap, that are on the disk. */
  readonly progress: Readonly<Record<string, { readonly file: string; readonly bytes: number }>>;
}

/** Those of a checkpoint. */
export const filesToTell = ({ selfDescribing, files }: FileSet): string[] =>
  selfDescribing ? [] : files.map(({ name }) => name);

/** What the names of its files begin with, where they tell whose they are. */
export const baseToTell = ({ selfDescribing, base }: FileSet): { readonly base?: string } =>
  selfDescribing ? { base } : {};

export { journalName };

/** A new name for a run: no other process, on whatever host, has it. */
export const newRun = (): string => randomUUID().slice(0, 8);

const prefix = (digest: string, run: string): string => `.nninit-${digest.slice(0, 12)}-${run}-`;

/** The name of a file until it is complete: the digest keeps those of different checkpoints apart, the run those of two that write at once. */
export const pendingName = (digest: string, run: string, name: string): string => `${prefix(digest, run)}${name}.tmp`;

/** The name of a complete file until all others are complete too. */
export const heldName = (digest: string, run: string, name: string): string => `${prefix(digest, run)}${name}.done`;

/** What a run writes now and then while it lives; see heartbeat.ts. */
export const aliveName = (run: string): string => `.nninit-alive-${run}`;

/** What a journal is called until it has its name; gone then, as far as the system lets it be removed. */
export const temporaryJournalName = (run: string): string => `${journalName}.${run}.tmp`;

/** Says that bytes [begin, end) of a file, which is the one numbered so in the checkpoint, are on the disk under its pending name. */
export const markName = (digest: string, run: string, file: number, begin: number, end: number): string =>
  `${prefix(digest, run)}${file}-${begin}-${end}.part`;

/** What those who write parts of a checkpoint have to know to finish it; see ../parts/order.ts. */
export const orderName = (digest: string, run: string): string => `${prefix(digest, run)}order.part`;

/** Bytes [begin, end) of a file. */
export interface Extent {
  readonly begin: number;
  readonly end: number;
}

/** What the marks of a run say is on the disk: for the number of each file, extents in any order. */
export function marksOf(names: readonly string[], digest: string, run: string): ReadonlyMap<number, Extent[]> {
  const found = new Map<number, Extent[]>();
  for (const name of names) {
    const [, file, begin, end] = /-(\d+)-(\d+)-(\d+)\.part$/.exec(name) ?? [];
    if (name !== markName(digest, run, Number(file), Number(begin), Number(end))) continue;
    const known = found.get(Number(file));
    const extent = { begin: Number(begin), end: Number(end) };
    if (known === undefined) found.set(Number(file), [extent]);
    else known.push(extent);
  }
  return found;
}

/** Extents in order, those that touch in one. */
export function joined(extents: readonly Extent[]): Extent[] {
  const apart: Extent[] = [];
  for (const { begin, end } of [...extents].sort((a, b) => a.begin - b.begin)) {
    const last = apart.at(-1);
    if (last === undefined || begin > last.end) apart.push({ begin, end });
    else apart[apart.length - 1] = { begin: last.begin, end: Math.max(last.end, end) };
  }
  return apart;
}

const leftover = /^\.nninit-(?:[0-9a-f]{12}-([0-9a-f]{8})-(.+)\.(?:tmp|done|part)|alive-([0-9a-f]{8}))$/;

/** Whether a name is that of what shows that some run lives. */
export const isAlive = (name: string): boolean => leftover.exec(name)?.[3] !== undefined;

/** The run that made a file, by its name. */
export function runOf(name: string): string {
  const [, ofFile, , ofBeat] = leftover.exec(name) ?? [];
  return ofFile ?? ofBeat ?? '';
}

/** Whether a name is that of an order of parts: kept until the checkpoint is complete, since it may be finished by that alone. */
export const isOrder = (name: string): boolean => name.endsWith('-order.part') && isLeftover(name);

/** Whether a name is that of a complete file that waits for the others. */
export const isHeld = (name: string): boolean => name.endsWith('.done') && isLeftover(name);

/** What a run that was killed may have left behind, besides its journal. */
export function isLeftover(name: string): boolean {
  return (name.startsWith(`${journalName}.`) && name.endsWith('.tmp')) || leftover.test(name);
}

/** Whether a name is that of a file which this run made. */
export function isOf(run: string, name: string): boolean {
  return runOf(name) === run || name === temporaryJournalName(run);
}

/** For each file, the names of complete ones that wait for the others, of whatever run. */
export function heldNames(names: readonly string[], digest: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const each of names) {
    const [, run, name] = leftover.exec(each) ?? [];
    if (run !== undefined && name !== undefined && each === heldName(digest, run, name)) found.set(name, each);
  }
  return found;
}

/** How a run begins in a folder that another one had. */
export interface Begin extends Journal {
  readonly over?: string | undefined;
}

/** What a run that has a folder says of it later. */
export type Change = Pick<Journal, 'run'> & Partial<Pick<Journal, 'committing' | 'process' | 'progress'>>;

/** The journal in a folder; 'broken' if nobody's can be read in it, undefined if there is none. */
export async function readJournal(folder: string): Promise<Journal | 'broken' | undefined> {
  const path = join(folder, journalName);
  const there = await step('look at', path, () => ifThere(lstat(path)));
  if (there === undefined) return undefined;
  if (!there.isFile()) {
    throw new InputError(`${path} is no file: remove it first`, { path, code: 'EEXIST' });
  }
  const text = (await step('read', path, () => ifThere(textOf(path)))) ?? '';
  const { parseEntry } = await import('./journal-schema.js'); // with zod, which takes a while
  let journal: Journal | undefined;
  for (const line of linesOf(text)) {
    if (!line.startsWith('{"run":')) continue;
    const entry = parseEntry(line);
    if (entry === undefined) continue;
    if ('digest' in entry) {
      const { over, ...begun } = entry;
      if (over === journal?.run) journal = begun;
    } else if (journal !== undefined && entry.run === journal.run) {
      journal = { ...journal, ...entry };
    }
  }
  return journal ?? 'broken';
}

/** Not split: whatever has taken a journal's place may have very many. */
function* linesOf(text: string): Iterable<string> {
  for (let begin = 0; begin <= text.length; ) {
    const end = text.indexOf('\n', begin);
    yield text.slice(begin, end < 0 ? undefined : end);
    begin = end < 0 ? text.length + 1 : end + 1;
  }
}

/** Writes a journal where there is none, in one step; of two that try at once, one is refused. */
export async function createJournal(folder: string, journal: Journal): Promise<void> {
  const temporary = join(folder, temporaryJournalName(journal.run));
  const file = await PendingFile.create(join(folder, journalName), temporary);
  try {
    await file.write(lineOf(journal), 0);
    await file.finish();
    await file.publishNew();
  } catch (cause) {
    await file.discard();
    // The other one may have taken the temporary file for a leftover, and removed it.
    const removed = errorCode(cause) === 'ENOENT' && (await readJournal(folder)) !== undefined;
    if (errorCode(cause) !== 'EEXIST' && !removed) throw cause;
    throw new InputError(`another process has just begun to write to ${folder}`, {
      path: folder,
      code: 'EBUSY',
      cause,
    });
  }
}

/** Adds to the journal that is there; it is an error (EBUSY) if there is none any more. Whether it counts, its readers say. */
export async function addToJournal(folder: string, entry: Begin | Change): Promise<void> {
  try {
    await appendSynced(join(folder, journalName), lineOf(entry));
  } catch (cause) {
    throw errorCode(cause) === 'ENOENT' ? takenOver(folder, cause) : cause;
  }
}

/** A line of its own, also after one that was cut off. */
const lineOf = (entry: Begin | Change): Buffer => Buffer.from(`\n${JSON.stringify(entry)}\n`);

/** Whether a journal that was read is that of a run. */
export function isJournalOf(run: string, journal: Journal | 'broken' | undefined): boolean {
  return journal !== undefined && journal !== 'broken' && journal.run === run;
}

/** Whether a folder is a run's. Its journal is read again only after something was added to it. */
export class Claim {
  readonly #folder: string;
  readonly #run: string;
  #known: string | undefined;

  constructor(folder: string, run: string) {
    this.#folder = folder;
    this.#run = run;
  }

  /** Rejects if that cannot be told. */
  async holds(): Promise<boolean> {
    const path = join(this.#folder, journalName);
    const there = await step('look at', path, () => ifThere(stat(path, { bigint: true })));
    if (there === undefined) return false;
    const { dev, ino, size, mtimeNs, ctimeNs } = there;
    const now = [dev, ino, size, mtimeNs, ctimeNs].join();
    if (now === this.#known) return true;
    const holds = isJournalOf(this.#run, await readJournal(this.#folder));
    this.#known = holds ? now : undefined;
    return holds;
  }
}

/** The error for a run that was taken for gone, as it may have been paused. */
export function takenOver(folder: string, cause?: unknown): InputError {
  const text = `another process has taken ${folder} over`;
  return new InputError(text, { path: folder, code: 'EBUSY', cause });
}
