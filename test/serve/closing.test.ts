// Handlers in processes of their own: one that has nothing else to do than to close them, and one whose program is no file.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { Agent, createServer as createHttpServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { compiledFile } from '../../lib/core/package-files.js';
import { createHandler, createServer } from '../../lib/serve.js';
import { bytesOf, llama, models, repository } from './serving.js';

const serve = JSON.stringify(compiledFile('lib/serve'));

test.each([
  ['after an answer', 'if ((await (await fetch(url)).json()).error) process.exit(3);'],
  [
    'while it plans for a client that has left',
    "await new Promise((resolve) => { server.once('request', resolve); fetch(url, { signal }).catch(() => {}); }); leave.abort();",
  ],
  ['before anything was asked for', ''],
])('a handler that is closed %s settles, and the program goes on', (_, before) => {
  const program = `
    const { createHandler } = await import(${serve});
    const { createServer } = await import('node:http');
    const handler = await createHandler({ inputs: ['resnet18'] });
    const server = createServer(handler);
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = 'http://127.0.0.1:' + server.address().port + '/api/models/torchvision/resnet18/revision/seed-1';
    const leave = new AbortController();
    const { signal } = leave;
    ${before}
    server.closeAllConnections();
    server.close();
    await handler.close();
    console.log('closed');
  `;
  const args = ['--input-type=module', '-e', program];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 60_000 });
  expect([status, stdout, stderr]).toEqual([0, 'closed\n', '']);
});

test('a server that is closed ends connections by which clients go on asking', async () => {
  repository('tiny/closing', llama);
  const server = await createServer({ inputs: [join(models, 'tiny/closing')] });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ask = async (path: string) => {
    const request = get({ port, path, agent });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    return response;
  };
  try {
    const first = await ask('/local/closing/resolve/main/model.safetensors');
    const closed = once(server, 'close');
    server.close();
    first.resume();
    await once(first, 'end');
    const second = await ask('/healthz');
    second.resume();
    expect([second.statusCode, second.headers.connection]).toEqual([200, 'close']);
    await closed;
    await expect(ask('/healthz')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  } finally {
    agent.destroy();
    server.closeAllConnections();
    server.close();
  }
});

test('a handler that is closed gives the answers under way, also to those who still wait for a plan, and refuses others', async () => {
  repository('tiny/closing', llama);
  const errors: unknown[] = [];
  const handler = await createHandler({
    inputs: [join(models, 'tiny/closing')],
    onError: (error) => errors.push(error),
  });
  let closing: Promise<void> | undefined;
  const server = createHttpServer((request, response) => {
    handler(request, response);
    closing ??= handler.close(); // it has only been asked by then
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/local/closing/resolve/main/model.safetensors`;
  try {
    const response = await fetch(url);
    expect(response.status).toBe(200);
    expect((await bytesOf(response)).length).toBe(Number(response.headers.get('content-length')));
    await closing;
    const later = await fetch(url);
    expect([later.status, await later.json()]).toEqual([503, { error: 'the server is being closed' }]);
    expect(errors).toEqual([]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});
