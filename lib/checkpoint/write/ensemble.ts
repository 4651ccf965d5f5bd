import type { Dirent } from 'node:fs';
import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checkOneOf, checkOptions, typeError } from '../../core/check.js';
import { errorCode, InputError, InterruptedError, saysResumable } from '../../core/errors.js';
import type { Plan } from '../../plan/plan.js';
import { settled } from '../../plan/resolved.js';
import { checkSeed } from '../../random/names.js';
import { checkProgressing, progressing } from '../progressing.js';
import type { FileSet } from '../virtual/layout.js';
import { VirtualCheckpoint } from '../virtual/virtual.js';
import { layOut, layoutOptions } from '../virtual/virtual-checkpoint.js';
import { ifThere, makeFolder, PendingFile, removeFolders, step, syncFolder } from './commit/files.js';
import { Heartbeat, isChanging } from './commit/heartbeat.js';
import { aliveName, isAlive, isLeftover, newRun, pendingName, runOf } from './commit/journal.js';
import { renamed } from './commit/rename.js';
import { checkFolder } from './folder.js';
import type { Outlet, Stretch } from './outlet.js';
import type { Part } from './parts/shares.js';
import { leastForWorkers, writeStretches } from './run.js';
import { isAddress } from './s3/address.js';
import { countsOf, type Laid, writeSet } from './write.js';
import { checkPart, checkThreads, existings, type WriteCheckpointOptions } from './write-checkpoint.js';

export interface WriteEnsembleOptions extends Omit<WriteCheckpointOptions, 'seed' | 'part' | 'onBegin'> {
  /** Integers in [-2^63, 2^64), each once; a negative one means itself + 2^64. */
  readonly seeds: readonly (number | bigint)[];
  /** Writes only the `index`-th of `count` shares of the seeds, for several processes. */
  readonly part?: Part | undefined;
}

/** What an ensemble is. */
export interface Ensemble {
  /** The folder that holds a folder for each seed. */
  readonly path: string;
  /** The seeds that this call wrote or found complete. */
  readonly seeds: readonly bigint[];
  /** Of all their files of tensors. */
  readonly bytes: number;
  /** Bytes of tensors that were there already. */
  readonly resumedBytes: number;
}

/** Members under way at a time, so that the disk syncs some while others are made. */
const together = 8;

/**
 * Writes a checkpoint for each of many seeds: `folder/seed-0`, `folder/seed-1`, … The plan is resolved once. Each folder appears under its name only when it is
 * complete and synced.
 *
 *     await writeEnsemble(await loadPlan('resnet18'), 'out', { seeds: [0, 1, 2] });
 *
 * @param plan what loadPlan gave
 * @param folder where to; made if need be
 * @param options.seeds integers in [-2^63, 2^64), each once
 * @param options.existing of each member: 'refuse' (default), 'replace' or 'resume'
 * @param options.part one of several shares of the seeds, each by a process of its own: `{ index, count }`
 * @param options.signal stops: the promise rejects with an InterruptedError; members that are complete stay, and 'resume' goes on
 * @param options.onProgress called after each member with the bytes of tensors that are done
 * @returns what was written, and where
 * @throws InputError if a folder holds a checkpoint already; WriteError with the system's `code`; InterruptedError
 */
export async function writeEnsemble(plan: Plan, folder: string, options: WriteEnsembleOptions): Promise<Ensemble> {
  const fn = 'writeEnsemble';
  checkFolder(fn, folder);
  if (isAddress(folder)) throw new InputError(`a checkpoint for each of many seeds needs a folder, not ${folder}`);
  const { seed: _, ...layoutNames } = Object.fromEntries(layoutOptions.map((name) => [name, name]));
  const known = [...Object.keys(layoutNames), ...progressing, 'seeds', 'existing', 'threads', 'part'];
  const given = checkOptions(fn, options, known) as Partial<Record<keyof WriteEnsembleOptions, unknown>>;
  const existing = checkOneOf(fn, 'existing', given.existing ?? 'refuse', existings);
  const threads = checkThreads(fn, given.threads);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const all = checkSeeds(fn, given.seeds);
  const part = given.part === undefined ? { index: 0, count: 1 } : checkPart(fn, given.part);
  using _call = pool?.enter(fn);
  const cut = (i: number): number => Math.floor((all.length * i) / part.count);
  const seeds = all.slice(cut(part.index), cut(part.index + 1));
  layOut(fn, plan, { ...given, seed: seeds[0] ?? 0n }); // what is wrong with the plan is said before anything is made
  const own = settled(plan);
  const laidFor = (seed: bigint): Laid => {
    const { tensors, ...laid } = layOut(fn, own, { ...given, seed });
    return { ...laid, ...countsOf(tensors) };
  };
  const how = { pool, entered: true, threads, signal, force: existing === 'replace', resume: existing === 'resume' };
  let [bytes, resumedBytes, dataBytes, next, complete] = [0, 0, 0, 0, 0];
  const write = async (root: Root) => {
    for (let seed = seeds[next++]; seed !== undefined && !root.failed; seed = seeds[next++]) {
      if (signal?.aborted) throw new InterruptedError(folder, signal.reason);
      const laid = laidFor(seed);
      const written = await root.write(`seed-${seed}`, laid, how);
      complete += 1;
      bytes += written.bytes;
      resumedBytes += written.resumedBytes;
      const each = laid.set.files.reduce((sum, file) => sum + file.dataBytes, 0);
      dataBytes += each;
      onProgress?.({ bytes: dataBytes, totalBytes: each * seeds.length });
    }
  };
  const made = await makeFolder(folder);
  try {
    const root = await Root.open(folder, signal);
    try {
      const workers = Array.from({ length: together }, () => write(root).catch((cause) => root.fail(cause)));
      await Promise.all(workers);
      root.throwIfFailed();
      for (const each of [folder, ...made.map(dirname)]) await syncFolder(each);
    } finally {
      await root.close();
    }
  } catch (cause) {
    await removeFolders(made); // as far as no member is there
    // Members that are complete stay, whatever became of the one that failed.
    if (complete > 0 && saysResumable(cause)) cause.resumable = true;
    throw cause;
  }
  return { path: folder, seeds, bytes, resumedBytes };
}

