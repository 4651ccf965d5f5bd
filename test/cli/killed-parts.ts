/** Parts of a checkpoint whose processes are killed. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect } from 'vitest';
import { contentOf } from '../checkpoint/temporary.js';
import { run, writeRecipe } from './killed.js';

const count = 4;

/**
 * Writes a checkpoint in parts by processes, three at a time, of which most are killed at random moments; each part is begun twice at once now and then,
 * and whoever is last finishes. In the end every byte is as if one undisturbed process had written all, and nothing is left.
 */
export async function killParts(root: string, kills: number): Promise<void> {
  const recipe = join(root, 'recipe.json');
  writeRecipe(recipe);
  const args = (folder: string) => ['generate', recipe, '-o', folder, '--quiet', '--max-shard-size', '40MB'];
  const start = performance.now();
  expect(await run(args(join(root, 'expected')))).toEqual({ code: 0, stderr: '' });
  const window = 1.2 * (performance.now() - start);
  const expected = contentOf(join(root, 'expected'));
  const folder = join(root, 'out');
  let killed = 0;
  while (killed < kills) {
    rmSync(folder, { recursive: true, force: true });
    const left = new Set(Array.from({ length: count }, (_, index) => index));
    const worker = async () => {
      while (left.size > 0) {
        const index = [...left][Math.floor(Math.random() * left.size)] ?? 0;
        const part = ['--part', `${index}/${count}`, '--finish', 'auto'];
        const { code, stderr } = await run([...args(folder), ...part], Math.random() * 2 * window);
        if (code === null) killed += 1;
        else expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
        if (code === 0) left.delete(index);
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    // The last one may have been killed while it finished, and so may whoever does it now.
    for (;;) {
      const { code, stderr } = await run(['finish', folder, '--quiet'], Math.random() * 2 * window);
      if (code === 0) break;
      if (code === null) killed += 1;
      else expect(stderr).toContain('is writing to'); // for a moment after its end, a process is still there
      await setTimeout(20);
    }
    expect(contentOf(folder)).toEqual(expected);
  }
}
