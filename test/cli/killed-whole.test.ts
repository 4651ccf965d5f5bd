import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { openCheckpoint } from '../../lib/checkpoint/read/open-checkpoint.js';
import { poolForCall } from '../../lib/checkpoint/write/workers.js';
import { temporaryFolder } from '../checkpoint/temporary.js';

const root = temporaryFolder();
const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

function recipe(shape: readonly number[], init: string): string {
  const path = join(root.path, 'recipe.json');
  writeFileSync(path, JSON.stringify({ tensors: { w: { shape, init } } }));
  return path;
}

test.skipIf(process.platform === 'win32')(
  'a signal is heard while a large tensor is made whole for standard output',
  async () => {
    const args = [main, 'generate', recipe([2 ** 20, 64], 'orthogonal'), '-o', '-', '--quiet']; // some ten seconds
    const env = { ...process.env, NNINIT_GRACE_MS: '60000' };
    const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'readable'); // the head
    await setTimeout(500);
    const start = performance.now();
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    child.stdout.destroy();
    expect(code).toBe(143);
    expect(performance.now() - start).toBeLessThan(2000);
  },
);

test.skipIf(process.platform !== 'linux' || process.env.NNINIT_ADDON !== undefined)(
  'where ulimit -v leaves no room for workers, a model is written without them',
  async () => {
    const args = [
      process.execPath,
      main,
      'generate',
      recipe([2 ** 23 + 1], 'normal'),
      '-o',
      join(root.path, 'out'),
      '--quiet',
    ];
    const child = spawn('sh', ['-c', 'ulimit -v 1700000; exec "$@"', 'sh', ...args], { stdio: 'inherit' });
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
  },
);

test('a pool for a call has a worker at least where nothing limits it', async () => {
  const pool = poolForCall(1);
  expect(pool?.threads).toBe(1);
  await pool?.close();
});

test('a shard without its index is no checkpoint', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  writeFileSync(join(folder, 'model-00001-of-00002.safetensors'), '');
  await expect(openCheckpoint(folder)).rejects.toThrow('there is a shard without its index');
  writeFileSync(join(folder, 'model-00002-of-00002.safetensors'), '');
  await expect(openCheckpoint(folder)).rejects.toThrow('there are shards without their index: model-00001-of-00002');
});

test('a checkpoint that a run has not finished is said to be that', async () => {
  const folder = join(root.path, 'out');
  mkdirSync(folder);
  writeFileSync(join(folder, '.nninit-unfinished.json'), '');
  const message = /this one is unfinished: a run writes it, or has left it to nninit generate --resume/;
  await expect(openCheckpoint(folder)).rejects.toThrow(message);
  writeFileSync(join(folder, 'model-00002-of-00002.safetensors'), '');
  await expect(openCheckpoint(folder)).rejects.toThrow(message);
});
