// Files on servers, by range requests (RFC 9110, section 14), with the fetch of Node.js. Nothing that a server says is trusted.
import { setTimeout } from 'node:timers/promises';
import { InputError } from '../../core/errors.js';
import { strerror } from '../../core/strerror.js';
import { hubToken } from './hub.js';
import type { Source } from './source.js';

/** What the first request asks for: most headers, and all small files, come with it. */
const firstBytes = 2 ** 16;
/** A server that knows no ranges may send a whole file of this size at once. */
const mostWhole = 2 ** 23;

/** An answer takes this long at most, and what it is long for at this many bytes a millisecond: a server must not hold a reader for ever. */
const mostAnswerMs = 30_000;
const leastBytesPerMs = 16;
/** No timer of Node.js takes longer. */
const mostTimerMs = 2 ** 31 - 1;

const mostTries = 4;
const firstWaitMs = 200;
const mostWaitMs = 10_000;
/** Failures of connections that may pass; others, such as a name that does not exist, do not. */
const passing = /^(ECONNRESET|ECONNABORTED|ETIMEDOUT|EPIPE|EAI_AGAIN|UND_ERR_(SOCKET|.*TIMEOUT))$/;

/** The signal that ends an answer of so many bytes: the caller's, or that of the time that it may take. */
export function answerLimit(bytes: number, signal: AbortSignal | undefined): AbortSignal {
  const limit = AbortSignal.timeout(Math.min(mostTimerMs, mostAnswerMs + Math.ceil(bytes / leastBytesPerMs)));
  return signal === undefined ? limit : AbortSignal.any([signal, limit]);
}

/** What ranges are asked of. */
export interface Target {
  /** The address, without a password. */
  readonly shown: string;
  /** The answer for bytes [begin, end): 200, 206 or 416, with Content-Range and ETag. */
  request(begin: number, end: number, signal?: AbortSignal): Promise<Response>;
  refused(why: string, cause?: unknown): InputError;
}

/** Opens a file of a server's, at an address of http or https. */
export const openUrl = (path: string, signal?: AbortSignal): Promise<Source> => openTarget(new UrlTarget(path), signal);

/** Opens what a server answers for. */
export async function openTarget(target: Target, signal?: AbortSignal): Promise<Source> {
  const response = await target.request(0, firstBytes, signal);
  const tag = versionOf(response);
  const range = rangeOf(response);
  if (response.status === 416) {
    await response.body?.cancel();
    if (range?.size !== 0) throw target.refused(`the server answered ${statusOf(response)}`);
    return new RangedSource(target, 0, tag, new Uint8Array(0));
  }
  if (response.status === 206) {
    if (range?.begin !== 0) {
      await response.body?.cancel();
      throw target.refused('the server does not say how long the file is');
    }
    const first = new Uint8Array(Math.min(range.size, firstBytes));
    const { bytes } = await take(response, first);
    signal?.throwIfAborted();
    return new RangedSource(target, range.size, tag, first.subarray(0, bytes));
  }
  const tooLong = (): InputError => target.refused('its server sends no ranges of files, but all of a large one');
  if (Number(response.headers.get('content-length') ?? 0) > mostWhole) {
    response.body?.cancel().catch(() => {}); // which may be long in coming
    throw tooLong();
  }
  const all = new Uint8Array(mostWhole + 1); // what it says of the length may not be so
  const { bytes, failure } = await take(response, all);
  signal?.throwIfAborted();
  if (bytes > mostWhole) throw tooLong();
  if (failure !== undefined) throw target.refused(reasonFor(failure), failure);
  return new RangedSource(target, bytes, tag, all.slice(0, bytes));
}

class RangedSource implements Source {
  readonly path: string;
  readonly size: number;
  readonly version: string;
  readonly #target: Target;
  readonly #tag: string | undefined;
  readonly #first: Uint8Array;

  constructor(target: Target, size: number, tag: string | undefined, first: Uint8Array) {
    this.path = target.shown;
    this.size = size;
    this.version = `${size} ${tag}`;
    this.#target = target;
    this.#tag = tag;
    this.#first = first;
  }

  async read(bytes: Uint8Array, position: number, signal?: AbortSignal): Promise<void> {
    const known = this.#first.subarray(position, position + bytes.length);
    bytes.set(known);
    let tries = 0;
    for (let done = known.length; done < bytes.length; ) {
      const begin = position + done;
      const response = await this.#target.request(begin, position + bytes.length, signal);
      this.#refuseOther(response, begin);
      const came = await take(response, bytes.subarray(done));
      signal?.throwIfAborted();
      done += came.bytes; // the next request is for what is left
      if (done < bytes.length && ++tries >= mostTries) {
        const why = came.failure === undefined ? 'the server ends its answers early' : reasonFor(came.failure);
        throw this.#target.refused(why, came.failure);
      }
    }
  }

  async close(): Promise<void> {}

