import { type FileHandle, open, stat } from 'node:fs/promises';
import { errorCode, InputError } from '../../core/errors.js';
import { linkToNowhere } from '../../core/links.js';
import { strerror } from '../../core/strerror.js';
import type { Source } from './source.js';

/** A single read takes less than 2^31 bytes. */
const mostAtOnce = 2 ** 30;

/** Opens a file of the system's. */
export async function openFile(path: string): Promise<Source> {
  let handle: FileHandle | undefined;
  try {
    // Before it is opened: to open a named pipe is to wait for a writer.
    const info = await stat(path);
    if (!info.isFile()) throw new NotAFile(path, info.isDirectory() ? 'a folder' : 'none');
    handle = await open(path, 'r');
    const { dev, ino, size, mtimeNs } = await handle.stat({ bigint: true });
    return new FileSource(path, Number(size), `${dev} ${ino} ${size} ${mtimeNs}`, handle);
  } catch (cause) {
    await handle?.close();
    throw cause instanceof InputError ? cause : await notThere(path, cause);
  }
}

class FileSource implements Source {
  readonly path: string;
  readonly size: number;
  readonly version: string;
  readonly #handle: FileHandle;

  constructor(path: string, size: number, version: string, handle: FileHandle) {
    this.path = path;
    this.size = size;
    this.version = version;
    this.#handle = handle;
  }

  async read(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const length = Math.min(bytes.length - done, mostAtOnce);
      const { bytesRead } = await this.#handle.read(bytes, done, length, position + done).catch((cause: unknown) => {
        throw unreadable(this.path, cause);
      });
      if (bytesRead === 0) {
        const what = `${this.path} became shorter while it was being read`;
        throw new InputError(what, { path: this.path, code: 'ERR_NNINIT_READ' });
      }
      done += bytesRead;
    }
  }

  close(): Promise<void> {
    return this.#handle.close();
  }
}

/** Something other than a file stands at a path. */
class NotAFile extends InputError {
  constructor(path: string, found: string) {
    super(`${path}: expected a file, but it is ${found}`, { path, code: 'ERR_NNINIT_READ' });
  }
}

/** The error for a file that the system does not let us read. */
export function unreadable(path: string, cause: unknown): InputError {
  return new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause, code: 'ERR_NNINIT_READ' });
}

/** The same for one that may be a link to nowhere, as in a cache from which the files are gone. */
export async function notThere(path: string, cause: unknown): Promise<InputError> {
  const nowhere = errorCode(cause) === 'ENOENT' ? await linkToNowhere(path) : undefined;
  if (nowhere === undefined) return unreadable(path, cause);
  return new InputError(`could not read ${path}: it is ${nowhere}`, { path, cause, code: 'ERR_NNINIT_READ' });
}
