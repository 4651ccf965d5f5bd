import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

let root = '';
beforeAll(() => {
  if (!existsSync(main)) throw new Error('dist/lib/cli/main.js is missing: run `npm run build` first');
});
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-process-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const text = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece: Buffer) => {
    text.stdout += piece;
  });
  child.stderr.on('data', (piece: Buffer) => {
    text.stderr += piece;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...text }));
  });
  return { child, ended };
}

const nninit = (args: readonly string[], env?: NodeJS.ProcessEnv) =>
  start(process.execPath, [main, ...args], env).ended;

function recipe(shape: readonly number[], init: string): string {
  const path = join(root, 'recipe.json');
  writeFileSync(path, JSON.stringify({ tensors: { w: { shape, dtype: 'float64', init } } }));
  return path;
}

/** Waits until there is something in the folder. */
async function begun(folder: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && !(existsSync(folder) && readdirSync(folder).length > 0)) await setTimeout(2);
}

test('the command is a program with a shebang', () => {
  expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
});

test.skipIf(process.platform === 'win32')(
  'an argument that is not UTF-8 is refused: its folder would be another one',
  async () => {
    const command = `exec "$0" "${main}" generate "${recipe([2], 'ones')}" -o "${root}/a$(printf '\\377')"`;
    const { code, stderr } = await start('sh', ['-c', command, process.execPath]).ended;
    expect([code, stderr]).toEqual([2, `nninit: expected arguments in UTF-8, but received '${root}/a\ufffd'\n`]);
    expect(readdirSync(root)).toEqual(['recipe.json']);
  },
);

test('it writes a model, exits with 0, and says what it wrote on stdout', async () => {
  const out = join(root, 'out');
  const { code, stdout, stderr } = await nninit(['generate', recipe([100, 100], 'normal'), '-o', out, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({ tensors: 1, parameters: 10000 });
  expect(readdirSync(out)).toEqual(['model.safetensors']);
});

/** On a loaded machine, what is orderly may take its time. */
const patient = { NNINIT_GRACE_MS: '60000' };

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
    const out = join(root, 'a/out');
    const args = [main, 'generate', recipe([2 ** 29], 'trunc_normal'), '-o', out];
    const { child, ended } = start(process.execPath, args, patient);
    await begun(out, child);
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toMatch(
      /\nnninit: interrupted before .*model\.safetensors was complete; what was begun is removed\n$/,
    );
    expect(readdirSync(root)).toEqual(['recipe.json']);
  });
});

test.skipIf(process.platform === 'win32')(
  'a file that grows beyond what is allowed leaves nothing, and one line says why',
  async () => {
    const out = join(root, 'out');
    const args = [process.execPath, main, 'generate', recipe([2 ** 20], 'zeros'), '-o', out, '--quiet'];
    const { code, stderr } = await start('sh', ['-c', 'ulimit -f 1000; exec "$@"', 'sh', ...args]).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(`nninit: could not write ${join(out, 'model.safetensors')}: file too large (EFBIG)\n`);
    expect(readdirSync(root)).toEqual(['recipe.json']);
  },
);

describe.skipIf(process.platform === 'win32')('what is complete stays, and --resume goes on', () => {
  const argsOf = (out: string) => [main, 'generate', recipes(), '-o', out, '--format', 'npy', '--quiet'];

  /** A small tensor, which is complete soon, and a large one. */
  function recipes(): string {
    const path = join(root, 'recipe.json');
    const large = { shape: [2 ** 24], dtype: 'float64', init: 'trunc_normal' };
    writeFileSync(path, JSON.stringify({ tensors: { small: { shape: [100], init: 'normal' }, large } }));
    return path;
  }

  async function resume(out: string): Promise<void> {
    const { code, stderr } = await start(process.execPath, [...argsOf(out), '--resume']).ended;
    expect([code, stderr]).toEqual([0, '']);
    expect(readdirSync(out)).toEqual(['large.npy', 'manifest.json', 'small.npy']);
  }

  test('after a limit on the size of files', async () => {
    const out = join(root, 'out');
    const limited = ['-c', 'ulimit -f 2000; exec "$@"', 'sh', process.execPath, ...argsOf(out)];
    const { code, stderr } = await start('sh', limited).ended;
    expect(code).toBe(1);
    expect(stderr).toBe(
      `nninit: could not write ${join(out, 'large.npy')}: file too large (EFBIG); what is complete stays, and --resume goes on\n`,
    );
    expect(readdirSync(out)).toContain('small.npy');
    expect(readdirSync(out)).not.toContain('large.npy');
    await resume(out);
  });

  test('after SIGTERM', async () => {
    const out = join(root, 'out');
    const { child, ended } = start(process.execPath, argsOf(out), patient);
    while (child.exitCode === null && !existsSync(join(out, 'small.npy'))) await setTimeout(1);
    child.kill('SIGTERM');
    const { code, stderr } = await ended;
    expect(code).toBe(143);
    expect(stderr).toMatch(/manifest\.json was complete; what is complete stays, and --resume goes on\n$/);
    expect(readdirSync(out)).not.toContain('manifest.json');
    await resume(out);
  });
});

test.skipIf(process.platform === 'win32')(
  'where not even the sign of life can be written, nothing of an ensemble is left',
  async () => {
    const out = join(root, 'ensemble');
    const args = [process.execPath, main, 'generate', recipe([4], 'normal'), '-o', out, '--seeds', '0..3'];
    const { code, stderr } = await start('sh', ['-c', 'ulimit -f 0; exec "$@"', 'sh', ...args]).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining(`could not create a file in ${out}: `)]);
    expect(existsSync(out)).toBe(false);
  },
);

