import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { empty, Generator, init, safetensorsLayout } from '../../lib/index.js';
import { bytes, sleep } from './cases.js';

const main = fileURLToPath(new URL('../../examples/server/main.js', import.meta.url));

let server: ChildProcess;
let url = '';

beforeAll(async () => {
  const env = { ...process.env, NODE_OPTIONS: '', MAX_DOWNLOADS: '2', MAX_WHOLE_BYTES: '1000000', THREADS: '2' };
  server = spawn(process.execPath, [main, '0'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const [line] = (await once(server.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
  url = line.toString().trim();
});

afterAll(async () => {
  server.kill('SIGTERM');
  if (server.exitCode === null) await once(server, 'exit');
  expect(server.exitCode).toBe(0);
});

/** A response whose body is not read yet. */
async function start(query: string): Promise<IncomingMessage> {
  const request = get(`${url}/weights?${query}`, { agent: false });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

async function health(): Promise<{ downloads: number; pool: { pending: number } }> {
  return (await (await fetch(`${url}/healthz`)).json()) as { downloads: number; pool: { pending: number } };
}

async function untilIdle(): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const { downloads, pool } = await health();
    if (downloads === 0 && pool.pending === 0) return;
    await sleep(10);
  }
  throw new Error('the server is still at it');
}

describe('GET /weights', () => {
  test.each([
    ['shape=700x900&init=normal&std=0.02&seed=7', 'float32', [700, 900]],
    ['shape=3,300001&init=normal&std=0.02&seed=7&dtype=bfloat16', 'bfloat16', [3, 300_001]],
    ['shape=100x200&init=orthogonal&seed=-1&dtype=float64', 'float64', [100, 200]],
    ['shape=0x5&init=ones', 'float32', [0, 5]],
    ['shape=1&init=ones', 'float32', [1]],
  ] as const)('%s: the bytes of init, as safetensors', async (query, dtype, shape) => {
    const response = await fetch(`${url}/weights?${query}`);
    expect(response.status).toBe(200);
    const seed = query.includes('seed=7') ? 7 : -1;
    const generator = new Generator({ seed });
    const w = empty(shape, { dtype });
    if (query.includes('normal')) init.normal_(w, { std: 0.02, generator });
    else if (query.includes('orthogonal')) init.orthogonal_(w, { generator });
    else init.ones_(w);
    const tensor = { name: 'weight', shape, dtype, bytes: w.data.byteLength };
    const { head } = safetensorsLayout([tensor], { format: 'pt' });
    expect(response.headers.get('content-length')).toBe(String(head.length + w.data.byteLength));
    const body = Buffer.from(await response.arrayBuffer());
    expect(body.equals(Buffer.concat([head, bytes(w)]))).toBe(true);
  });

  test.each([
    ['init=normal', 'shape: expected a value'],
    ['shape=&init=normal', 'shape: expected a value'],
    ['shape=3', 'init: expected a value'],
    ['shape=3x-1&init=normal', 'shape: expected up to 8 whole numbers'],
    ['shape=3.5&init=normal', 'shape: expected up to 8 whole numbers'],
    ['shape=3&init=normla', "did you mean 'normal'?"],
    ['shape=3&init=__proto__', 'resolve: expected one of'],
    ['shape=3&init=normal&std=-1', 'normal: expected a finite number ≥ 0 for std'],
    ['shape=3&init=normal&std=', 'std: expected a number'],
    ['shape=3&init=normal&std=x', 'normal: expected a finite number'],
    ['shape=3&init=normal&sdt=1', 'sdt: unknown; normal takes'],
    ['shape=3&init=normal&seed=1.5', 'seed: expected an integer'],
    ['shape=3&init=normal&seed=99999999999999999999', 'in [-2^63, 2^64) for seed'],
    ['shape=3&init=normal&dtype=int8', 'dtype: expected one of'],
    ['shape=3&shape=4&init=normal', 'shape: expected one value'],
    ['shape=3&init=orthogonal', 'Only tensors with 2 or more dimensions'],
    ['shape=99999x99999&init=normal', 'shape: expected at most 4294967296 bytes'],
    ['shape=999999999999999x999999999999999&init=normal', 'a product of at most 2^53 - 1 elements'],
    ['shape=1000x1000&init=orthogonal', 'shape: expected at most 1000000 bytes for orthogonal'],
  ])('%s is answered with 400', async (query, message) => {
    const response = await fetch(`${url}/weights?${query}`);
    expect(response.status).toBe(400);
    expect(((await response.json()) as { error: { message: string } }).error.message).toContain(message);
  });

  test('other paths and methods', async () => {
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/weights?shape=3&init=ones`, { method: 'POST' })).status).toBe(405);
    const head = await fetch(`${url}/weights?shape=3x1000000&init=ones`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(12_000_000);
  });

  test('a client that does not read holds the generation back; too many of them get 503', async () => {
    const slow = [await start('shape=900000000&init=normal'), await start('shape=900000000&init=normal')];
    await sleep(300);
    const before = await health();
    expect(before.downloads).toBe(2);
    const busy = await fetch(`${url}/weights?shape=3&init=ones`);
    expect(busy.status).toBe(503);
    expect(busy.headers.get('retry-after')).toBe('1');
    await busy.body?.cancel();
    const rss = await memoryOf(server.pid);
    if (rss !== undefined) expect(rss).toBeLessThan(400 << 20); // of 7.2 GB that were asked for
    for (const response of slow) response.destroy();
    await untilIdle();
  });

  test('a client that leaves stops its fill', async () => {
    for (let i = 0; i < 20; i++) {
      const response = await start('shape=900000000&init=trunc_normal&dtype=float32');
      response.resume();
      await sleep(i * 2);
      response.destroy();
    }
    await untilIdle();
    expect((await fetch(`${url}/weights?shape=3&init=ones`)).status).toBe(200);
  });
});

async function memoryOf(pid: number | undefined): Promise<number | undefined> {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => ''); // Linux only
  const found = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  return found === undefined ? undefined : Number(found) * 1024;
}
