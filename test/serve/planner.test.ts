import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Planner } from '../../lib/serve/planner.js';
import { temporaryFolder } from '../checkpoint/temporary.js';

const folder = temporaryFolder();

test('a plan that could not be made is made when it is asked for again', async () => {
  const input = join(folder.path, 'config.json');
  const asked = { input, state: 'same', maxShardSize: 1e9, seed: 0n, dtype: undefined, engine: 'philox' } as const;
  const planner = new Planner();
  await expect(planner.lay(asked)).rejects.toMatchObject({ name: 'InputError', code: 'ERR_NNINIT_READ', path: input });
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
