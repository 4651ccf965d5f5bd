import { once } from 'node:events';
import { InterruptedError, stdoutName } from '../core/errors.js';
import { guardSignals } from '../native/addon.js';
import type { Signal } from './failure.js';
import { writeJson } from './json.js';
import { cleared } from './progress.js';

/** What asks a process to end. */
export const signals: readonly Signal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** How long what was begun may take to end in good order, in milliseconds; the process is gone some 30 ms later. A disk may hold it up for longer. */
const usualGrace = 70;

/** A timer of Node.js that is to take longer than 2^31 ms takes one. */
const mostGrace = 1e9;

function grace(): number {
  const given = Number(process.env.NNINIT_GRACE_MS || usualGrace);
  return given >= 0 ? Math.min(given, mostGrace) : usualGrace;
}

/** What a busy main thread is given beyond the grace: where it is not busy it ends the process itself. */
const busyMs = 30;

/**
 * Has the process end after the first signal and so many milliseconds, and at once after a second one, though this thread be in the middle of a long call.
 * To be called when handlers are there.
 *
 * @returns what takes it back
 */
export function guarded(milliseconds: number, message: string): () => void {
  try {
    return guardSignals(Math.min(Math.round(milliseconds) + busyMs, mostGrace), message);
  } catch {
    return () => {}; // without the addon nothing takes long
  }
}

export interface SignalOptions {
  /** What is said about what stays, where the process ends before the work does. */
  readonly left?: string | undefined;
  /** Milliseconds that handing over what there is may take, where that is worth more than a quick end. */
  readonly least?: number | undefined;
  /** Whether it is said as data: programs that asked for JSON read an error in it too. */
  readonly json?: boolean | undefined;
  /** For work that leaves nothing behind, what a signal ends before it is complete: whatever such work throws then means that it was ended. */
  readonly looking?: string | undefined;
}

/** Runs work that the first signal asks to stop. Whatever it waits for then, the process ends soon; and a second signal ends it at once. */
export async function withSignals<T>(
  work: (signal: AbortSignal) => Promise<T>,
  { left = '', least = 0, json = false, looking }: SignalOptions = {},
): Promise<T> {
  const most = Math.max(grace(), least);
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const interrupted = lineOf(`nninit: interrupted${left}`, json);
  const ignore = () => {
    for (const signal of signals) process.off(signal, onSignal);
  };
  const onSignal = (signal: Signal) => {
    ignore(); // from now on the system ends the process
    abort.abort(signal);
    timer = setTimeout(() => {
      process.stderr.write(interrupted);
      process.kill(process.pid, signal); // not exit(), which waits for threads
    }, most);
  };
  for (const signal of signals) process.on(signal, onSignal);
  const release = guarded(most, interrupted);
  try {
    return await work(abort.signal);
  } catch (cause) {
    const { aborted, reason } = abort.signal;
    // Much that stops throws the bare reason, which is no error and has no exit code.
    throw aborted && (looking !== undefined || cause === reason) ? ended(reason, looking) : cause;
  } finally {
    clearTimeout(timer);
    release();
    ignore();
  }
}

const ended = (reason: unknown, what = stdoutName): InterruptedError =>
  new InterruptedError(stdoutName, reason, `before ${what} was complete`);

/** A signal ends the process then: it has no exit code, and nobody else to give the terminal its cursor back. */
function lineOf(message: string, json: boolean): string {
  let line = `${cleared(process.stderr)}${message}\n`;
  const error = { message, code: 'ERR_NNINIT_INTERRUPTED', path: null, exitCode: null };
  if (json) writeJson({ write: (text) => (line = text) }, { error });
  return line;
}

/** Settles with the first signal; another one that follows is left to the system. */
export async function firstSignal(): Promise<void> {
  const done = new AbortController();
  try {
    await Promise.race(signals.map((signal) => once(process, signal, { signal: done.signal })));
  } finally {
    done.abort();
  }
}
