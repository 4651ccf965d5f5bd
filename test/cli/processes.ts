import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll } from 'vitest';
import { temporaryFolder } from '../checkpoint/temporary.js';

/** The command, compiled. */
export const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

/** How a process ended, and what it said. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program, whose output is kept. */
export function start(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
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

/** Runs the command as a process of its own, to its end. */
export const nninit = (args: readonly string[], env?: NodeJS.ProcessEnv) =>
  start(process.execPath, [main, ...args], env).ended;

/** Waits until there is something in the folder. */
export async function begun(folder: string, child: ChildProcess): Promise<void> {
  while (child.exitCode === null && !(existsSync(folder) && readdirSync(folder).length > 0)) await setTimeout(2);
}

/** On a loaded machine, what is orderly may take its time. */
export const patient = { NNINIT_GRACE_MS: '60000' };

/** A folder for each test of a file that runs the command, which must be built, and recipes of one tensor in it. */
export function processFolder() {
  const folder = temporaryFolder();
  beforeAll(() => {
    if (!existsSync(main)) throw new Error('dist/lib/cli/main.js is missing: run `npm run build` first');
  });
  const recipe = (shape: readonly number[], init: string): string => {
    const path = join(folder.path, 'recipe.json');
    writeFileSync(path, JSON.stringify({ tensors: { w: { shape, dtype: 'float64', init } } }));
    return path;
  };
  return { folder, recipe };
}
