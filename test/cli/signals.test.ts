import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { begun, main, patient, processFolder, start } from './processes.js';

const { folder, recipe } = processFolder();

describe.skipIf(process.platform === 'win32')('signals', () => {
  test('a reader that has stalled does not hold up the end', async () => {
    const args = [main, 'generate', recipe([2 ** 29], 'normal'), '-o', '-', '--quiet'];
    const child = spawn(process.execPath, args, {
      env: { ...process.env, ...patient },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await once(child.stdout, 'readable'); // some of it is there, and nobody takes it
    await setTimeout(200);
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(143);
    child.stdout.destroy();
  });

  const stuck = (grace: string, options: object = { left: '; x stays' }) => {
    const module = JSON.stringify(new URL('../../build/modules/lib/cli/signals.js', import.meta.url).href);
    const work = `withSignals(() => { setInterval(() => {}, 1e6); console.log('begun'); return new Promise(() => {}); }, ${JSON.stringify(options)})`;
    const code = `const { withSignals } = await import(${module}); await ${work};`;
    return start(process.execPath, ['--input-type=module', '-e', code], { NNINIT_GRACE_MS: grace });
  };

  test('work that cannot be stopped ends with the process, which says what stays', async () => {
    const { child, ended } = stuck('50');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGINT', stderr: 'nninit: interrupted; x stays\n' });
  });

  test('a grace of more than 2^31 ms is a long one', async () => {
    const { child, ended } = stuck('3000000000');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    await setTimeout(300);
    expect(child.exitCode ?? child.signalCode).toBe(null);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ signal: 'SIGTERM', stderr: '' });
  });

  /** A server of a file whose data never comes. */
  async function stalled(): Promise<{ readonly url: string; close(): void }> {
    const header = JSON.stringify({ w: { dtype: 'F64', shape: [2 ** 19], data_offsets: [0, 2 ** 22] } });
    const text = header.padEnd(Math.ceil(header.length / 8) * 8);
    const file = Buffer.alloc(8 + text.length + 2 ** 22);
    file.writeBigUInt64LE(BigInt(text.length));
    file.write(text, 8);
    const server = createServer(({ url, headers: { range = '' } }, response) => {
      const [, begin = '0'] = /^bytes=(\d+)/.exec(range) ?? [];
      if (url !== '/w.safetensors') response.writeHead(404).end();
      else if (begin === '0') {
        const content = `bytes 0-65535/${file.length}`;
        response.writeHead(206, { 'content-range': content, etag: '"1"' }).end(file.subarray(0, 65536));
      }
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const close = () => {
      server.closeAllConnections();
      server.close();
    };
    return { url: `http://127.0.0.1:${port}/w.safetensors`, close };
  }

  test.each([
    ['verify', 'the check of .*w.safetensors', []],
    ['report', 'the report', ['-o', '-', '--format', 'html']],
  ] as const)('%s that is ended says so, and with which code', async (command, what, options) => {
    const server = await stalled();
    try {
      const input = command === 'verify' ? [recipe([2 ** 19], 'normal')] : [];
      const { child, ended } = start(process.execPath, [main, command, server.url, ...input, ...options], patient);
      await once(child.stderr, 'data'); // what it looks at
      child.kill('SIGINT');
      const { code, stderr } = await ended;
      expect(code).toBe(130);
      expect(stderr).toMatch(new RegExp(`\nnninit: interrupted before ${what} was complete\n$`));
    } finally {
      server.close();
    }
  });

  test('a report of values that are made is ended with the code of the signal', async () => {
    const args = [main, 'report', recipe([2 ** 30], 'normal'), '-o', '-'];
    const { child, ended } = start(process.execPath, args, patient);
    await once(child.stderr, 'data');
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(143);
    expect(stderr).toMatch(/\nnninit: interrupted before the report was complete\n$/);
  });

  test('a second signal ends the process at once', async () => {
    const { child, ended } = stuck('60000');
    await once(child.stdout, 'data');
    child.kill('SIGINT');
    await setTimeout(100);
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGTERM', stderr: '' });
  });

  /** Work that keeps the main thread for ten seconds, as a long native call does. */
  const busy = (grace: string, options: object = { left: '; x stays' }) => {
    const module = JSON.stringify(new URL('../../build/modules/lib/cli/signals.js', import.meta.url).href);
    const work = `withSignals(async () => {
      require('node:fs').writeSync(1, 'begun');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10_000);
    }, ${JSON.stringify(options)})`;
    const code = `import(${module}).then(async ({ withSignals }) => { await ${work}; require('node:fs').writeSync(1, ' and done'); });`;
    return start(process.execPath, ['-e', code], { NNINIT_GRACE_MS: grace });
  };

  test('a signal ends the process while its main thread is in a long call', async () => {
    const { child, ended } = busy('50');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    const said = { code: null, signal: 'SIGTERM', stdout: 'begun', stderr: 'nninit: interrupted; x stays\n' };
    expect(await ended).toMatchObject(said);
  });

  test.each([stuck, busy])('programs that asked for JSON are told in JSON', async (kind) => {
    const { child, ended } = kind('50', { left: '; x stays', json: true });
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    const { stderr, signal } = await ended;
    const message = 'nninit: interrupted; x stays';
    const error = { message, code: 'ERR_NNINIT_INTERRUPTED', path: null, exit_code: null };
    expect([signal, JSON.parse(stderr)]).toEqual(['SIGTERM', { error }]);
  });

  test('and a second one does so at once', async () => {
    const { child, ended } = busy('60000');
    await once(child.stdout, 'data');
    child.kill('SIGTERM');
    await setTimeout(100);
    child.kill('SIGINT');
    expect(await ended).toMatchObject({ code: null, signal: 'SIGINT', stdout: 'begun', stderr: '' });
  });

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s in the middle leaves no file, and the exit code is %i', async (signal, expected) => {
    const out = join(folder.path, 'a/out');
    const args = [main, 'generate', recipe([2 ** 29], 'trunc_normal'), '-o', out];
    const { child, ended } = start(process.execPath, args, patient);
    await begun(out, child);
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toMatch(
      /\nnninit: interrupted before .*model\.safetensors was complete; what was begun is removed\n$/,
    );
    expect(readdirSync(folder.path)).toEqual(['recipe.json']);
  });
});