  /** Parts of two versions of a file must not be put together, nor other parts than were asked for. */
  #refuseOther(response: Response, begin: number): void {
    const tag = versionOf(response);
    const range = rangeOf(response);
    const isSame = response.status === 206 && tag === this.#tag && range?.size === this.size;
    if (isSame && range.begin === begin) return;
    response.body?.cancel().catch(() => {});
    const what = isSame
      ? 'the server sends another range than was asked for'
      : 'the file at the server has changed while it was being read';
    throw this.#target.refused(what);
  }
}

/** An address, and how it is asked for: fetch takes no names and passwords in addresses, and nobody should see them. */
class UrlTarget implements Target {
  readonly shown: string;
  readonly #url: URL;
  readonly #headers: Record<string, string> = { 'accept-encoding': 'identity' };

  constructor(path: string) {
    this.#url = new URL(path);
    const { username, password } = this.#url;
    if (username !== '' || password !== '') {
      const pair = `${decoded(username)}:${decoded(password)}`;
      this.#headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
      this.#url.username = '';
      this.#url.password = '';
    } else {
      const token = hubToken(this.#url);
      if (token !== undefined) this.#headers.authorization = `Bearer ${token}`; // which fetch leaves out when it is led to another host
    }
    this.shown = username === '' && password === '' ? path : this.#url.href;
  }

  /** Asks for bytes [begin, end), again where the server is busy or the connection breaks. */
  async request(begin: number, end: number, signal?: AbortSignal): Promise<Response> {
    for (let tries = 1; ; tries++) {
      let response: Response | undefined;
      let failure: unknown;
      try {
        const headers = { ...this.#headers, range: `bytes=${begin}-${end - 1}` };
        response = await fetch(this.#url, { headers, signal: answerLimit(end - begin, signal) });
      } catch (cause) {
        signal?.throwIfAborted();
        failure = cause;
      }
      if (response !== undefined && (response.ok || response.status === 416)) return response;
      await response?.body?.cancel();
      const mayPass = response === undefined ? passing.test(codeOf(failure)) : isBusy(response.status);
      if (!mayPass || tries >= mostTries) throw this.#failed(response, failure);
      const asked = 1000 * Number(response?.headers.get('retry-after') ?? Number.NaN);
      const usual = firstWaitMs * 2 ** (tries - 1);
      const wait = Math.min(mostWaitMs, Number.isFinite(asked) ? Math.max(asked, usual) : usual);
      await setTimeout(wait, undefined, signal && { signal }).catch(() => signal?.throwIfAborted());
    }
  }

  refused(why: string, cause?: unknown): InputError {
    const path = this.shown;
    return new InputError(`could not read ${path}: ${why}`, { path, cause, code: 'ERR_NNINIT_READ' });
  }

  #failed(response: Response | undefined, failure: unknown): InputError {
    if (response === undefined) return this.refused(reasonFor(failure), failure);
    const mayNeed = response.status === 401 || response.status === 403 ? '; HF_TOKEN holds the token for the Hub' : '';
    const why = `the server answered ${statusOf(response)}${mayNeed}`;
    return this.refused(why, causeOfStatus(response.status, why));
  }
}

/** The system's error that an answer stands for. */
export function causeOfStatus(status: number, why: string): Error | undefined {
  const code = status === 404 || status === 410 ? 'ENOENT' : status === 403 ? 'EACCES' : undefined;
  return code && Object.assign(new Error(why), { code });
}

/** Text of an address, as it stands where it is not encoded well. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** What tells a file from another in its place: many servers of files give no entity tags, but times. */
const versionOf = ({ headers }: Response): string | undefined =>
  headers.get('etag') || headers.get('last-modified') || undefined;

/** What `Content-Range` says. */
function rangeOf(response: Response): { readonly begin: number; readonly size: number } | undefined {
  const [, begin = '0', size] =
    /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(response.headers.get('content-range') ?? '') ?? [];
  return Number.isSafeInteger(Number(size)) ? { begin: Number(begin), size: Number(size) } : undefined;
}

/** Puts an answer's bytes into memory, as many as there is room for: how many came, and what ended them early. */
async function take(
  response: Response,
  bytes: Uint8Array,
): Promise<{ readonly bytes: number; readonly failure?: unknown }> {
  let at = 0;
  try {
    for await (const chunk of response.body ?? []) {
      const part = (chunk as Uint8Array).subarray(0, bytes.length - at);
      bytes.set(part, at);
      at += part.length;
      if (at === bytes.length) break; // and the rest, if there is more, is given up
    }
    return { bytes: at };
  } catch (failure) {
    return { bytes: at, failure };
  }
}

const isBusy = (status: number): boolean => status === 429 || status >= 500;

const statusOf = ({ status, statusText }: Response): string => `${status} ${statusText}`.trim();

/** fetch hides the system's error in its own. */
const causeOf = (error: unknown): unknown =>
  error instanceof Error && error.cause instanceof Error ? error.cause : error;
const codeOf = (error: unknown): string => String((causeOf(error) as { code?: unknown } | undefined)?.code);
const reasonFor = (error: unknown): string => strerror(causeOf(error));
