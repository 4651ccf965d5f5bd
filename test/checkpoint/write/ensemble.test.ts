import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { finishCheckpoint, loadPlan, writeCheckpoint, writeEnsemble } from '../../../lib/checkpoint.js';
import { WriteError } from '../../../lib/core/errors.js';
import { contentOf, temporaryFolder } from '../temporary.js';

const root = temporaryFolder();
const recipe = {
  tensors: {
    a: { shape: [64, 64], dtype: 'float32', init: 'kaiming_normal' },
    q: { shape: [16, 16], dtype: 'float32', init: 'orthogonal' },
    b: { shape: [64], dtype: 'float32', init: 'zeros' },
  },
};

test.each([{}, { maxShardSize: 8000 }, { format: 'npy' }, { engine: 'torch' }] as const)(
  'each member is what writeCheckpoint writes with its seed: %o',
  async (layout) => {
    const plan = await loadPlan(recipe);
    const out = join(root.path, 'deep', 'out');
    const seeds = [0, 7, -1, 2n ** 63n];
    const written = await writeEnsemble(plan, out, { ...layout, seeds });
    expect(written).toMatchObject({ path: out, seeds: [0n, 7n, 2n ** 64n - 1n, 2n ** 63n], resumedBytes: 0 });
    expect(readdirSync(out).sort()).toEqual(written.seeds.map((seed) => `seed-${seed}`).sort());
    let bytes = 0;
    for (const seed of written.seeds) {
      const alone = join(root.path, `alone-${seed}`);
      bytes += (await writeCheckpoint(plan, alone, { ...layout, seed })).bytes;
      expect(contentOf(join(out, `seed-${seed}`))).toEqual(contentOf(alone));
    }
    expect(written.bytes).toBe(bytes);
  },
);

test('all members are of the plan and the options as they were at the call', async () => {
  const plan = await loadPlan(recipe);
  const expected = join(root.path, 'expected');
  const seeds = Array.from({ length: 12 }, (_, seed) => seed);
  await writeEnsemble(plan, expected, { seeds });
  const copy = JSON.parse(JSON.stringify(plan));
  const options: { seeds: number[]; engine?: 'torch' } = { seeds: [...seeds] };
  const writing = writeEnsemble(copy, join(root.path, 'out'), options);
  options.engine = 'torch';
  options.seeds.length = 0;
  copy.tensors[0].initializer = 'ones';
  copy.tensors[1].shape = [1];
  expect((await writing).seeds).toHaveLength(12);
  for (const seed of seeds) {
    expect(contentOf(join(root.path, 'out', `seed-${seed}`))).toEqual(contentOf(join(expected, `seed-${seed}`)));
  }
});

test('members that are there are refused, replaced, or left alone', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  const all = await writeEnsemble(plan, out, { seeds: [0, 1, 2] });
  const content = [0, 1, 2].map((seed) => contentOf(join(out, `seed-${seed}`)));
  await expect(writeEnsemble(plan, out, { seeds: [3, 1] })).rejects.toMatchObject({ code: 'EEXIST' });
  rmSync(join(out, 'seed-1'), { recursive: true });
  const rest = await writeEnsemble(plan, out, { seeds: [0, 1, 2], existing: 'resume' });
  expect(rest).toMatchObject({ bytes: all.bytes, resumedBytes: 2 * (64 * 64 + 256 + 64) * 4 });
  writeFileSync(join(out, 'seed-2', 'model.safetensors'), 'x');
  await writeEnsemble(plan, out, { seeds: [2], existing: 'replace' });
  expect([0, 1, 2].map((seed) => contentOf(join(out, `seed-${seed}`)))).toEqual(content);
});

test('shares of the seeds are all of them', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  const seeds = Array.from({ length: 10 }, (_, seed) => seed);
  const parts = [2, 0, 1].map((index) => writeEnsemble(plan, out, { seeds, part: { index, count: 3 } }));
  const written = (await Promise.all(parts)).map((each) => each.seeds.length);
  expect(written).toEqual([4, 3, 3]);
  expect(readdirSync(out)).toHaveLength(10);
});

