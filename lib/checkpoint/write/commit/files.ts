import { type FileHandle, link, mkdir, open, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { errorCode, WriteError } from '../../../core/errors.js';
import { linkToNowhere } from '../../../core/links.js';

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
    if (replace) await step('remove', temporary, () => rm(temporary, { force: true }));
    const handle = await step('create', temporary, () => open(temporary, 'wx', 0o666));
    return new PendingFile(path, temporary, handle);
  }

  /** Goes on with a temporary file that is there. */
  static async reopen(path: string, temporary: string): Promise<PendingFile> {
    return new PendingFile(path, temporary, await step('open', temporary, () => open(temporary, 'r+')));
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
    await step('sync', this.path, () => this.#opened().datasync());
  }

  /** Syncs and closes. A failed sync is never tried again: the system may have dropped what it could not write. */
  async finish(): Promise<void> {
    await step('sync', this.path, () => this.#opened().sync());
    await step('close', this.path, () => this.close());
  }

  /** Gives the finished file its name, in place of one that may be there. */
  async publish(path = this.path): Promise<void> {
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
      await rename(this.#temporary, this.path);
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

/** Removes files by name, as far as they are there. */
export async function removeNames(folder: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const path = join(folder, name);
    await step('remove', path, () => rm(path, { force: true }));
  }
}

/** Gives a file another name, in place of one that may have it. */
export async function renameStep(from: string, to: string): Promise<void> {
  await step('rename a file to', to, () => rename(from, to));
}

/** Makes the names in a folder durable. Systems and file systems that cannot sync folders do without. */
export async function syncFolder(folder: string): Promise<void> {
  try {
    const handle = await open(folder, 'r');
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (cause) {
    if (!['EINVAL', 'EISDIR', 'EPERM', 'EACCES', 'ENOTSUP', 'ENOSYS'].includes(errorCode(cause) ?? '')) {
      throw new WriteError('sync the folder', folder, cause);
    }
  }
}

/** Refuses early what the disk has no room for. File systems that do not know their size are taken at their word later. */
export async function checkSpace(folder: string, bytes: number): Promise<void> {
  let free: number;
  try {
    const { blocks, bavail, bsize } = await statfs(folder);
    if (blocks === 0) return;
    free = bavail * bsize;
  } catch {
    return;
  }
  if (free >= bytes) return;
  const cause = Object.assign(new Error(`${bytes} bytes are needed, ${free} are free (ENOSPC)`), { code: 'ENOSPC' });
  throw new WriteError('write to', folder, cause);
}
