import { AsyncResource } from 'node:async_hooks';
import { typeError } from '../core/check.js';
import type { Job } from './job.js';

/** How far a fill has come. */
export interface Progress {
  /** Elements and bytes that are filled. */
  readonly elements: number;
  readonly bytes: number;
  /** All there are to fill; undefined for an iterable, whose end is not known. */
  readonly totalElements: number | undefined;
  readonly totalBytes: number | undefined;
}

/** What every function of the pool takes. */
export interface FillOptions {
  /** Stops the fill: the promise rejects with the signal's reason once nothing writes to the tensors any more. */
  readonly signal?: AbortSignal | undefined;
  /** Called at most every 50 ms, and once more when all is filled. */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** The names of these options. */
export const fillOptions = ['signal', 'onProgress'] as const;

const progressMilliseconds = 50;

/** FillOptions, checked. */
export interface CheckedFillOptions {
  readonly signal: AbortSignal | undefined;
  readonly onProgress: ((progress: Progress) => void) | undefined;
}

/**
 * Checks `signal` and `onProgress`.
 *
 * @throws the signal's reason if it is aborted already
 */
export function checkFillOptions(fn: string, options: Readonly<Record<string, unknown>>): CheckedFillOptions {
  const { signal, onProgress } = options;
  if (onProgress !== undefined && typeof onProgress !== 'function') {
    throw typeError(fn, 'onProgress', 'a function', onProgress);
  }
  if (signal !== undefined && !isSignal(signal)) throw typeError(fn, 'signal', 'an AbortSignal', signal);
  if (signal?.aborted) throw reasonOf(signal);
  return { signal, onProgress: onProgress && ofCaller(onProgress as NonNullable<CheckedFillOptions['onProgress']>) };
}

/**
 * A callback that finds its caller's AsyncLocalStorage: it is called when some worker says something, whose context is another call's. Not by
 * AsyncResource.bind, which takes longer than filling a small tensor, and asks for the callback's name.
 */
export function ofCaller<A extends unknown[], R>(callback: (...args: A) => R): (...args: A) => R {
  const caller = new AsyncResource('nninit');
  return (...args) => caller.runInAsyncScope(callback, undefined, ...args);
}

/** Whether something is a signal, of whatever realm, or a polyfill's. */
export function isSignal(value: unknown): value is AbortSignal {
  if (value instanceof AbortSignal) return true;
  const like = value as Partial<Record<keyof AbortSignal, unknown>> | null; // of another realm, or a polyfill
  return (
    typeof like === 'object' &&
    typeof like?.aborted === 'boolean' &&
    typeof like.addEventListener === 'function' &&
    typeof like.removeEventListener === 'function'
  );
}

/** Why a signal was aborted. Polyfills may not say, and undefined would be taken for no error; or throw, on the stack of whoever aborts. */
export function reasonOf(signal: AbortSignal): unknown {
  let reason: unknown;
  try {
    reason = signal.reason;
  } catch (error) {
    reason = error;
  }
  return reason ?? new DOMException('This operation was aborted', 'AbortError');
}

const followers = new WeakMap<AbortSignal, AbortController>();

/**
 * A signal of this realm: another one's, or a polyfill's, is followed by one, with one listener however often it is given. `fetch` and `AbortSignal.any` take others
 * for signals, and do not hear of their aborts.
 */
export function ownSignal(signal: AbortSignal): AbortSignal {
  if (signal instanceof AbortSignal) return signal;
  const follower = followers.get(signal) ?? new AbortController();
  const follow = (): void => follower.abort(reasonOf(signal));
  if (!followers.has(signal)) (signal as AbortSignal).addEventListener('abort', follow, { once: true });
  followers.set(signal, follower);
  if ((signal as AbortSignal).aborted) follow(); // which is not told
  return follower.signal;
}

/** @throws the signal's reason if it is aborted */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw reasonOf(signal);
}

/** What is promised, or the signal's reason as soon as it is aborted: whoever waits for what another has made need not wait to its end. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  throwIfAborted(signal);
  let leave = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(reasonOf(signal));
    signal.addEventListener('abort', leave, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}

interface Listener {
  readonly operations: Set<Operation>;
  readonly abort: () => void;
}

/** One listener for each signal, however many fills it may stop: Node warns of more than ten. */
const listeners = new WeakMap<AbortSignal, Listener>();