describe.skipIf(process.platform === 'win32')('nobody listens', () => {
  test('a model is finished without its progress', async () => {
    const out = join(root, 'out');
    const { child, ended } = start(process.execPath, [main, 'generate', recipe([2 ** 22], 'normal'), '-o', out]);
    child.stderr.destroy();
    expect((await ended).code).toBe(0);
    expect(readdirSync(out)).toEqual(['model.safetensors']);
  });

  test.skipIf(!existsSync('/dev/full'))('output that cannot be written is one line and exit code 1', async () => {
    const said = 'nninit: could not write to standard output: no space left on device (ENOSPC)\n';
    for (const args of [['plan', recipe([2], 'normal')], ['gains'], ['--help']]) {
      const { code, stderr } = await start('sh', ['-c', '"$@" > /dev/full', 'sh', process.execPath, main, ...args])
        .ended;
      expect([args[0], code, stderr]).toEqual([args[0], 1, said]);
    }
    for (const args of [
      ['plan', recipe([2], 'normal'), '--json'],
      ['report', recipe([2], 'normal'), '--format', 'json'],
    ]) {
      const { code, stderr } = await start('sh', ['-c', '"$@" > /dev/full', 'sh', process.execPath, main, ...args])
        .ended;
      const error = { message: said.trim(), code: 'ENOSPC', path: 'standard output', exit_code: 1 };
      expect([args[0], code, JSON.parse(stderr)]).toEqual([args[0], 1, { error }]);
    }
  });
});

describe.skipIf(process.platform === 'win32')('-o - streams to standard output', () => {
  const shell = (line: string, args: readonly string[]) =>
    start('sh', ['-c', `"$@" ${line}`, 'sh', process.execPath, main, 'generate', ...args, '-o', '-']).ended;

  test('the bytes of model.safetensors, through a pipe and to a file; the summary goes to stderr', async () => {
    const path = recipe([300, 1000], 'normal');
    expect((await nninit(['generate', path, '-o', join(root, 'out'), '--seed', '5'])).code).toBe(0);
    const expected = readFileSync(join(root, 'out/model.safetensors'));
    for (const line of ['| cat >', '>']) {
      const out = join(root, 'stream');
      const { code, stdout, stderr } = await shell(`${line} ${out}`, [path, '--seed', '5', '--json']);
      expect([code, stdout]).toEqual([0, '']);
      expect(JSON.parse(stderr)).toMatchObject({ path: 'standard output', bytes: expected.length, seed: '5' });
      expect(readFileSync(out).equals(expected)).toBe(true);
    }
  });

  test('a reader that is slow gets everything, one that stops is an error', async () => {
    const path = recipe([2 ** 21], 'normal');
    const slow = await shell('| (sleep 0.3; wc -c)', [path, '--quiet']);
    expect([slow.code, slow.stderr]).toEqual([0, '']);
    expect(Number(slow.stdout)).toBeGreaterThan(2 ** 24);
    const codeOfFirst = `{ sh -c '"$@"; echo $? >&2' sh "$@"; }`;
    const { stderr } = await start('sh', [
      '-c',
      `${codeOfFirst} | head -c 1000 > ${join(root, 'head')}`,
      'sh',
      process.execPath,
      ...[main, 'generate', path, '-o', '-', '--quiet'],
    ]).ended;
    expect(stderr).toBe('nninit: could not write to standard output: broken pipe (EPIPE)\n1\n');
    expect(readFileSync(join(root, 'head'))).toHaveLength(1000);
  });

  test('a file that grows beyond what is allowed is an error', async () => {
    const out = join(root, 'stream');
    const args = [process.execPath, main, 'generate', recipe([2 ** 20], 'normal'), '-o', '-', '--quiet'];
    const { code, stderr } = await start('sh', ['-c', `ulimit -f 1000; exec "$@" > ${out}`, 'sh', ...args]).ended;
    expect([code, stderr]).toEqual([1, 'nninit: could not write to standard output: file too large (EFBIG)\n']);
  });

  test.skipIf(!existsSync('/dev/full'))('a disk that is full is an error', async () => {
    const { code, stderr } = await shell('> /dev/full', [recipe([2 ** 20], 'normal'), '--quiet']);
    const said = 'nninit: could not write to standard output: no space left on device (ENOSPC)\n';
    expect([code, stderr]).toEqual([1, said]);
  });

  test.each([['--resume'], ['--force'], ['--name', 'x'], ['--max-shard-size', '1GB'], ['--format', 'npy']])(
    'it is refused with %s',
    async (...more) => {
      const { code, stdout, stderr } = await nninit(['generate', recipe([2], 'normal'), '-o', '-', ...more]);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(/^nninit: -o - writes /);
    },
  );
});

test('a reader that stops listening is no error', async () => {
  const { child, ended } = start(process.execPath, [main, 'gains']);
  child.stdout.destroy();
  const { code, stderr } = await ended;
  expect([code, stderr]).toEqual([0, '']);
});

test('NNINIT_DEBUG shows where an error came from, and nothing else does', async () => {
  const args = ['generate', join(root, 'none.json'), '-o', root];
  expect((await nninit(args)).stderr).not.toMatch(/^\s+at /m);
  expect((await nninit(args, { NNINIT_DEBUG: '1' })).stderr).toMatch(/^\s+at /m);
});
