import { join } from 'node:path';
import type { VirtualFile } from '../virtual/file.js';
import type { FileSet } from '../virtual/layout.js';
import type { VirtualCheckpoint } from '../virtual/virtual.js';
import { holdsBack, refuseThere } from './commit/commit.js';
import { PendingFile } from './commit/files.js';
import { heldName, pendingName } from './commit/journal.js';
import type { Recorder } from './commit/recorder.js';
import type { Survey } from './commit/survey.js';

/** Bytes [begin, end) of a file, its head included, that are to be written. */
export interface Stretch {
  readonly file: VirtualFile;
  readonly begin: number;
  readonly end: number;
}

/** Where stretches of files go: under which names they are written, and what becomes of them then. */
export interface Outlet {
  open(stretch: Stretch): Promise<PendingFile>;
  /** The tensors' bytes up to `reached` are on the disk. */
  record(stretch: Stretch, pending: PendingFile, reached: number): Promise<void>;
  /** All of it is written, but neither synced nor closed. */
  finish(stretch: Stretch, pending: PendingFile): Promise<void>;
}

/** What one run has to write: each file that is not complete from where it was left. */
export function stretchesOf(set: FileSet, virtual: VirtualCheckpoint, seen: Survey): Stretch[] {
  const names = set.files.map(({ name }) => name).filter((name) => !seen.complete.has(name) && !seen.held.has(name));
  return names.map((name) => {
    const file = virtual.file(name);
    const begun = seen.partial.get(name);
    return { file, begin: begun === undefined ? 0 : file.head.length + begun.bytes, end: file.size };
  });
}

/** Files of one run, which get their names when they are complete, or when all are. */
export class RunOutlet implements Outlet {
  readonly #folder: string;
  readonly #set: FileSet;
  readonly #seen: Survey;
  readonly #journal: Recorder;

  constructor(folder: string, set: FileSet, seen: Survey, journal: Recorder) {
    this.#folder = folder;
    this.#set = set;
    this.#seen = seen;
    this.#journal = journal;
  }

  async open({ file: { name }, begin }: Stretch): Promise<PendingFile> {
    const path = join(this.#folder, name);
    const temporary = join(this.#folder, this.#temporary(name));
    return begin > 0
      ? await PendingFile.reopen(path, temporary)
      : await PendingFile.create(path, temporary, { replace: true });
  }

  async record({ file: { name } }: Stretch, _pending: PendingFile, bytes: number): Promise<void> {
    await this.#journal.record(name, { file: this.#temporary(name), bytes });
  }

  async finish({ file: { name } }: Stretch, pending: PendingFile): Promise<void> {
    await pending.finish();
    await this.#journal.refuseIfLost();
    if (holdsBack(this.#set, this.#seen)) {
      await pending.publish(join(this.#folder, heldName(this.#set.digest, this.#journal.run, name)));
    } else {
      await refuseThere(pending.path);
      await pending.publish();
    }
    await this.#journal.record(name, 'complete');
  }

  #temporary(name: string): string {
    return this.#seen.partial.get(name)?.file ?? pendingName(this.#set.digest, this.#journal.run, name);
  }
}
