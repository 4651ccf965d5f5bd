import { constants, fsync } from 'node:fs';
import { type FileHandle, link, mkdir, open, readFile, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { errorCode, InputError, WriteError } from '../../../core/errors.js';
import { linkToNowhere } from '../../../core/links.js';
import { syncDescriptor } from '../../../native/addon.js';
import { renamed } from './rename.js';

/**
 * By the descriptor: the handles of Yarn's Plug'n'Play cannot sync. Under the permission model Node.js syncs nothing, or handles alone, which differs from
 * version to version: the addon does it there.
 */
const syncFile = ({ fd }: FileHandle): Promise<void> =>
  (process as { permission?: unknown }).permission === undefined ? promisify(fsync)(fd) : syncDescriptor(fd);

/** Which file it is, whatever its name. */
interface Identity {
  readonly dev: bigint;
  readonly ino: bigint;
}

/** A sync may take long, and the system's calls have four threads in all: two are left for everything else, the heartbeat above all. */
const mostSyncs = 2;
const syncs: Promise<void>[] = Array.from({ length: mostSyncs }, () => Promise.resolve());
let nextSync = 0;

async function inTurn(sync: () => Promise<void>): Promise<void> {
  const turn = nextSync++ % mostSyncs;
  const mine = (syncs[turn] as Promise<void>).then(sync);
  syncs[turn] = mine.catch(() => {});
  await mine;
}

/** Runs a step of the work on files, and says which one failed on which path. */
export async function step<T>(action: string, path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw cause instanceof WriteError ? cause : new WriteError(action, path, cause);
  }
}

/**
 * A file that gets its name only when it is complete and on the disk: written under a temporary one in the same folder, synced,
 * closed, renamed. `discard` removes what is not renamed yet.
 */
export class PendingFile {
  readonly path: string;
  readonly #temporary: string;
  #handle: FileHandle | undefined;
  #identity: Identity | undefined;

