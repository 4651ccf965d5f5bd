// Orders of many small checkpoints, of which a job does many: what becomes of a batch that is given up in its midst.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { loadPlan, writeEnsemble } from '../../lib/checkpoint.js';
import { cluster, recipe } from './cluster.js';
import { hasRedis, unlessRedis } from './redis-server.js';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

describe.skipIf(!hasRedis)(`batches of an order over Redis${unlessRedis}`, () => {
  const { folder, at, afterwards, worker, ensemble, out } = cluster();
  const seedsOf = (count: number) => Array.from({ length: count }, (_, i) => i);
  const members = (name = 'out'): string[] =>
    existsSync(join(folder.path, name))
      ? readdirSync(join(folder.path, name)).filter((each) => each.startsWith('seed-'))
      : [];
  /** Every member, byte for byte, and nothing else. */
  const expectAll = async (seeds: readonly number[]) => {
    const path = join(folder.path, 'expected');
    await writeEnsemble(await loadPlan(recipe(4096)), path, { seeds });
    expect(readdirSync(join(folder.path, 'out')).sort()).toEqual(members('expected').sort());
    for (const seed of seeds) expect(out(`out/seed-${seed}`)).toEqual(out(`expected/seed-${seed}`));
  };
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await setTimeout(5);
  };

  test('many small checkpoints are few jobs, of which all workers get some', async () => {
    const seeds = seedsOf(200);
    const made = await ensemble('out', seeds);
    expect(made.parts).toBe(3);
    const messages: string[][] = [[], [], []];
    await Promise.all(messages.map((said) => worker({ onMessage: (text) => said.push(text) })));
    await made.wait();
    expect(messages.flat().filter((text) => text.startsWith('part '))).toHaveLength(3);
    expect(messages.filter((said) => said.length > 0).length).toBeGreaterThan(1);
    await expectAll(seeds);
  });

  test('the batch of a worker that is killed is done again, but for what is there', async () => {
    const seeds = seedsOf(150);
    const made = await ensemble('out', seeds, { parts: 1 });
    const args = ['worker', '--redis', at.server.url, '--root', folder.path, '--threads', '1', '--lost-after', '1'];
    const first: ChildProcess = spawn(process.execPath, [main, ...args], { stdio: 'ignore' });
    afterwards(async () => void first.kill('SIGKILL'));
    await until(() => members().length > 5);
    first.kill('SIGKILL');
    await new Promise((resolve) => first.once('close', resolve));
    const before = members();
    expect(before.length).toBeLessThan(150);
    const idOf = (name: string) => statSync(join(folder.path, 'out', name, 'model.safetensors')).ino;
    const ids = before.map(idOf);
    await worker();
    expect(await made.wait()).toMatchObject({ files: 150 });
    expect(before.map(idOf)).toEqual(ids);
    await expectAll(seeds);
  }, 60_000);

  test('cancelling ends a batch in its midst, and the same order goes on with it', async () => {
    const seeds = seedsOf(4000);
    const made = await ensemble('out', seeds, { parts: 1 });
    const first = await worker({ threads: 1 });
    const waiting = expect(made.wait()).rejects.toMatchObject({ code: 'ERR_NNINIT_INTERRUPTED', resumable: true });
    await until(() => members().length > 20);
    await made.cancel();
    await waiting;
    await first.close();
    const written = members().length;
    expect(written).toBeLessThan(4000);
    const few = seeds.slice(0, written + 20);
    await worker();
    await (await ensemble('out', few)).wait();
    await expectAll(few);
  }, 60_000);
});
