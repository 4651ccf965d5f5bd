import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FileSet } from '../../virtual/layout.js';
import { removeNames, step, syncFolder } from './files.js';
import { Heartbeat } from './heartbeat.js';
import {
  aliveName,
  createJournal,
  filesToTell,
  isJournalOf,
  type Journal,
  journalName,
  newRun,
  readJournal,
  takenOver,
  updateJournal,
} from './journal.js';
import { thisProcess } from './process.js';
import type { Partial, Survey } from './survey.js';

/** Keeps the journal, in its own order, since two things may be written down at once; and shows that the run lives. */
export class Recorder {
  readonly folder: string;
  readonly run = newRun();
  /** Whether something is there that a later run need not make again. */
  worthKeeping: boolean;
  begun = false;
  readonly #heartbeat: Heartbeat;
  #journal: Journal;
  readonly #existed: boolean;
  readonly #goesOn: boolean;
  #last: Promise<void> = Promise.resolve();

  /** @param finishes whether all files are complete, and others may be giving them their names */
  constructor(folder: string, set: FileSet, seen: Survey, finishes = false) {
    this.folder = folder;
    this.#heartbeat = new Heartbeat(folder, this.run);
    this.worthKeeping = seen.complete.size + seen.held.size + seen.partial.size > 0;
    this.#goesOn = seen.journal !== undefined;
    this.#existed = seen.journal !== undefined || seen.brokenJournal;
    this.#journal = {
      run: this.run,
      digest: set.digest,
      replaces: seen.replaces,
      committing: finishes || (seen.journal?.committing ?? false),
      stale: [...seen.stale],
      files: filesToTell(set),
      parts: false,
      process: null,
      progress: Object.fromEntries(seen.partial),
    };
  }

  /** @throws InputError (EBUSY) if another process begins just now, or has ended what was to be gone on with */
  async begin(): Promise<void> {
    await step('create a file in', this.folder, () => this.#heartbeat.start());
    this.#journal = { ...this.#journal, process: await thisProcess() };
    if (this.#goesOn && (await readJournal(this.folder)) === undefined) throw takenOver(this.folder);
    await (this.#existed ? updateJournal : createJournal)(this.folder, this.#journal);
    this.begun = true;
    await this.refuseIfLost(); // of two that take over at once, the later one has it
  }

  /** @throws InputError (EBUSY) if another process has taken the folder over; WriteError if it is gone */
  async refuseIfLost(): Promise<void> {
    if (await this.isOurs()) return;
    await step('write to', this.folder, () => stat(this.folder)); // it may be gone
    throw takenOver(this.folder);
  }

  /** Whether the folder is still this run's. Rejects if that cannot be told. */
  async isOurs(): Promise<boolean> {
    return isJournalOf(this.run, await readJournal(this.folder));
  }

  /** A file has so many bytes of its tensors on the disk, or is complete. */
  async record(name: string, progress: Partial | 'complete'): Promise<void> {
    this.worthKeeping = true;
    const { [name]: _, ...others } = this.#journal.progress;
    // A complete file speaks for itself: no need to write that down at once.
    const now = progress === 'complete' ? others : { ...others, [name]: progress };
    this.#journal = { ...this.#journal, progress: now };
    if (progress !== 'complete') await this.#write();
  }

  async commit(): Promise<void> {
    this.worthKeeping = true;
    this.#journal = { ...this.#journal, committing: true };
    await this.#write();
  }

  async release(): Promise<void> {
    this.#journal = { ...this.#journal, process: null };
    await this.#write();
  }

  async end(): Promise<void> {
    await this.refuseIfLost();
    await this.stop();
    await removeNames(this.folder, [aliveName(this.run), journalName]);
    this.begun = false; // what goes wrong from here on leaves a checkpoint that is complete
    await syncFolder(resolve(this.folder));
  }

  /** Shows no sign of life any more. */
  stop(): Promise<void> {
    return this.#heartbeat.stop();
  }

  async #write(): Promise<void> {
    const journal = this.#journal;
    this.#last = this.#last
      .catch(() => {})
      .then(async () => {
        await this.refuseIfLost();
        await updateJournal(this.folder, journal);
      });
    await this.#last;
  }
}
