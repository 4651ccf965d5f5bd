import { rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { errorCode, InterruptedError } from '../../../core/errors.js';
import { ifThere, step, textOf } from './files.js';
import { aliveName } from './journal.js';

// Whether a run still lives cannot be seen from another machine or container. So each writes a number, one higher each second, to a
// small file; whoever wants its folder looks whether that changes. No clocks are compared: those of two machines differ.

const beatMs = 1000;
const lookMs = 250;
/** A run that shows no sign for so long is taken for gone. If it wakes up after all, it sees that it has lost its folder. */
export const graceMs = 10_000;

/** The runs of this thread, of which nobody need ask the file. */
const here = new Set<string>();

/** Shows that a run lives, until it is stopped. */
export class Heartbeat {
  readonly #run: string;
  readonly #path: string;
  #count = 0;
  #timer: NodeJS.Timeout | undefined;
  #beating: Promise<void> = Promise.resolve();

  constructor(folder: string, run: string) {
    this.#run = run;
    this.#path = join(folder, aliveName(run));
  }

  async start(): Promise<void> {
    try {
      await writeFile(this.#path, '0', { flag: 'wx' });
    } catch (cause) {
      // Where the disk is full the file is there, and empty.
      if (errorCode(cause) !== 'EEXIST') await rm(this.#path, { force: true }).catch(() => {});
      throw cause;
    }
    here.add(this.#run);
    this.#timer = setInterval(() => {
      this.#beating = this.#beating.then(() => this.#beat());
    }, beatMs);
    this.#timer.unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    here.delete(this.#run);
    await this.#beating;
    await rm(this.#path, { force: true }).catch(() => {});
  }

  async #beat(): Promise<void> {
    try {
      await writeFile(this.#path, String(++this.#count), { flag: 'r+' });
    } catch (cause) {
      // Taken over: the next write to the journal says so. Whatever else is wrong, the files themselves will tell.
      if (errorCode(cause) === 'ENOENT') clearInterval(this.#timer);
    }
  }
}

/** Whether a run is one of this thread that has not ended. */
export const isHere = (run: string): boolean => here.has(run);

/**
 * Whether a run shows that it lives within `grace` milliseconds.
 *
 * @throws InterruptedError after the signal
 */
export async function isBeating(folder: string, run: string, grace: number, signal?: AbortSignal): Promise<boolean> {
  return isChanging(join(folder, aliveName(run)), grace, signal);
}

/**
 * isBeating, for the file of a heartbeat.
 *
 * @throws InterruptedError after the signal; WriteError where the file is there and cannot be read
 */
export async function isChanging(path: string, grace = graceMs, signal?: AbortSignal): Promise<boolean> {
  // What cannot be read for another reason (too many open files, a share that is away) says nothing of the run.
  const look = () => step('read', path, () => ifThere(textOf(path)));
  const first = await look();
  for (let waited = 0; first !== undefined && waited < grace; waited += lookMs) {
    if (signal?.aborted) throw new InterruptedError(dirname(path), signal.reason);
    await setTimeout(Math.min(lookMs, grace));
    const now = await look();
    if (now !== first) return now !== undefined;
  }
  return false;
}
