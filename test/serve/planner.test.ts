import { utimesSync, writeFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createPool } from '../../lib/pool/pool.js';
import { Catalog } from '../../lib/serve/catalog.js';
import { Planner } from '../../lib/serve/planner.js';
import { temporaryFolder } from '../checkpoint/temporary.js';

const folder = temporaryFolder();

test('a plan that could not be made is made when it is asked for again', async () => {
  const input = join(folder.path, 'config.json');
  const asked = { input, state: 'same', maxShardSize: 1e9, seed: 0n, dtype: undefined, engine: 'philox' } as const;
  const planner = new Planner();
  const cause = expect.objectContaining({ code: 'ENOENT' }); // which tells what passes
  const told = { name: 'InputError', code: 'ERR_NNINIT_READ', path: input, cause };
  await expect(planner.lay(asked)).rejects.toMatchObject(told);
  await writeFile(input, JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 10 }));
  const { files, parameters } = await planner.lay(asked);
  expect(files.map(({ name }) => name)).toEqual(['model.safetensors', 'config.json']);
  expect(Object.keys(parameters)).toEqual(['F32']);
  await planner.close();
});

test('what nobody waits for any more when its turn comes is not made, and holds up nobody', async () => {
  const input = join(folder.path, 'config.json');
  await writeFile(input, JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 10 }));
  const asked = { input, state: 'same', maxShardSize: 1e9, seed: 0n, dtype: undefined, engine: 'philox' } as const;
  const planner = new Planner();
  let gone = false;
  const first = planner.lay(asked);
  const second = planner.lay({ ...asked, seed: 1n }, () => !gone);
  const third = planner.lay({ ...asked, seed: 2n }, () => gone);
  gone = true;
  const refused = expect(second).rejects.toThrow('nobody waits');
  expect([(await first).seed, (await third).seed]).toEqual([0n, 2n]);
  await refused;
  await planner.close();
});

test('what changes before its turn to be planned comes has the commit of what it is then, and none of before', async () => {
  const models = join(folder.path, 'models');
  await mkdir(join(models, 'org/name'), { recursive: true });
  const write = (n_embd: number) =>
    writeFileSync(
      join(models, 'org/name/config.json'),
      JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd, n_head: 2, vocab_size: 10 }),
    );
  write(8);
  const pool = createPool({ threads: 1 });
  const catalog = await Catalog.of([models], { pool, engine: 'philox', maxShardSize: 1e9 });
  try {
    const before = (await catalog.snapshot('org/name', 'main')).commit;
    let size = 8;
    const change = () => {
      if (size < 1000) {
        size *= 10; // a file of another length each time
        write(size);
      }
      return false;
    };
    const changing = (name: string) => catalog.snapshot('org/name', name, change);
    const { commit, parameters } = await changing('seed-1');
    expect(parameters).toEqual((await catalog.snapshot('org/name', 'seed-1')).parameters);
    expect(commit).toBe((await catalog.snapshot('org/name', 'seed-1')).commit);
    expect(commit.slice(18)).not.toBe(before.slice(18));
    expect((await catalog.summary('org/name', 'seed-1', () => false)).commit).toBe(commit);
    const other = (await catalog.snapshot('org/name', 'seed-2')).commit.replace(/^.{16}/, '0000000000000003');
    size = 80;
    await expect(changing(other)).rejects.toMatchObject({ status: 404, hub: 'RevisionNotFound' });
    // As it was, times and all, when a plan that had waited was made of what came then.
    const writeAsOf = (time: number) => {
      write(8);
      utimesSync(join(models, 'org/name/config.json'), time, time);
    };
    writeAsOf(1e9);
    size = 8;
    await changing('seed-4');
    writeAsOf(1e9);
    const again = await catalog.snapshot('org/name', 'seed-5');
    expect(again.parameters).toEqual({ F32: 9160 });
  } finally {
    await catalog.close();
    await pool.close();
  }
});