function listen(signal: AbortSignal, operation: Operation): void {
  const known = listeners.get(signal);
  if (known !== undefined) {
    known.operations.add(operation);
    return;
  }
  const operations = new Set([operation]);
  const abort = (): void => {
    for (const each of [...operations]) each.stop(reasonOf(signal));
  };
  listeners.set(signal, { operations, abort });
  signal.addEventListener('abort', abort, { once: true });
}

function leave(signal: AbortSignal, operation: Operation): void {
  const known = listeners.get(signal);
  if (known === undefined) return;
  known.operations.delete(operation);
  if (known.operations.size > 0) return;
  listeners.delete(signal);
  signal.removeEventListener('abort', known.abort);
}

/**
 * One call of the pool: the jobs it made, how far they are, and what stops them.
 *
 * @internal
 */
export class Operation {
  readonly #options: CheckedFillOptions;
  readonly #jobs = new Set<Job>();
  readonly #onStop = new Set<(reason: unknown) => void>();
  #total: { elements: number; bytes: number } | undefined;
  #elements = 0;
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #reported = 0;
  #stopped: { readonly reason: unknown } | undefined;

  constructor(options: CheckedFillOptions, total: { elements: number; bytes: number } | undefined) {
    this.#options = options;
    this.#total = total;
    if (options.signal !== undefined) listen(options.signal, this);
    if (options.signal?.aborted) this.stop(reasonOf(options.signal)); // since it was checked, by a getter or an iterable: that is not told
    if (options.onProgress === undefined) return;
    this.#reported = performance.now();
    this.#timer = setInterval(() => this.#tick(), progressMilliseconds).unref();
  }

  get stopped(): { readonly reason: unknown } | undefined {
    return this.#stopped;
  }

  /** What is filled by now, of jobs under way too. */
  get done(): { readonly elements: number; readonly bytes: number } {
    let elements = this.#elements;
    let bytes = this.#bytes;
    for (const job of this.#jobs) {
      const more = job.progress();
      elements += more;
      bytes += more * job.bytesEach;
    }
    return { elements, bytes };
  }

  add(job: Job): void {
    this.#jobs.add(job);
    if (this.#stopped !== undefined) job.cancel(this.#stopped.reason);
  }

  /** A job settled. */
  remove(job: Job, filled: boolean): void {
    this.#jobs.delete(job);
    if (filled) this.count(job.size, job.size * job.bytesEach);
  }

  /** So much more is filled. */
  count(elements: number, bytes: number): void {
    this.#elements += elements;
    this.#bytes += bytes;
  }

  /** Cancels all jobs; they settle with the reason. */
  stop(given: unknown): void {
    if (this.#stopped !== undefined) return;
    const reason = given === undefined ? new Error('onProgress threw undefined') : given; // which jobs take for success
    this.#stopped = { reason };
    for (const job of [...this.#jobs]) job.cancel(reason);
    for (const tell of [...this.#onStop]) tell(reason);
  }

  /**
   * @param tell called if it is stopped, after its jobs were asked to stop; at once if it is already
   * @returns takes that back
   */
  onStop(tell: (reason: unknown) => void): () => void {
    this.#onStop.add(tell);
    if (this.#stopped !== undefined) tell(this.#stopped.reason);
    return () => {
      this.#onStop.delete(tell);
    };
  }

  /** The end: reports once more if all is filled. */
  end(filled: boolean): void {
    clearInterval(this.#timer);
    if (this.#options.signal !== undefined) leave(this.#options.signal, this);
    if (filled) this.#report();
  }

  [Symbol.dispose](): void {
    this.end(false);
  }

  #tick(): void {
    if (performance.now() - this.#reported < progressMilliseconds || this.#stopped !== undefined) return;
    try {
      this.#report();
    } catch (error) {
      this.stop(error); // the callback's own error is the caller's to see
    }
  }

  #report(): void {
    this.#reported = performance.now();
    const { elements, bytes } = this.done;
    this.#options.onProgress?.({
      elements,
      bytes,
      totalElements: this.#total?.elements,
      totalBytes: this.#total?.bytes,
    });
  }
}
