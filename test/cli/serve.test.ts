// `nninit serve` as a process: it says where it listens, and a signal ends it after the downloads under way.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

test('SIGTERM lets downloads end, takes no others, and the process ends well', async () => {
  const args = ['serve', 'resnet18', '--port', '0', '--bytes-per-second', '20MB'];
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/nninit: serving on http:\/\/127\.0\.0\.1:\d+\n/);
    const [, port] = /:(\d+)\n/.exec(said) ?? [];
    const path = '/torchvision/resnet18/resolve/seed-1/model.safetensors';
    const response = await new Promise<IncomingMessage>((resolve, reject) =>
      get({ port, path }, resolve).once('error', reject),
    );
    let bytes = 0;
    response.on('data', (chunk: Buffer) => (bytes += chunk.length));
    await once(response, 'data');
    child.kill('SIGTERM');
    const exit = once(child, 'exit');
    await expect.poll(() => fetch(`http://127.0.0.1:${port}/healthz`).catch(() => 'refused')).toBe('refused');
    await once(response, 'end');
    expect(bytes).toBe(Number(response.headers['content-length']));
    expect(await exit).toEqual([0, null]);
    expect(said.split('\n')).toHaveLength(2);
  } finally {
    child.kill('SIGKILL');
  }
}, 60_000);

test('a host that is empty, which would be all networks, is refused', async () => {
  const child = spawn(process.execPath, [main, 'serve', 'resnet18', '--host', '', '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(said).toContain("option '--host <address>' argument '' is invalid. Expected an address or a host's name.");
  } finally {
    child.kill('SIGKILL');
  }
});

test('a token with a line feed behind it, as files of secrets have it, is that token', async () => {
  const child = spawn(process.execPath, [main, 'serve', 'resnet18', '--port', '0'], {
    env: { ...process.env, NNINIT_SERVE_TOKEN: 'abc\n' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/:\d+\n/);
    const [, port] = /:(\d+)\n/.exec(said) ?? [];
    const statusOf = async (token: string) => {
      const headers = { authorization: `Bearer ${token}` };
      return (await fetch(`http://127.0.0.1:${port}/api/models`, { headers })).status;
    };
    expect([await statusOf('abc'), await statusOf('abd')]).toEqual([200, 401]);
  } finally {
    child.kill('SIGKILL');
  }
}, 60_000);

test('a folder of the name of a torchvision model, such as what was generated of it, takes nothing from the model', async () => {
  const cwd = mkdtempSync(join(tmpdir(), 'nninit-serve-'));
  mkdirSync(join(cwd, 'resnet18'));
  const args = ['serve', 'resnet18', '--port', '0'];
  const child = spawn(process.execPath, [main, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    await expect.poll(() => said, { timeout: 20_000 }).toMatch(/:\d+\n/);
    const [, port] = /:(\d+)\n/.exec(said) ?? [];
    const url = `http://127.0.0.1:${port}/torchvision/resnet18/resolve/main/model.safetensors`;
    expect((await fetch(url, { method: 'HEAD' })).status).toBe(200);
    expect(said.split('\n')).toHaveLength(2);
  } finally {
    child.kill('SIGKILL');
    rmSync(cwd, { recursive: true });
  }
}, 60_000);

test('a token that is white space is refused, since a server without one is open to all', async () => {
  const child = spawn(process.execPath, [main, 'serve', 'resnet18', '--port', '0'], {
    env: { ...process.env, NNINIT_SERVE_TOKEN: '\n' },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  try {
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
    expect(await once(child, 'close')).toEqual([2, null]);
    expect(said).toBe('nninit: NNINIT_SERVE_TOKEN: expected a secret, but it is white space\n');
  } finally {
    child.kill('SIGKILL');
  }
});

test.runIf(process.platform === 'linux')(
  'a server that can open no more files says so, and lists nothing as empty: copies of it would be emptied',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'nninit-serve-'));
    mkdirSync(join(folder, 'a/b'), { recursive: true });
    writeFileSync(join(folder, 'a/b/recipe.json'), '{"tensors": {"w": {"shape": [2], "init": "zeros"}}}');
    const args = ['-c', 'ulimit -n 100; exec "$@"', 'sh', process.execPath, main, 'serve', folder, '--port', '0'];
    const child = spawn('sh', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const sockets: Socket[] = [];
    try {
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      await expect.poll(() => said, { timeout: 20_000 }).toMatch(/:\d+\n/);
      const port = Number(/:(\d+)\n/.exec(said)?.[1]);
      const paths = ['/api/models', '/nninit?list-type=2', '/api/models/a/b'];
      const look = async () => {
        const asked = paths.map(async (path) => {
          // A connection more may be refused too.
          const answer = await fetch(`http://127.0.0.1:${port}${path}`).catch(() => undefined);
          const text = await answer?.text();
          return answer?.ok ? text : undefined;
        });
        return Promise.all(asked);
      };
      const usual = await look();
      expect(usual).toEqual([
        expect.stringContaining('a/b'),
        expect.stringContaining('a/b/main/recipe.json'),
        usual[2],
      ]);
      // Each answer is what it was, or none, however few files may still be opened.
      for (let found = usual; found.some((text) => text !== undefined); found = await look()) {
        for (const [i, text] of found.entries()) expect([undefined, usual[i]]).toContain(text);
        const socket = connect(port, '127.0.0.1');
        sockets.push(socket);
        await once(socket, 'connect');
        if (sockets.length > 150) break;
      }
      expect(sockets.length).toBeLessThan(150);
      expect(said).toContain('too many open files (EMFILE)');
    } finally {
      for (const socket of sockets) socket.destroy();
      child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  },
  60_000,
);
