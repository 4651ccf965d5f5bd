// Requests that no client makes: the server answers each with the length that it says, and never with an error of its own.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createServer } from '../../lib/serve.js';

const root = mkdtempSync(join(tmpdir(), 'nninit-hostile-'));
const errors: unknown[] = [];
let server: Server;
let port = 0;

beforeAll(async () => {
  mkdirSync(join(root, 'a/b'), { recursive: true });
  writeFileSync(
    join(root, 'a/b/config.json'),
    JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2 }),
  );
  server = await createServer({ inputs: [root], onError: (error) => errors.push(error) });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  port = (server.address() as AddressInfo).port;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  rmSync(root, { recursive: true, force: true });
});

/** What comes back for bytes that are sent as they are; after `most` bytes the client goes away. */
function answerTo(text: string, most = Number.POSITIVE_INFINITY): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const socket = connect(port, '127.0.0.1', () => socket.write(Buffer.from(text, 'latin1')));
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= most) socket.destroy();
    });
    socket.on('error', (error: NodeJS.ErrnoException) =>
      ['ECONNRESET', 'EPIPE'].includes(error.code ?? '') ? resolve(Buffer.concat(chunks)) : reject(error),
    );
    socket.on('close', () => resolve(Buffer.concat(chunks)));
  });
}

const name = fc.constantFrom(
  'a',
  'b',
  'api',
  'models',
  'resolve',
  'main',
  'seed-1',
  'tree',
  'nninit',
  'model.safetensors',
  'config.json',
  '..',
  '.',
  '%2e%2e',
  '%2f',
  '%00',
  '%',
  'healthz',
  'metrics',
  'revision',
  'refs',
  'paths-info',
  'é',
  '<b>',
);
const path = fc.oneof(
  fc.array(name, { maxLength: 8 }).map((parts) => `/${parts.join('/')}`),
  fc.string({ maxLength: 30, unit: 'binary-ascii' }).map((text) => `/${text.replace(/[\s\0]/g, '')}`),
);
const range = fc.oneof(
  fc
    .tuple(fc.integer({ min: -5, max: 3e5 }), fc.integer({ min: -5, max: 3e5 }))
    .map(([from, to]) => `bytes=${from}-${to}`),
  fc.constantFrom('bytes=-', 'bytes=0-0,5-6', 'bytes=99999999999999999999-', 'bytes=-99999999999999999999', 'x', ''),
);
const query = fc.constantFrom(
  '',
  '?',
  '?list-type=2&max-keys=-1',
  '?list-type=2&prefix=a/b/',
  '?limit=0',
  '?cursor=1e9',
  '?partNumber=9',
  '?X-Amz-Signature=x',
  '?a=%',
);
// Most of the time one thing is odd, not all of them: or hardly an answer would have a body to be looked at.
const method = fc.oneof(
  { arbitrary: fc.constant('GET'), weight: 5 },
  fc.constantFrom('HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'),
);

/** Lines that take a head apart, or make two of one request. */
const evil = fc.constantFrom(
  ...Array<string>(16).fill(''),
  'Content-Length: 5\r\nTransfer-Encoding: chunked\r\n',
  'Content-Length: 1\r\nContent-Length: 2\r\n',
  'Content-Length: -1\r\n',
  'Transfer-Encoding: xchunked\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Host: a\r\nHost: b\r\n',
  'X: a\n\nGET /metrics HTTP/1.1\r\n',
  'X: a\0b\r\n',
  ' folded: x\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: websocket\r\nConnection: Upgrade\r\n',
  'Accept-Encoding: gzip, br\r\n',
  'If-None-Match: *\r\n',
  'If-Range: x\r\n',
  `X: ${'x'.repeat(20_000)}\r\n`,
  'Authorization: AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request, SignedHeaders=host, Signature=0\r\n',
);
const version = fc.constantFrom(...Array<string>(9).fill('HTTP/1.1'), 'HTTP/1.0', 'HTTP/0.9', 'HTTP/2', '');

