// Handlers in processes of their own: one that has nothing else to do than to close them, and one whose program is no file.
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { compiledFile } from '../../lib/core/package-files.js';

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
