// The handler among others: below a prefix, behind middleware that compresses, after parsers of bodies.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { runInNewContext } from 'node:vm';
import { createGzip } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createHandler, type Handler } from '../../lib/serve.js';
import { bytesOf, llama, models, repository } from './serving.js';

let handler: Handler;
const errors: unknown[] = [];
const closes: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  repository('tiny/llama', llama, { 'tokenizer.json': JSON.stringify(Array.from({ length: 30_000 }, (_, i) => i)) });
  repository('tiny/many', { ...llama, num_hidden_layers: 160 });
  handler = await createHandler({ inputs: [models], maxShardSize: 1000, onError: (error) => errors.push(error) });
});

afterAll(async () => {
  for (const close of closes) await close();
  await handler.close();
});

async function mounted(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closes.push(() => {
    server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const json = { method: 'POST', headers: { 'content-type': 'application/json' } };
const form = { method: 'POST', headers: { 'content-type': 'application/x-www-form-urlencoded' } };

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Compresses as the middleware of Express does: its `write` passes over callbacks and gives the bytes to a stream, which keeps them. */
function compressing(response: ServerResponse, heeds: boolean): void {
  const { write, end, writeHead } = response;
  const gzip = createGzip();
  let isOn = false;
  response.writeHead = ((status: number, headers: Record<string, string>) => {
    isOn = !(heeds && /no-transform/.test(headers['cache-control'] ?? ''));
    if (!isOn) return writeHead.call(response, status, headers);
    const { 'content-length': _, ...others } = headers;
    return writeHead.call(response, status, { ...others, 'content-encoding': 'gzip' });
  }) as typeof writeHead;
  response.write = ((chunk: Uint8Array, encoding: BufferEncoding) =>
    isOn ? gzip.write(chunk) : write.call(response, chunk, encoding)) as typeof write;
  response.end = ((chunk?: Uint8Array) => {
    if (isOn) gzip.end(chunk);
    else end.call(response, chunk, 'utf8');
    return response;
  }) as typeof end;
  gzip.on('data', (chunk) => write.call(response, chunk, 'utf8'));
  gzip.on('end', () => end.call(response, undefined, 'utf8'));
  gzip.on('drain', () => response.emit('drain'));
}

test.each(['.safetensors', 'tokenizer.json'])(
  'a file %s comes whole through middleware that compresses, and is compressed only by such that does not ask',
  async (ending) => {
    const plain = await mounted(handler);
    const tree = await (await fetch(`${plain}/api/models/tiny/llama/tree/main`)).json();
    const files = tree as { path: string; size: number }[];
    const name = files.find((each) => each.path.endsWith(ending) && each.size > 30_000)?.path;
    const path = `/tiny/llama/resolve/seed-7/${name}`;
    const wanted = await bytesOf(await fetch(plain + path));
    for (const heeds of [true, false]) {
      const base = await mounted((request, response) => {
        compressing(response, heeds);
        handler(request, response);
      });
      const response = await fetch(base + path);
      expect(response.headers.get('content-encoding')).toBe(heeds ? null : 'gzip');
      expect(response.headers.get('content-length')).toBe(heeds ? String(wanted.length) : null);
      expect(Buffer.compare(await bytesOf(response), wanted)).toBe(0);
    }
  },
);

test.each([
  ['an empty object that a parser of other bodies leaves', json, '{"paths": ["config.json"]}', async () => ({})],
  ['the bytes of the body', json, '{"paths": ["config.json"]}', read],
  ['the bytes of a form', form, 'paths=config.json', read],
  [
    'the text of the body',
    json,
    '{"paths": ["config.json"]}',
    async (request: IncomingMessage) => String(await read(request)),
  ],
  [
    'the parsed body',
    json,
    '{"paths": ["config.json"]}',
    async (request: IncomingMessage) => JSON.parse(String(await read(request))),
  ],
])('paths are found where `body` at the request is %s', async (_, init, body, parse) => {
  const base = await mounted(async (request, response) => {
    handler(Object.assign(request, { body: await parse(request) }), response);
  });
  const response = await fetch(`${base}/api/models/tiny/llama/paths-info/main`, { ...init, body });
  expect(await response.json()).toMatchObject([{ path: 'config.json' }]);
});

test('a body that something else has read and kept is an error, and not one without paths', async () => {
  const base = await mounted(async (request, response) => {
    await read(request);
    handler(request, response);
  });
  const response = await fetch(`${base}/api/models/tiny/llama/paths-info/main`, {
    ...json,
    body: '{"paths": ["config.json"]}',
  });
  expect(response.status).toBe(500);
  expect(String(errors.at(-1))).toContain("has read the request's body");
});

test('who asks for no pages gets a tree of any length at once, since clients of the Hub cannot follow relative links', async () => {
  const base = await mounted(handler);
  const response = await fetch(`${base}/api/models/tiny/many/tree/main?recursive=true&expand=false`);
  expect(response.headers.get('link')).toBeNull();
  const { siblings } = (await (await fetch(`${base}/api/models/tiny/many`)).json()) as { siblings: unknown[] };
  expect(siblings.length).toBeGreaterThan(1000);
  expect(await response.json()).toHaveLength(siblings.length);
});

test.each(['/', '/prefix', '/prefix/'])('the page leads to its files and tells its address at %s', async (pathname) => {
  const page = await (await fetch(await mounted(handler))).text();
  const location = { origin: 'http://host', pathname };
  const hosts = [{ textContent: '' }, { textContent: '' }];
  const history = { replaceState: (_: unknown, __: string, to: string) => Object.assign(location, { pathname: to }) };
  for (const [, script] of page.matchAll(/<script>([\s\S]*?)<\/script>/g)) {
    runInNewContext(script as string, { location, history, document: { querySelectorAll: () => hosts } });
  }
  const [, link] = /<a href="(tiny[^"]+)"/.exec(page) ?? [];
  const root = pathname === '/' ? '' : '/prefix';
  expect(new URL(link as string, location.origin + location.pathname).pathname).toBe(`${root}/${link}`);
  expect(hosts).toEqual([{ textContent: `http://host${root}` }, { textContent: `http://host${root}` }]);
});

test('middleware whose `write` throws fails its own answer, and nothing else', async () => {
  const url = await mounted((request, response) => {
    if (request.url?.endsWith('tokenizer.json')) {
      response.write = () => {
        throw new Error('of the middleware');
      };
    }
    handler(request, response);
  });
  errors.length = 0;
  const broken = fetch(`${url}/tiny/llama/resolve/main/tokenizer.json`).then(bytesOf);
  await expect(broken).rejects.toThrow();
  expect(errors).toEqual([expect.objectContaining({ message: 'of the middleware' })]);
  expect((await fetch(`${url}/tiny/llama/resolve/main/config.json`)).status).toBe(200);
});
