import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

let root = '';
beforeAll(() => {
  if (!existsSync(main)) throw new Error('dist/cli/main.js is missing: run `npm run build` first');
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

test('it writes a model, exits with 0, and says what it wrote on stdout', async () => {
  const out = join(root, 'out');
  const { code, stdout, stderr } = await nninit(['generate', recipe([100, 100], 'normal'), '-o', out, '--json']);
  expect([code, stderr]).toEqual([0, '']);
  expect(JSON.parse(stdout)).toMatchObject({ tensors: 1, parameters: 10000 });
  expect(readdirSync(out)).toEqual(['model.safetensors']);
});

describe.skipIf(process.platform === 'win32')('signals', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s in the middle leaves no file, and the exit code is %i', async (signal, expected) => {
    const out = join(root, 'a/out');
    const { child, ended } = start(process.execPath, [main, 'generate', recipe([2 ** 27], 'trunc_normal'), '-o', out]);
    await begun(out, child);
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    expect([code, stdout]).toEqual([expected, '']);
    expect(stderr).toMatch(
      /\nnninit: interrupted before .*model\.safetensors was complete; the unfinished file is removed\n$/,
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