  private constructor(path: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  /**
   * @param path the name it is to have
   * @param temporary the name it has until then
   * @param options.replace whether a file that has the temporary name may be overwritten; else it is an error
   */
  static async create(path: string, temporary: string, { replace = false } = {}): Promise<PendingFile> {
    // 'wx' is O_CREAT | O_EXCL: never someone else's file, never through a link.
    if (replace) await step('remove', temporary, () => removed(temporary));
    const handle = await step('create', temporary, () => open(temporary, 'wx', 0o666));
    return new PendingFile(path, temporary, handle);
  }

  /** Goes on with a temporary file that is there. */
  static async reopen(path: string, temporary: string): Promise<PendingFile> {
    return new PendingFile(path, temporary, await step('open', temporary, () => open(temporary, 'r+')));
  }

  /** A temporary file that others write to as well; undefined if it is not there. */
  static async share(path: string, temporary: string): Promise<PendingFile | undefined> {
    const flags = constants.O_RDWR | (constants.O_NOFOLLOW ?? 0); // never through a link
    const handle = await step('open', temporary, () => ifThere(open(temporary, flags)));
    return handle && new PendingFile(path, temporary, handle);
  }

  /** Makes an empty file, or leaves the one that is there. */
  static async touch(path: string): Promise<void> {
    await step('create', path, async () => (await open(path, 'a')).close());
  }

  /** Whether the file has its temporary name still. */
  async isInPlace(): Promise<boolean> {
    const there = await step('look at', this.#temporary, () => ifThere(stat(this.#temporary, { bigint: true })));
    const { dev, ino } = await step('look at', this.#temporary, () => this.#opened().stat({ bigint: true }));
    return there?.ino === ino && there.dev === dev;
  }

  /** The descriptor, for writes by other threads; none may be under way when the file is finished or discarded. */
  get fd(): number {
    return this.#opened().fd;
  }

  /** Writes all bytes at a position, however short the system's single writes are. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    const handle = this.#opened();
    await step('write', this.path, async () => {
      for (let done = 0; done < bytes.length; ) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
        if (bytesWritten === 0) throw new Error('the system takes no more bytes');
        done += bytesWritten;
      }
    });
  }

  /** Waits until all that is written so far is on the disk. */
  async syncData(): Promise<void> {
    await step('sync', this.path, () => inTurn(() => syncFile(this.#opened())));
  }

  /** Syncs and closes. A failed sync is never tried again: the system may have dropped what it could not write. */
  async finish(): Promise<void> {
    await step('sync', this.path, () => inTurn(() => syncFile(this.#opened())));
    this.#identity = await step('look at', this.path, () => this.#opened().stat({ bigint: true }));
    await step('close', this.path, () => this.close());
  }

  /**
   * Gives the finished file its name, in place of one that may be there.
   *
   * @throws InputError (EBUSY) if another process has put another file in its place
   */
  async publish(path = this.path): Promise<void> {
    const there = await step('look at', this.#temporary, () => ifThere(stat(this.#temporary, { bigint: true })));
    const { dev, ino } = this.#identity ?? {};
    if (there !== undefined && (there.ino !== ino || there.dev !== dev)) {
      const text = `${this.path} is no longer ours to write: another process has taken its folder over`;
      throw new InputError(text, { path: this.path, code: 'EBUSY' });
    }
    await renameStep(this.#temporary, path);
  }

  /** Gives the finished file its name only if no file has it: else the error's code is EEXIST. */
  async publishNew(): Promise<void> {
    await step('create', this.path, () => link(this.#temporary, this.path).catch((cause) => this.#withoutLinks(cause)));
    await rm(this.#temporary, { force: true }).catch(() => {});
  }

  async discard(): Promise<void> {
    // Whatever brought us here is the error to report.
    await this.close().catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
  }

  /** Closes the file and leaves it under its temporary name. */
  async close(): Promise<void> {
    const handle = this.#handle;
    this.#handle = undefined;
    await handle?.close();
  }

  /** On file systems without hard links (FAT, buckets) an empty file takes the name first: who is killed just then leaves that. */
  async #withoutLinks(cause: unknown): Promise<void> {
    if (!['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL'].includes(errorCode(cause) ?? '')) throw cause;
    await (await open(this.path, 'wx', 0o666)).close();
    try {
      await renamed(this.#temporary, this.path);
    } catch (failed) {
      await rm(this.path, { force: true }).catch(() => {});
      throw failed;
    }
  }

  #opened(): FileHandle {
    if (this.#handle === undefined) throw new Error(`${this.path} is closed`);
    return this.#handle;
  }
}

/** Makes a folder and those above it. Returns the ones that were not there, innermost first. */
export async function makeFolder(folder: string): Promise<string[]> {
  // Not mkdir's `recursive`: where the system says ENOENT below a folder that exists (in /proc, say) it never returns.
  const missing: string[] = [];
  for (let at = resolve(folder); ; at = dirname(at)) {
    const there = await step('look at', at, () => ifThere(stat(at)));
    if (there?.isDirectory()) break;
    if (there !== undefined) throw noFolder(folder, `${at} is no folder (ENOTDIR)`, 'ENOTDIR');
    const nowhere = await linkToNowhere(at);
    if (nowhere !== undefined) throw noFolder(folder, `${at} is ${nowhere}`, 'ENOENT');
    missing.push(at);
    if (at === dirname(at)) break;
  }
  const made: string[] = [];
  try {
    for (const at of missing.toReversed()) {
      if (await step('create the folder', at, () => madeHere(at))) made.unshift(at);
    }
  } catch (cause) {
    await removeFolders(made);
    throw cause;
  }
  return made;
}

function noFolder(folder: string, why: string, code: string): WriteError {
  return new WriteError('create the folder', folder, Object.assign(new Error(why), { code }));
}

/** False if someone else was quicker. */
async function madeHere(folder: string): Promise<boolean> {
  try {
    await mkdir(folder);
    return true;
  } catch (cause) {
    if (errorCode(cause) === 'EEXIST') return false;
    throw cause;
  }
}

/** So often what is looked at may change meanwhile. */
const mostTurns = 5;

/** Does something once more where it fails with one of these codes: others have renamed or removed what was being looked at. */
export async function retried<T>(codes: readonly string[], work: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn++) {
    try {
      return await work();
    } catch (cause) {
      if (!codes.includes(errorCode(cause) ?? '') || turn === mostTurns) throw cause;
    }
  }
}

/** Undefined in place of the error that there is no such file. */
export async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (cause) {
    if (errorCode(cause) === 'ENOENT' || errorCode(cause) === 'ENOTDIR') return undefined;
    throw cause;
  }
}

/** Removes folders that are empty, innermost first. */
export async function removeFolders(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    try {
      await rmdir(folder);
    } catch {
      return; // something is in there by now
    }
  }
}

/** Removes a file, if it is there. Not `rm`, which takes what may not be removed for a folder, and says ENOTDIR of it. */
const removed = (path: string): Promise<void> => ifThere(unlink(path));

/** Removes files by name, as far as they are there. */
export async function removeNames(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    await step('remove', path, () => removed(path));
  }
}

/** Gives a file another name, in place of one that may have it. */
export async function renameStep(from: string, to: string): Promise<void> {
  await step('rename a file to', to, () => renamed(from, to));
}

/** More than any text that a run writes. */
const mostTextBytes = 2 ** 28;

/** The text of a file; undefined for what is none of ours: a folder, a named pipe, which would be waited for, a device, and what is too long. */
export async function textOf(path: string): Promise<string | undefined> {
  const there = await stat(path);
  return there.isFile() && there.size <= mostTextBytes ? readFile(path, 'utf8') : undefined;
}

/** Adds a line to a file that is there, in one write, and syncs it. Never through a link. What is cut off is added again, to a line of its own. */
export async function appendSynced(path: string, bytes: Uint8Array): Promise<void> {
  await step('write', path, async () => {
    const handle = await open(path, constants.O_WRONLY | constants.O_APPEND | (constants.O_NOFOLLOW ?? 0));
    try {
      let written = 0;
      // A disk or a limit that is reached says so only when it is asked once more.
      for (let turn = 0; turn < mostTurns && written < bytes.length; turn++) {
        written = (await handle.write(bytes)).bytesWritten;
      }
      if (written < bytes.length) throw new Error('the system takes no more bytes');
      await inTurn(() => syncFile(handle));
    } finally {
      await handle.close();
    }
  });
}

/** Makes the names in a folder durable. Systems and file systems that cannot sync folders do without. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await syncFile(handle);
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (!['EINVAL', 'EISDIR', 'EPERM', 'EACCES', 'ENOTSUP', 'ENOSYS'].includes(errorCode(cause) ?? '')) {
      throw new WriteError('sync the folder', folder, cause);
    }
  }
}