/** @internal */
export function checkSeeds(fn: string, given: unknown): bigint[] {
  if (!Array.isArray(given)) throw typeError(fn, 'seeds', 'an array of seeds', given);
  const seeds = Array.from(given, (seed) => checkSeed(fn, seed)); // a place that is empty is no seed
  if (new Set(seeds).size < seeds.length) throw typeError(fn, 'seeds', 'each seed once', given);
  return seeds;
}

/** How members are written. */
interface How extends Pick<WriteEnsembleOptions, 'pool' | 'threads' | 'signal'> {
  readonly entered: boolean;
  readonly force: boolean;
  readonly resume: boolean;
}

/** The folder of an ensemble, while it is written to. */
class Root {
  readonly #folder: string;
  readonly #run = newRun();
  readonly #heartbeat: Heartbeat;
  #failure: { readonly cause: unknown } | undefined;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#heartbeat = new Heartbeat(folder, this.#run);
  }

  /** Removes what such runs have left that were killed: folders. Files are of a checkpoint in the folder itself, which may be gone on with. */
  static async open(folder: string, signal: AbortSignal | undefined): Promise<Root> {
    const entries = await step('look at', folder, () => readdir(folder, { withFileTypes: true }));
    const leftovers = entries.filter(({ name }) => isLeftover(name));
    const ofOthers = new Set(leftovers.filter((each) => !isOfMembers(each)).map(({ name }) => runOf(name)));
    const names = leftovers.map(({ name }) => name).filter((name) => !ofOthers.has(runOf(name)));
    await Promise.all(
      [...new Set(names.map(runOf))].map(async (run) => {
        if (await isChanging(join(folder, aliveName(run)), undefined, signal)) return;
        for (const name of names.filter((each) => runOf(each) === run)) await removeAll(join(folder, name));
      }),
    );
    const root = new Root(folder);
    await step('create a file in', folder, () => root.#heartbeat.start());
    return root;
  }

  /**
   * Writes a member. One that is small and new is written under a hidden name as a whole folder, which then gets its own: that takes a fifth of the calls
   * that a folder takes in which something may be, or to which a run can go back that was killed in its midst.
   */
  async write(name: string, laid: Laid, how: How): Promise<{ readonly bytes: number; readonly resumedBytes: number }> {
    const path = join(this.#folder, name);
    const bytes = laid.set.files.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
    const isNew = (await step('look at', path, () => ifThere(stat(path)))) === undefined;
    if (!isNew || bytes >= leastForWorkers) return writeSet(path, laid, how);
    const hidden = join(this.#folder, pendingName(laid.set.digest, this.#run, name));
    try {
      await writeHidden(hidden, laid, how);
      await step('rename a folder to', path, () => renamed(hidden, path));
    } catch (cause) {
      await removeAll(hidden).catch(() => {});
      // Another run was quicker: what it wrote is looked at as anything that is there.
      if (['ENOTEMPTY', 'EEXIST'].includes(errorCode(cause) ?? '')) return writeSet(path, laid, how);
      throw cause;
    }
    return { bytes, resumedBytes: 0 };
  }

  get failed(): boolean {
    return this.#failure !== undefined;
  }

  /** Others under way end; the first failure is the reason that is told. */
  fail(cause: unknown): void {
    if (cause instanceof InterruptedError) cause.resumable = true;
    this.#failure ??= { cause };
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.cause;
  }

  async close(): Promise<void> {
    await this.#heartbeat.stop();
  }
}

/** Whether a leftover may be that of a run that writes members: a hidden folder, or its sign of life. */
const isOfMembers = (entry: Dirent): boolean => entry.isDirectory() || isAlive(entry.name);

/** All files of a checkpoint, synced, in a new folder. */
async function writeHidden(folder: string, { set, keys }: Laid, how: How): Promise<void> {
  await step('create the folder', folder, () => mkdir(folder));
  const virtual = VirtualCheckpoint.of(set, keys);
  const documents = [set.config, set.index].filter((each) => each !== undefined);
  const names = [...(set.files as FileSet['files']), ...documents].map(({ name }) => name);
  const stretches = names.map((name) => virtual.file(name)).map((file) => ({ file, begin: 0, end: file.size }));
  await writeStretches(folder, stretches, virtual, how, new HiddenOutlet(folder));
  await syncFolder(folder);
}

/** Files in a folder that nobody knows yet. */
class HiddenOutlet implements Outlet {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  open({ file: { name } }: Stretch): Promise<PendingFile> {
    const path = join(this.#folder, name);
    return PendingFile.create(path, path);
  }

  async record(): Promise<void> {}

  finish(_stretch: Stretch, pending: PendingFile): Promise<void> {
    return pending.finish();
  }
}

async function removeAll(path: string): Promise<void> {
  await step('remove', path, () => rm(path, { recursive: true, force: true }));
}
