// Who gets an answer from a server, of what, and how many at once.
import { once } from 'node:events';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, expect, test, vi } from 'vitest';
import { Planner } from '../../lib/serve/planner.js';
import { createServer } from '../../lib/serve.js';
import { llama, models, repository, root, serve, writeRepositories } from './serving.js';

let base = '';
beforeAll(async () => {
  writeRepositories();
  base = await serve({ inputs: [models] });
});

/** A request whose path no client would mend. */
async function raw(path: string): Promise<number> {
  const { port } = new URL(base);
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get({ host: '127.0.0.1', port, path }, resolve).on('error', reject);
  });
  response.resume();
  return response.statusCode ?? 0;
}

test('what a listener of errors throws is a warning, and the client gets its answer', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  try {
    const failing = () => {
      throw new Error('the log is full');
    };
    const at = await serve({ inputs: [models], onError: failing });
    const answers = await Promise.all(['/api/models/tiny/broken', '/'].map((path) => fetch(at + path)));
    expect(answers.map(({ status }) => status)).toEqual([500, 200]);
    await Promise.all(answers.map((answer) => answer.text()));
    expect(warn.mock.calls.map(([warning]) => String(warning))).toContain('Error: the log is full');
  } finally {
    warn.mockRestore();
  }
});

test('many requests at once by one connection are answered, and warn of nothing', async () => {
  const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
  const socket = connect(Number(new URL(base).port), '127.0.0.1');
  try {
    const request = 'GET /tiny/gpt2/resolve/main/config.json HTTP/1.1\r\nHost: a\r\n\r\n';
    socket.write(request.repeat(30));
    let text = '';
    for await (const chunk of socket) {
      text += String(chunk);
      if (text.split('HTTP/1.1 200').length > 30) break;
    }
    expect(text.split('HTTP/1.1 200')).toHaveLength(31);
    expect(warn.mock.calls).toEqual([]);
  } finally {
    socket.destroy();
    warn.mockRestore();
  }
});

test('no path and no link leads out of the folder', async () => {
  writeFileSync(join(root, 'secret.json'), 'secret');
  mkdirSync(join(root, 'outside'));
  writeFileSync(join(root, 'outside/config.json'), JSON.stringify(llama));
  symlinkSync(join(root, 'secret.json'), join(models, 'tiny/gpt2/link.json'));
  symlinkSync(join(root, 'outside'), join(models, 'tiny/linked'));
  mkdirSync(join(models, 'tiny/config'));
  symlinkSync(join(root, 'outside/config.json'), join(models, 'tiny/config/config.json'));
  for (const path of [
    '/tiny/gpt2/resolve/main/link.json',
    '/tiny/linked/resolve/main/config.json',
    '/tiny/config/resolve/main/config.json',
    '/tiny/gpt2/resolve/main/../../../../secret.json',
    '/tiny/gpt2/resolve/main/..%2f..%2f..%2fsecret.json',
    '/tiny/gpt2/resolve/main/%2e%2e/%2e%2e/secret.json',
    '/tiny/..%2f..%2foutside/resolve/main/config.json',
    '/tiny/gpt2/resolve/main/config.json%00.txt',
    '/../models/resolve/main/config.json',
    '/nninit/../../secret.json',
  ]) {
    expect([400, 404], path).toContain(await raw(path));
  }
});

test('what is hidden, and folders of names that no repository has, are not served', async () => {
  repository('tiny/hiding', llama, { '.env': 'secret', 'notes.txt': 'for all' });
  repository('.private/llama', llama);
  repository('tiny/.private', llama);
  repository('a b/llama', llama);
  expect(await raw('/tiny/hiding/resolve/main/notes.txt')).toBe(200);
  for (const path of [
    '/tiny/hiding/resolve/main/.env',
    '/.private/llama/resolve/main/config.json',
    '/tiny/.private/resolve/main/config.json',
    '/a%20b/llama/resolve/main/config.json',
  ]) {
    expect([path, await raw(path)]).toEqual([path, 404]);
  }
  const ids = ((await (await fetch(`${base}/api/models`)).json()) as { id: string }[]).map(({ id }) => id);
  expect(ids.filter((id) => /private|a b/.test(id))).toEqual([]);
  const tree = await (await fetch(`${base}/api/models/tiny/hiding/tree/main`)).text();
  expect([tree.includes('notes.txt'), tree.includes('.env')]).toEqual([true, false]);
});

test('only GET and HEAD are answered, and nothing of a client gets into heads or logs', async () => {
  const deleting = await fetch(`${base}/tiny/gpt2`, { method: 'DELETE' });
  expect([deleting.status, deleting.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  const response = await fetch(`${base}/tiny/gpt2/resolve/main/a%0d%0ax-evil:%201`);
  expect([response.status, response.headers.get('x-evil')]).toEqual([404, null]);
});

test('a name of a host in place of a path is no error of the server', async () => {
  const failed: unknown[] = [];
  const credentials = { accessKeyId: 'AK', secretAccessKey: 'secret' };
  const at = await serve({ inputs: [models], credentials, onError: (error) => failed.push(error) });
  const { port } = new URL(at);
  for (const [path, status] of [
    ['//', 400],
    ['//:x/nninit', 404],
    ['//nninit/a', 403],
  ] as const) {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get({ host: '127.0.0.1', port, path }, resolve).on('error', reject);
    });
    response.resume();
    expect([path, response.statusCode]).toEqual([path, status]);
  }
  expect(failed).toEqual([]);
});

