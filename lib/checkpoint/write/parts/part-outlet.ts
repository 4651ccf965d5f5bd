import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { errorCode } from '../../../core/errors.js';
import { PendingFile, removeNames, step, syncFolder } from '../commit/files.js';
import { Claim, heldName, markName, marksOf, pendingName } from '../commit/journal.js';
import type { Outlet, Stretch } from '../outlet.js';

/** A file that lies in one part, and is no longer than this, is written by that part alone; larger ones are marked as they grow. */
const largestApart = 2 ** 30;

/** The journal names another run than the one that this part is of. */
export class Lost extends Error {
  readonly run: string;

  constructor(run: string) {
    super(`the order ${run} is gone`);
    this.run = run;
  }
}

/** Files that several processes write at once, each its part of them. */
export class PartOutlet implements Outlet {
  readonly #folder: string;
  readonly #digest: string;
  readonly #run: string;
  readonly #own: string;
  readonly #numbers: ReadonlyMap<string, number>;
  readonly #claim: Claim;

  /**
   * @param run whose names the parts have
   * @param own names what nobody else writes to
   * @param numbers of the files, by name
   */
  constructor(folder: string, digest: string, run: string, own: string, numbers: ReadonlyMap<string, number>) {
    this.#folder = folder;
    this.#digest = digest;
    this.#run = run;
    this.#own = own;
    this.#numbers = numbers;
    this.#claim = new Claim(folder, run);
  }

  async open(stretch: Stretch): Promise<PendingFile> {
    const { name } = stretch.file;
    const path = join(this.#folder, name);
    await this.#refuseIfLost();
    const temporary = (run: string): string => join(this.#folder, pendingName(this.#digest, run, name));
    return isApart(stretch)
      ? await PendingFile.create(path, temporary(this.#own), { replace: true })
      : await this.#shared(path, temporary(this.#run), this.#numbers.get(name) ?? 0);
  }

  /** The file that all parts of it are written to. Where it is not there, it is made, and no mark may say what another one before it had. */
  async #shared(path: string, temporary: string, number: number): Promise<PendingFile> {
    for (;;) {
      const known = await PendingFile.share(path, temporary);
      if (known !== undefined) return known;
      const names = await step('look at', this.#folder, () => readdir(this.#folder));
      const isListed = names.includes(basename(temporary)); // what a shared disk says that is not there may be
      // Looked at again: then no mark is one of a file that others have made meanwhile.
      const made = await PendingFile.share(path, temporary);
      if (made !== undefined) return made;
      const stale = names.filter((each) => marksOf([each], this.#digest, this.#run).has(number));
      if (!isListed) await this.#forget(stale);
      try {
        const file = await PendingFile.create(path, temporary);
        if (isListed) await this.#forget(stale); // it has gone just now
        return file;
      } catch (cause) {
        if (errorCode(cause) !== 'EEXIST') throw cause; // or somebody was quicker
      }
    }
  }

  async #forget(marks: readonly string[]): Promise<void> {
    if (marks.length === 0) return;
    await removeNames(this.#folder, marks);
    await syncFolder(this.#folder);
  }

  async record(stretch: Stretch, pending: PendingFile, reached: number): Promise<void> {
    if (isApart(stretch)) return; // what has a name of this process alone, nobody can go on with
    const { file, begin } = stretch;
    await this.#mark(file.name, pending, begin, file.head.length + reached);
  }

  async finish(stretch: Stretch, pending: PendingFile): Promise<void> {
    const { file, begin, end } = stretch;
    if (isApart(stretch)) {
      await pending.finish();
      await this.#refuseIfLost();
      await pending.publish(join(this.#folder, heldName(this.#digest, this.#run, file.name))).catch(this.#orLost);
      return;
    }
    await pending.syncData();
    await this.#mark(file.name, pending, begin, end);
    await pending.close();
  }

  /** Only where the bytes are: in the file that has the name, under the run that the journal tells. */
  async #mark(name: string, pending: PendingFile, begin: number, end: number): Promise<void> {
    await this.#refuseIfLost();
    if (!(await pending.isInPlace())) throw new Lost(this.#run);
    const mark = markName(this.#digest, this.#run, this.#numbers.get(name) ?? 0, begin, end);
    await PendingFile.touch(join(this.#folder, mark));
  }

  async #refuseIfLost(): Promise<void> {
    if (!(await this.#claim.holds())) throw new Lost(this.#run);
  }

  /** Whoever finishes removes what is begun elsewhere. */
  readonly #orLost = async (cause: unknown): Promise<void> => {
    await this.#refuseIfLost();
    throw cause;
  };
}

const isApart = ({ file, begin, end }: Stretch): boolean => begin === 0 && end === file.size && end <= largestApart;