test('two that write the same at once both end well', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  const seeds = Array.from({ length: 20 }, (_, seed) => seed);
  await Promise.all([0, 1].map(() => writeEnsemble(plan, out, { seeds, existing: 'resume' })));
  const alone = join(root.path, 'alone');
  await writeEnsemble(plan, alone, { seeds });
  expect(readdirSync(out)).toEqual(readdirSync(alone));
  for (const name of readdirSync(alone)) expect(contentOf(join(out, name))).toEqual(contentOf(join(alone, name)));
});

test('what a killed run has left is removed; a failure leaves nothing hidden', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  mkdirSync(join(out, `.nninit-${'0'.repeat(12)}-01234567-seed-5.tmp`, 'x'), { recursive: true });
  mkdirSync(join(out, 'seed-1'), { recursive: true });
  writeFileSync(join(out, 'seed-1', 'model.safetensors'), 'x');
  await expect(writeEnsemble(plan, out, { seeds: [0, 1] })).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([]);
  const abort = new AbortController();
  const seeds = Array.from({ length: 100 }, (_, seed) => seed + 10);
  const onProgress = () => abort.abort('enough');
  await expect(writeEnsemble(plan, out, { seeds, signal: abort.signal, onProgress })).rejects.toMatchObject({
    name: 'InterruptedError',
    resumable: true,
  });
  expect(readdirSync(out).filter((name) => name.startsWith('.'))).toEqual([]);
  expect(readdirSync(out).length).toBeLessThan(100);
});

test('what is unfinished of a checkpoint in the folder itself stays, and can be finished', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, { part: { index: 0, count: 1 } });
  const parts = readdirSync(out);
  await writeEnsemble(plan, out, { seeds: [1] });
  expect(readdirSync(out)).toEqual([...parts, 'seed-1'].sort());
  expect((await finishCheckpoint(out)).complete).toBe(true);
  expect(readdirSync(out)).toEqual(['model.safetensors', 'seed-1']);
});

test('refusals name the option', async () => {
  const plan = await loadPlan(recipe);
  const write = (options: object) => writeEnsemble(plan, join(root.path, 'out'), options as never);
  await expect(write({})).rejects.toThrow(/seeds/);
  await expect(write({ seeds: [1, 1] })).rejects.toThrow(/each seed once for seeds/);
  await expect(write({ seeds: [1.5] })).rejects.toThrow(/seed/);
  await expect(write({ seeds: [1], seed: 3 })).rejects.toThrow(/seed/);
  expect(readdirSync(root.path)).toEqual([]);
});

test('seeds with a place that is empty are refused, and nothing is written', async () => {
  const seeds = [0, 1, 2];
  delete seeds[1];
  const out = join(root.path, 'sparse');
  const writing = writeEnsemble(await loadPlan(recipe), out, { seeds });
  await expect(writing).rejects.toThrow('writeEnsemble: expected an integer in [-2^63, 2^64) for seed');
  expect(readdirSync(root.path)).not.toContain('sparse');
});

test('of an ensemble that was aborted before its first member no folder is left', async () => {
  const writing = writeEnsemble(await loadPlan(recipe), join(root.path, 'aborted', 'out'), {
    seeds: [0],
    signal: AbortSignal.abort(),
  });
  await expect(writing).rejects.toMatchObject({ code: 'ERR_NNINIT_INTERRUPTED' });
  expect(readdirSync(root.path)).not.toContain('aborted');
});

test('where a member fails those that are complete stay, and the error says so', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  let members = 0;
  const writing = writeEnsemble(plan, out, {
    seeds: Array.from({ length: 100 }, (_, seed) => seed),
    onProgress: () => {
      if (++members === 10) throw new WriteError('write', out, new Error('the disk is full'));
    },
  });
  await expect(writing).rejects.toMatchObject({ name: 'WriteError', resumable: true });
  expect(readdirSync(out).length).toBeGreaterThanOrEqual(10);
});