test('with a token and keys, nothing is answered without one of them, whatever a request claims to be', async () => {
  const credentials = { accessKeyId: 'AK', secretAccessKey: 'secret' };
  const at = await serve({ inputs: [models], token: 'abc', credentials, bucket: 'tiny' });
  const claims = [{}, { authorization: 'AWS4-HMAC-SHA256 Credential=AK' }, { authorization: 'Bearer x' }];
  for (const headers of claims as Record<string, string>[]) {
    for (const path of [
      '/',
      '/metrics',
      '/api/models',
      '/tiny/gpt2/resolve/main/config.json',
      '/tiny/gpt2/resolve',
      '/x',
    ]) {
      for (const query of ['', '?X-Amz-Signature=1', '?x-id=ListBuckets']) {
        expect([401, 403], path + query + JSON.stringify(headers)).toContain(
          (await fetch(at + path + query, { headers })).status,
        );
      }
    }
  }
  expect((await fetch(`${at}/api/models`, { headers: { authorization: 'Bearer abc' } })).status).toBe(200);
});

test('a token is asked for where one is set, but for healthz', async () => {
  const at = await serve({ inputs: [models], token: 'abc' });
  expect((await fetch(`${at}/api/models/tiny/gpt2`)).status).toBe(401);
  for (const [token, status] of [
    ['abc', 200],
    ['abd', 401],
  ] as const) {
    const headers = { authorization: `Bearer ${token}` };
    expect((await fetch(`${at}/api/models/tiny/gpt2`, { headers })).status).toBe(status);
  }
  expect((await fetch(`${at}/healthz`)).status).toBe(200);
});

test('a reader who takes nothing holds nobody up; too many at once are told to come later', async () => {
  const config = { model_type: 'llama', num_hidden_layers: 4, hidden_size: 2048, intermediate_size: 8192 };
  repository('big/llama', config);
  const at = await serve({ inputs: [models], limits: { requestsPerAddress: 3 } });
  const { port } = new URL(at);
  const request = 'GET /big/llama/resolve/main/model.safetensors HTTP/1.1\r\nHost: x\r\n\r\n';
  const stalled = Array.from({ length: 3 }, () => {
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(request));
    return socket.pause();
  });
  await vi.waitFor(async () => {
    const response = await fetch(`${at}/api/models/tiny/gpt2`);
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1']);
  });
  expect((await fetch(`${at}/healthz`)).status).toBe(200);
  expect((await fetch(`${at}/api/models/tiny/gpt2?/healthz`)).status).toBe(429);
  for (const socket of stalled) socket.destroy();
  const free = async () => expect((await fetch(`${at}/api/models/tiny/gpt2`)).status).toBe(200);
  await vi.waitFor(free, 20_000);
});

test('plans of clients that left are not made before those that others wait for', async () => {
  const at = await serve({ inputs: [models] });
  const { port } = new URL(at);
  const sockets = Array.from({ length: 12 }, (_, i) => {
    const request = `GET /api/models/tiny/llama/revision/seed-${100 + i} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const socket = connect(Number(port), '127.0.0.1', () => socket.write(request, () => socket.resetAndDestroy()));
    return new Promise((resolve) => socket.on('close', resolve));
  });
  await Promise.all(sockets);
  expect((await fetch(`${at}/api/models/tiny/llama/revision/seed-7`)).status).toBe(200);
  await vi.waitFor(async () => {
    expect(await (await fetch(`${at}/metrics`)).text()).toMatch(/^nninit_requests_in_flight 1$/m);
  }, 20_000);
  const page = await (await fetch(at)).text();
  const made = Array.from(page.matchAll(/revision\/(seed-\d+)"/g), ([, name]) => name);
  expect(made).toContain('seed-7');
  expect(made.length).toBeLessThan(6); // of the others at most those that were begun before they left
  expect((await fetch(`${at}/api/models/tiny/llama/revision/seed-111`)).status).toBe(200);
});

test.each(['/', '/nninit?list-type=2'])('what is listed at %s is not planned for clients that left', async (path) => {
  const wanted: boolean[] = [];
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const lay = vi.spyOn(Planner.prototype, 'lay').mockImplementation(async (_, isWanted = () => true) => {
    await gate;
    wanted.push(isWanted());
    throw new Error('not made');
  });
  const server = await createServer({ inputs: [models], onError: () => {} });
  const connections = promisify(server.getConnections.bind(server));
  try {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const text = `GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n`;
    const socket = connect(port, '127.0.0.1', () => socket.write(text));
    await vi.waitFor(() => expect(lay).toHaveBeenCalled(), 20_000);
    socket.destroy();
    await vi.waitFor(async () => expect(await connections()).toBe(0), 20_000);
    open();
    await vi.waitFor(() => expect(wanted).toHaveLength(lay.mock.calls.length), 20_000);
    expect(wanted).not.toContain(true);
  } finally {
    lay.mockRestore();
    server.close();
  }
});
