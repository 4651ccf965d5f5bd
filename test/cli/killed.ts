/** Runs of the command that are killed, and go on. */
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { indexNameOf } from '../../lib/checkpoint/virtual/shards.js';
import { journalName } from '../../lib/checkpoint/write/commit/journal.js';
import { contentOf } from '../checkpoint/temporary.js';

const indexName = indexNameOf('model');

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

/** A model of some 100 MB in 11 shards, with a tensor that is made whole. */
export function writeRecipe(path: string): void {
  const tensors = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`w${i}`, { shape: [2 ** 20 + i], dtype: 'float64', init: 'trunc_normal' }]),
  );
  writeFileSync(
    path,
    JSON.stringify({ tensors: { ...tensors, q: { shape: [512, 512], dtype: 'float32', init: 'orthogonal' } } }),
  );
}

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** Runs the command, and kills it after some milliseconds unless it ends before. */
export async function run(args: readonly string[], killAfter?: number): Promise<Ended> {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let stderr = '';
  child.stderr.on('data', (piece: Buffer) => {
    stderr += piece;
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stderr }));
  });
  if (killAfter !== undefined) {
    await Promise.race([ended, setTimeout(killAfter, undefined, { ref: false })]);
    child.kill('SIGKILL');
  }
  return ended;
}

/** What a killed run left: the visible files with their digests, and whether it had begun and not ended. */
function leftIn(folder: string): { readonly visible: Record<string, string>; readonly unfinished: boolean } {
  if (!existsSync(folder)) return { visible: {}, unfinished: false };
  const visible = Object.fromEntries(Object.entries(contentOf(folder)).filter(([name]) => !name.startsWith('.')));
  return { visible, unfinished: readdirSync(folder).includes(journalName) };
}

/**
 * Kills runs at random moments, and has others go on, until so many are killed, a quarter of them with something under way; by turns in an empty folder and, with --force, over an
 * older checkpoint. In the end all is as if nobody had been killed. At every moment in between the files that can be seen are
 * complete, and there is no index unless all of them belong together.
 *
 * @param longest milliseconds before a run is killed, at most (more where a whole run takes longer); those that end earlier are not
 */
export async function killAndResume(root: string, kills: number, longest: number): Promise<void> {
  const recipe = join(root, 'recipe.json');
  writeRecipe(recipe);
  const argumentsOf = (folder: string) => ['generate', recipe, '-o', folder, '--quiet', '--max-shard-size', '9MB'];
  const complete = async (folder: string, ...more: string[]) => {
    expect(await run([...argumentsOf(folder), ...more])).toEqual({ code: 0, stderr: '' });
    return contentOf(folder);
  };
  const start = performance.now();
  const expected = await complete(join(root, 'expected'));
  // Some runs must have the time to end: a whole one takes seconds under the sanitizers.
  const window = Math.max(longest, 1.5 * (performance.now() - start));
  const older = await complete(join(root, 'older'), '--seed', '1');
  const folder = join(root, 'out');
  let killed = 0;
  let inTheMidst = 0;
  for (let turn = 0; killed < kills || inTheMidst < kills / 4; turn++) {
    rmSync(folder, { recursive: true, force: true });
    const overOlder = turn % 2 === 1;
    if (overOlder) cpSync(join(root, 'older'), folder, { recursive: true });
    let how = overOlder ? '--force' : '--resume';
    for (;;) {
      const { code, stderr } = await run([...argumentsOf(folder), how], Math.random() * window);
      if (code !== null) {
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        break;
      }
      killed += 1;
      const { visible, unfinished } = leftIn(folder);
      if (indexName in visible) expect([expected, older]).toContainEqual(visible);
      for (const [name, digest] of Object.entries(visible)) expect([expected[name], older[name]]).toContain(digest);
      if (!unfinished) continue;
      inTheMidst += 1;
      how = '--resume';
    }
    expect(contentOf(folder)).toEqual(expected);
  }
}
