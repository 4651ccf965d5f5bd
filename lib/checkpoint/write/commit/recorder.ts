import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { FileSet } from '../../virtual/layout.js';
import { isWeightsName } from '../../virtual/shards.js';
import { removeNames, step, syncFolder } from './files.js';
import { Heartbeat } from './heartbeat.js';
import {
  addToJournal,
  aliveName,
  type Begin,
  baseToTell,
  type Change,
  Claim,
  createJournal,
  filesToTell,
  journalName,
  newRun,
  takenOver,
  temporaryJournalName,
} from './journal.js';
import { isTensorFile } from './others.js';
import { thisProcess } from './process.js';
import type { Partial } from './progress.js';
import type { Survey } from './survey.js';

/** Keeps the journal, in its own order, since two things may be written down at once; and shows that the run lives. */
export class Recorder {
  readonly folder: string;
  readonly run = newRun();
  /** Whether something is there that a later run need not make again. */
  #worthKeeping: boolean;
  begun = false;
  readonly #heartbeat: Heartbeat;
  readonly #claim: Claim;
  readonly #existed: boolean;
  #begin: Begin;
  #progress: Begin['progress'];
  #last: Promise<void> = Promise.resolve();

  /** @param finishes whether all files are complete, and others may be giving them their names */
  constructor(folder: string, set: FileSet, seen: Survey, finishes = false) {
    this.folder = folder;
    this.#heartbeat = new Heartbeat(folder, this.run);
    this.#worthKeeping = seen.complete.size + seen.held.size + seen.partial.size > 0;
    this.#claim = new Claim(folder, this.run);
    this.#existed = seen.owner !== undefined;
    this.#progress = Object.fromEntries(seen.partial);
    this.#begin = {
      run: this.run,
      ...(seen.owner && { over: seen.owner }),
      digest: set.digest,
      replaces: seen.replaces,
      committing: finishes || (seen.journal?.committing ?? false),
      stale: [...seen.stale],
      files: filesToTell(set),
      kept: seen.kept,
      ...baseToTell(set),
      remnants: seen.remnants,
      parts: false,
      process: null,
      progress: this.#progress,
    };
  }

  /** @throws InputError (EBUSY) if another process begins just now, or has ended what was to be gone on with */
  async begin(): Promise<void> {
    this.#begin = { ...this.#begin, process: await thisProcess() };
    await step('create a file in', this.folder, () => this.#heartbeat.start());
    try {
      await (this.#existed ? addToJournal : createJournal)(this.folder, this.#begin);
    } finally {
      // Also after an error, which may have come when all was written.
      this.begun = await this.isOurs().catch(() => true);
    }
    await this.refuseIfLost();
  }

  /** @throws InputError (EBUSY) if another process has taken the folder over; WriteError if it is gone */
  async refuseIfLost(): Promise<void> {
    if (await this.isOurs()) return;
    await step('write to', this.folder, () => stat(this.folder)); // it may be gone
    throw takenOver(this.folder);
  }

  /** Whether the folder is still this run's. Rejects if that cannot be told. */
  async isOurs(): Promise<boolean> {
    return this.#claim.holds();
  }

  /** A file has so many bytes of its tensors on the disk, or is complete. */
  async record(name: string, progress: Partial | 'complete'): Promise<void> {
    this.#worthKeeping = true;
    // A complete file speaks for itself: no need to write that down at once.
    const { [name]: _, ...others } = this.#progress;
    this.#progress = progress === 'complete' ? others : { ...others, [name]: progress };
    if (progress !== 'complete') await this.#add({ progress: this.#progress });
  }

  /** Whether the journal has to stay when the run gives up, where there are these names: for what is made, or for what nothing else tells. */
  isWorthKeeping(names: readonly string[]): boolean {
    const { over, stale, remnants = [] } = this.#begin;
    const isTold = (name: string) =>
      (isTensorFile(name) && stale.includes(name)) || remnants.some((base) => isWeightsName(name, base));
    return this.#worthKeeping || (over !== undefined && names.some(isTold));
  }

  async commit(): Promise<void> {
    this.#worthKeeping = true;
    await this.#add({ committing: true, progress: this.#progress });
  }

  async release(): Promise<void> {
    await this.#add({ process: null, progress: this.#progress });
  }

  async end(): Promise<void> {
    await this.refuseIfLost();
    await this.stop();
    await removeNames(this.folder, [aliveName(this.run), temporaryJournalName(this.run), journalName]);
    this.begun = false; // what goes wrong from here on leaves a checkpoint that is complete
    await syncFolder(resolve(this.folder));
  }

  /** Shows no sign of life any more. */
  stop(): Promise<void> {
    return this.#heartbeat.stop();
  }

  async #add(change: Omit<Change, 'run'>): Promise<void> {
    this.#last = this.#last
      .catch(() => {})
      .then(async () => {
        await this.refuseIfLost();
        await addToJournal(this.folder, { run: this.run, ...change });
      });
    await this.#last;
  }
}
