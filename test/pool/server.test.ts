import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { loadPlan, virtualCheckpoint } from '../../lib/checkpoint.js';
import { sleep } from './cases.js';

const gpt2 = new URL('../../examples/gpt2/config.json', import.meta.url);
const main = fileURLToPath(new URL('../../examples/server/main.js', import.meta.url));

let server: ChildProcess;
let url = '';

beforeAll(async () => {
  const env = { ...process.env, NODE_OPTIONS: '', MAX_DOWNLOADS: '2', THREADS: '2' };
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

test.each([
  ['abc', 2, 'port: expected a whole number from 0 to 65535, but received "abc"'],
  ['99999', 2, 'port: expected'],
  ['-1', 2, 'port: expected'],
  ['busy', 1, 'could not listen: listen EADDRINUSE'],
])('port %s: one line, and exit code %i', (port, code, message) => {
  const args = [main, port === 'busy' ? new URL(url).port : port];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 20_000 });
  expect(status).toBe(code);
  expect(stderr).toContain(message);
  expect(stderr.trim().split('\n')).toHaveLength(1);
});

describe('GET', () => {
  test.each([
    [
      'weights?shape=700x900&init=normal&std=0.02&seed=7',
      { tensors: { weight: { init: 'normal', std: 0.02, shape: [700, 900] } } },
      7,
    ],
    [
      'weights?shape=3,3001&init=uniform&dtype=bfloat16',
      { tensors: { weight: { init: 'uniform', shape: [3, 3001] } } },
      0,
    ],
    [
      'weights?shape=100x200&init=orthogonal&seed=-1',
      { tensors: { weight: { init: 'orthogonal', shape: [100, 200] } } },
      -1,
    ],
    ['weights?shape=0x5&init=ones', { tensors: { weight: { init: 'ones', shape: [0, 5] } } }, 0],
    ['resnet18?seed=3', { model: 'resnet18' }, 3],
    ['gpt2?seed=3&dtype=float16', JSON.parse(readFileSync(gpt2, 'utf8')), 3],
  ] as const)('/%s: the bytes of the checkpoint', async (path, input, seed) => {
    const response = await fetch(`${url}/${path}`);
    expect(response.status).toBe(200);
    const dtype = /dtype=(b?float16)/.exec(path)?.[1] as 'float16' | undefined;
    const virtual = virtualCheckpoint(await loadPlan(input as Record<string, unknown>, { dtype }), { seed });
    const expected = createHash('sha256')
      .update(await virtual.read('model.safetensors'))
      .digest('hex');
    const found = createHash('sha256');
    for await (const chunk of response.body ?? []) found.update(chunk as Uint8Array);
    expect(response.headers.get('content-length')).toBe(String(virtual.files[0]?.size));
    expect(found.digest('hex')).toBe(expected);
  });

  test.each([
    ['weights?init=normal', 400, 'sizes such as'],
    ['weights?shape=3x-1&init=normal', 400, 'sizes such as'],
    ['weights?shape=3.5&init=normal', 400, 'sizes such as'],
    ['weights?shape=&init=normal', 400, 'sizes such as'],
    ['weights?shape=3&init=normla', 400, "did you mean 'normal'?"],
    ['weights?shape=3&init=__proto__', 400, 'expected one of'],
    ['weights?shape=3&init=normal%00', 400, 'expected one of'],
    ['weights?shape=3&init=normal&std=-1', 400, 'std: expected a finite number ≥ 0'],
    ['weights?shape=3&init=normal&sdt=1', 400, 'sdt'],
    ['weights?shape=3&init=normal&name=__metadata__', 400, 'name'],
    ['weights?shape=3&init=normal&seed=1.5', 400, 'seed'],
    ['weights?shape=3&init=normal&seed=', 400, 'seed'],
    ['weights?shape=3&init=normal&seed=99999999999999999999', 400, 'in [-2^63, 2^64) for seed'],
    ['weights?shape=3&init=normal&dtype=int8', 400, 'one of'],
    ['weights?shape=3&init=orthogonal', 400, 'Only tensors with 2 or more dimensions'],
    ['weights?shape=99999x99999&init=normal', 400, 'expected at most 4294967296 bytes'],
    ['resnet18?sede=7', 400, "'sede'"],
    ['nothing', 404, 'the name of a model'],
    ['constructor', 404, 'the name of a model'],
    ['test', 404, 'the name of a model'], // a folder where the server runs: nothing is said of it, and nothing read
    ['', 404, 'the name of a model'],
    ['..%2Fsecret', 404, 'the name of a model'],
    ['resnet18%00', 404, 'the name of a model'],
    ['%00', 404, 'the name of a model'],
    ['%', 400, 'an address'],
  ])('/%s is answered with %i', async (path, status, message) => {
    const response = await fetch(`${url}/${path}`);
    expect(response.status).toBe(status);
    const text = ((await response.json()) as { error: { message: string } }).error.message;
    expect(text).toContain(message);
    expect(text).not.toContain(fileURLToPath(new URL('../..', import.meta.url)));
  });

  test('ranges, HEAD, and other methods', async () => {
    const path = `${url}/weights?shape=30x1000&init=normal`;
    const whole = Buffer.from(await (await fetch(path)).arrayBuffer());
    const part = await fetch(path, { headers: { range: 'bytes=100-9999' } });
    expect([part.status, part.headers.get('content-range')]).toEqual([206, `bytes 100-9999/${whole.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(whole.subarray(100, 10_000))).toBe(true);
    expect((await fetch(path, { headers: { range: `bytes=${whole.length}-` } })).status).toBe(416);
    expect((await fetch(path, { method: 'POST' })).status).toBe(405);
    const head = await fetch(`${url}/weights?shape=3x1000000&init=ones`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(Number(head.headers.get('content-length'))).toBeGreaterThan(12_000_000);
  });

  test('a client that does not read holds the generation back; too many of them get 503', async () => {
    const rest = await memoryOf(server.pid);
    const slow = [await start('shape=900000000&init=normal'), await start('shape=900000000&init=normal')];
    await sleep(300);
    const before = await health();
    expect(before.downloads).toBe(2);
    const busy = await fetch(`${url}/weights?shape=3&init=ones`);
    expect(busy.status).toBe(503);
    expect(busy.headers.get('retry-after')).toBe('1');
    await busy.body?.cancel();
    const rss = await memoryOf(server.pid);
    if (rss !== undefined && rest !== undefined) expect(rss - rest).toBeLessThan(200 << 20); // of 7.2 GB that were asked for
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
