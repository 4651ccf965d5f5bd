import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { Copier } from '../pool/copier.js';
import { type Content, isOutdated, matches, rangeOf } from './content.js';
import { Refusal } from './refusal.js';

export interface SendOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  /** How many are being answered. */
  readonly requests: number;
  /** The most of a download, by which a server is shared; no limit by default. */
  readonly bytesPerSecond?: number | undefined;
  readonly onBytes: (bytes: number) => void;
}

/** A write copies to the system, a megabyte at a time: all downloads of one turn of the event loop would hold it for as long as they are many. */
const writes = new Copier();

/** Not an object: `constructor` is an ending too. */
const types: ReadonlyMap<string, string> = new Map([
  ['json', 'application/json'],
  ['txt', 'text/plain; charset=utf-8'],
  ['md', 'text/plain; charset=utf-8'],
]);

/** Answers GET or HEAD for a file: all of it, a range, or that nothing has changed. The client sets the pace. */
export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
  options: SendOptions,
): Promise<void> {
  const { size, modified } = content;
  const { headers, etag } = options;
  const common = {
    ...headers,
    etag,
    'accept-ranges': 'bytes',
    'last-modified': modified.toUTCString(),
    'cache-control': 'no-transform', // compressed on the way, it would be other bytes than its length, its range and its tag say
  };
  if (isOutdated(request.headers, etag, modified)) {
    throw new Refusal(412, 'it is another file now', { s3: 'PreconditionFailed', headers: common });
  }
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, common).end();
    return;
  }
  const { range: asked, 'if-range': condition } = request.headers;
  // Never by a time (RFC 9110, section 13.1.5): the files are as old as before when a server makes other bytes of them.
  const applies = condition === undefined || condition === etag;
  const range = rangeOf(applies ? asked : undefined, size);
  if (range === 'none') {
    const headers = { 'content-range': `bytes */${size}` };
    throw new Refusal(416, `expected a range within ${size} bytes`, { s3: 'InvalidRange', headers });
  }
  const { begin, end } = range === 'whole' ? { begin: 0, end: size } : range;
  response.writeHead(range === 'whole' ? 200 : 206, {
    ...common,
    'content-type': types.get(content.name.slice(content.name.lastIndexOf('.') + 1)) ?? 'application/octet-stream',
    'content-length': end - begin,
    ...(range !== 'whole' && { 'content-range': `bytes ${begin}-${end - 1}/${size}` }),
  });
  if (request.method === 'HEAD' || begin === end) {
    response.end();
    return;
  }
  response.flushHeaders(); // a tensor that is made whole may take a while
  await stream(request, response, content, begin, end, options);
}

async function stream(
  { socket }: IncomingMessage,
  response: ServerResponse,
  content: Content,
  begin: number,
  end: number,
  { requests, bytesPerSecond, onBytes }: SendOptions,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort(new Error('the client is gone'));
  // The response tells of it only when its turn has come: requests may be sent before others are answered.
  response.once('close', leave);
  const forget = whenClosed(socket, leave);
  if (response.destroyed || socket.destroyed) leave();
  const start = performance.now();
  let sent = 0;
  try {
    for await (const chunk of content.stream(begin, end, requests, gone.signal)) {
      // A second's worth at most: a connection on which nothing moves for minutes is taken for dead.
      const step = bytesPerSecond ?? chunk.length;
      for (let at = 0; at < chunk.length; at += step) {
        const piece = chunk.subarray(at, at + step);
        await written(response, piece, gone.signal);
        sent += piece.length;
        onBytes(piece.length);
        if (bytesPerSecond === undefined) continue;
        const early = (1000 * sent) / bytesPerSecond - (performance.now() - start);
        if (early > 1) await setTimeout(early, undefined, { signal: gone.signal });
      }
    }
    response.end();
  } finally {
    response.off('close', leave);
    forget();
  }
}

/** Of each connection, what is to be called when it is closed: one listener for however many requests come at once. */
const closing = new WeakMap<Socket, Set<() => void>>();

/** Calls something when a connection is closed, unless what is returned is called before. */
function whenClosed(socket: Socket, leave: () => void): () => void {
  const known = closing.get(socket);
  const all = known ?? new Set();
  if (known === undefined) {
    closing.set(socket, all);
    socket.once('close', () => {
      for (const each of all) each();
    });
  }
  all.add(leave);
  return () => void all.delete(leave);
}

/**
 * Resolves when the system has taken the bytes, and rejects when it never will: after an error of its own, or when the connection is closed, which is more than that
 * it is about to be. Then their memory may be used again.
 */
async function written(response: ServerResponse, chunk: Uint8Array, closed: AbortSignal): Promise<void> {
  // Middleware that compresses has put a `write` of its own there, which may pass over the callback and keep the bytes.
  const isWrapped = Object.hasOwn(response, 'write');
  await new Promise<void>((resolve, reject) => {
    const leave = () => reject(closed.reason);
    closed.addEventListener('abort', leave, { once: true });
    const settle = (error: Error | null | undefined) => {
      closed.removeEventListener('abort', leave);
      if (!error) resolve();
      else {
        response.destroy(); // the client is gone, before the system has said so otherwise
        reject(error);
      }
    };
    writes.push(() => {
      if (closed.aborted) return; // the memory is another's already
      if (isWrapped) {
        try {
          if (response.write(Buffer.from(chunk), settle)) settle(null);
          else response.once('drain', settle);
        } catch (cause) {
          reject(cause); // nobody else would catch what middleware throws here
        }
        return;
      }
      response.cork(); // writes now when it is uncorked, and not after this turn's other writes
      response.write(chunk, settle);
      response.uncork();
    });
  });
}

/** Answers with JSON. */
export function sendJson(
  request: IncomingMessage,
  response: ServerResponse,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): void {
  sendText(request, response, JSON.stringify(body), 'application/json; charset=utf-8', headers, status);
}

/** Answers with a text. */
export function sendText(
  request: IncomingMessage,
  response: ServerResponse,
  text: string,
  type: string,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): void {
  const bytes = Buffer.from(text);
  response.writeHead(status, { ...headers, 'content-type': type, 'content-length': bytes.length });
  response.end(request.method === 'HEAD' ? undefined : bytes);
}
