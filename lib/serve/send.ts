import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import { type Content, matches, rangeOf } from './content.js';
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

const types: Readonly<Record<string, string>> = {
  json: 'application/json',
  txt: 'text/plain; charset=utf-8',
  md: 'text/plain; charset=utf-8',
};

/** Answers GET or HEAD for a file: all of it, a range, or that nothing has changed. The client sets the pace. */
export async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  content: Content,
  options: SendOptions,
): Promise<void> {
  const { size, modified } = content;
  const { headers, etag } = options;
  const common = { ...headers, etag, 'accept-ranges': 'bytes', 'last-modified': modified.toUTCString() };
  if (matches(request.headers['if-none-match'], etag)) {
    response.writeHead(304, common).end();
    return;
  }
  const { range: asked, 'if-range': condition } = request.headers;
  const applies = condition === undefined || condition === etag || condition === common['last-modified'];
  const range = rangeOf(applies ? asked : undefined, size);
  if (range === 'none') {
    const headers = { 'content-range': `bytes */${size}` };
    throw new Refusal(416, `expected a range within ${size} bytes`, { s3: 'InvalidRange', headers });
  }
  const { begin, end } = range === 'whole' ? { begin: 0, end: size } : range;
  response.writeHead(range === 'whole' ? 200 : 206, {
    ...common,
    'content-type': types[content.name.slice(content.name.lastIndexOf('.') + 1)] ?? 'application/octet-stream',
    'content-length': end - begin,
    ...(range !== 'whole' && { 'content-range': `bytes ${begin}-${end - 1}/${size}` }),
  });
  if (request.method === 'HEAD' || begin === end) {
    response.end();
    return;
  }
  response.flushHeaders(); // a tensor that is made whole may take a while
  await stream(response, content, begin, end, options);
}

async function stream(
  response: ServerResponse,
  content: Content,
  begin: number,
  end: number,
  { requests, bytesPerSecond, onBytes }: SendOptions,
): Promise<void> {
  const gone = new AbortController();
  const leave = () => gone.abort(new Error('the client is gone'));
  response.once('close', leave);
  if (response.destroyed) leave();
  const start = performance.now();
  let sent = 0;
  try {
    for await (const chunk of content.stream(begin, end, requests, gone.signal)) {
      await written(response, chunk, gone.signal); // then its memory may be used again
      sent += chunk.length;
      onBytes(chunk.length);
      if (bytesPerSecond === undefined) continue;
      const early = (1000 * sent) / bytesPerSecond - (performance.now() - start);
      if (early > 1) await setTimeout(early, undefined, { signal: gone.signal });
    }
    response.end();
  } finally {
    response.off('close', leave);
  }
}

/** Resolves when the system has taken the bytes. */
async function written(response: ServerResponse, chunk: Uint8Array, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const leave = () => reject(signal.reason);
    signal.addEventListener('abort', leave, { once: true });
    response.write(chunk, (error) => {
      signal.removeEventListener('abort', leave);
      if (!error) resolve();
      else {
        response.destroy(); // the client is gone, before the system has said so otherwise
        reject(error);
      }
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