const file = '/a/b/resolve/main/model.safetensors';
/** Half of the requests are for the file, of which every byte is known. */
const target = fc.oneof(
  fc.tuple(path, query).map((parts) => parts.join('')),
  fc.constant(file),
);
const asked = fc.record({ method, target, version, range, evil, body: fc.string({ maxLength: 20 }) });
type Asked = typeof asked extends fc.Arbitrary<infer T> ? T : never;

const statuses = [200, 206, 304, 400, 403, 404, 405, 408, 413, 414, 416, 417, 429, 431, 503, 505];

/** Looks at the answers to one request, of which there may be several where it was taken for more. Tells in how many bytes of the file were compared. */
function checkAnswers(answer: Buffer, { method, target }: Asked, all: Buffer): number {
  let compared = 0;
  for (let at = 0; at < answer.length; ) {
    const end = answer.indexOf('\r\n\r\n', at);
    expect(end, answer.toString('latin1', at, at + 200)).toBeGreaterThan(0);
    const head = answer.toString('latin1', at, end);
    at = end + 4;
    const status = Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]);
    if (status === 100) continue;
    expect(statuses, head).toContain(status);
    const told = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
    if (method === 'HEAD' || status === 304) continue;
    expect(answer.length - at, head).toBeGreaterThanOrEqual(told);
    const body = answer.subarray(at, at + told);
    at += told;
    if (target !== file || (status !== 200 && status !== 206)) continue;
    const [, begin = 0, last = all.length - 1] = /^content-range: bytes (\d+)-(\d+)\//im.exec(head) ?? [];
    expect(body.equals(all.subarray(Number(begin), Number(last) + 1)), head).toBe(true);
    compared += 1;
  }
  return compared;
}

const openFiles = () => readdirSync('/proc/self/fd').length;

test('an address with a fragment, which no signature would cover, is refused', async () => {
  for (const target of ['/nninit?list-type=2#&prefix=a', `${file}#x`, '/healthz#']) {
    const answer = await answerTo(`GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 400 /);
  }
});

// NNINIT_HOSTILE=100000 for a long run: npm run fuzz:serve.
const requests = Number(process.env.NNINIT_HOSTILE ?? 1000);
const atOnce = 8;

test(
  'whatever is asked, the answer has the length that it says, and nothing is left behind',
  async () => {
    const all = Buffer.from(await (await fetch(`http://127.0.0.1:${port}${file}`)).arrayBuffer());
    const leaving = fc.option(fc.integer({ min: 0, max: 1e5 }), { nil: undefined, freq: 3 });
    const one = fc.tuple(asked, leaving);
    let before = { files: 0, rss: 0 };
    const numRuns = Math.ceil(requests / atOnce);
    let [runs, answered, compared] = [0, 0, 0];
    await fc.assert(
      fc.asyncProperty(fc.array(one, { minLength: atOnce, maxLength: atOnce }), async (several) => {
        const answers = several.map(async ([each, most]) => {
          const { method, target, version, range, evil, body } = each;
          const length = method === 'POST' ? `Content-Length: ${Buffer.byteLength(body)}\r\n` : '';
          const start = `${method} ${target} ${version}`.trim();
          const head = `${start}\r\nHost: x\r\nConnection: close\r\nRange: ${range}\r\n${length}${evil}\r\n`;
          const answer = await answerTo(head + (method === 'POST' || evil !== '' ? body : ''), most);
          if (most !== undefined) return;
          if (answer.length > 0) answered += 1;
          compared += checkAnswers(answer, each, all);
        });
        await Promise.all(answers);
        if (++runs === Math.ceil(numRuns / 2)) before = { files: openFiles(), rss: process.memoryUsage.rss() };
      }),
      { numRuns },
    );
    // A third of the clients stay to the end, and some of these ask for what is there.
    expect(answered).toBeGreaterThan(requests / 5);
    expect(compared).toBeGreaterThan(requests / 50);
    expect(errors).toEqual([]);
    await vi.waitFor(async () => {
      const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
      expect(metrics).toMatch(/^nninit_requests_in_flight 1$/m); // this one
    });
    expect(openFiles()).toBeLessThan(before.files + 20);
    expect(process.memoryUsage.rss() - before.rss).toBeLessThan(200 << 20);
  },
  60_000 + requests * 20,
);
