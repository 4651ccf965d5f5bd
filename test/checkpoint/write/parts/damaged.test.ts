import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { finishCheckpoint, loadPlan, writeCheckpoint } from '../../../../lib/checkpoint.js';
import { journalName } from '../../../../lib/formats/journal-name.js';
import { contentOf } from '../../temporary.js';
import { at, recipe, root, whole } from './parted.js';

test("an order of somebody who was killed while others began the same is in nobody's way", async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, at(1, 2));
  const [name = ''] = readdirSync(out).filter((each) => each.endsWith('-order.part'));
  const [, run = ''] = /-(\w{8})-order\.part$/.exec(name) ?? [];
  const text = readFileSync(join(out, name), 'utf8');
  for (const other of ['00000000', 'ffffffff']) {
    writeFileSync(join(out, name.replace(run, other)), text.replaceAll(run, other));
  }
  for (const damaged of ['00000001', 'fffffffe']) writeFileSync(join(out, name.replace(run, damaged)), '');
  await expect(finishCheckpoint(out)).rejects.toThrow(/: part 0 of 2 is missing$/);
  await writeCheckpoint(plan, out, at(0, 2));
  expect(await finishCheckpoint(out)).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test.each([false, true])(
  'what was marked of a file that somebody has removed is written again, and nothing stands for it (finish is asked: %s)',
  async (asked) => {
    const plan = await loadPlan(recipe);
    const expected = await whole(plan);
    const out = join(root.path, 'out');
    await writeCheckpoint(plan, out, at(1, 3));
    for (const each of readdirSync(out)) if (each.endsWith('.tmp')) rmSync(join(out, each));
    if (asked) await expect(finishCheckpoint(out)).rejects.toThrow(/: parts 0, 1, 2 of 3 are missing$/);
    // The file is made anew by parts that have nothing to do with what was lost.
    for (const index of [0, 2]) await writeCheckpoint(plan, out, at(index, 3));
    await expect(finishCheckpoint(out)).rejects.toThrow(/: part 1 of 3 is missing$/);
    expect(await writeCheckpoint(plan, out, at(1, 3))).toMatchObject({ resumedBytes: 0 });
    await finishCheckpoint(out);
    expect(contentOf(out)).toEqual(expected);
  },
);

test('a head that was changed is not that of the checkpoint, which is not finished', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  for (const index of [0, 1]) await writeCheckpoint(plan, out, at(index, 2));
  const [name = ''] = readdirSync(out).filter((each) => each.endsWith('.tmp'));
  const file = openSync(join(out, name), 'r+');
  writeSync(file, ' ', 20);
  closeSync(file);
  const refused = { code: 'ERR_NNINIT_INCOMPLETE', message: expect.stringMatching(/out is not complete$/) };
  await expect(finishCheckpoint(out)).rejects.toMatchObject(refused);
  expect(readdirSync(out).filter((each) => !each.startsWith('.'))).toEqual([]);
});

test.runIf(process.platform !== 'win32')('a named pipe in the place of a file is none of the checkpoint', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  for (const index of [0, 1]) await writeCheckpoint(plan, out, at(index, 2));
  const [name = ''] = readdirSync(out).filter((each) => each.endsWith('.tmp'));
  rmSync(join(out, name));
  execFileSync('mkfifo', [join(out, name)]);
  await expect(finishCheckpoint(out)).rejects.toMatchObject({ code: 'ERR_NNINIT_INCOMPLETE' });
});

test.each([
  ['gone', undefined],
  ['empty', ''],
  ['damaged', '{"run":1}'],
])('without a journal (%s) no mark counts: parts are said to be missing, and written again', async (_, text) => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  for (const index of [0, 1]) await writeCheckpoint(plan, out, at(index, 2));
  rmSync(join(out, journalName));
  if (text !== undefined) writeFileSync(join(out, journalName), text);
  await expect(finishCheckpoint(out)).rejects.toThrow(/: parts 0, 1 of 2 are missing$/);
  for (const index of [0, 1]) await writeCheckpoint(plan, out, at(index, 2));
  expect(await finishCheckpoint(out)).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test.each(['model.safetensors.index.json', 'config.json'])(
  'without its %s a checkpoint is not complete for a part',
  async (name) => {
    const plan = await loadPlan({
      model_type: 'gpt2',
      n_layer: 1,
      n_embd: 64,
      n_head: 1,
      vocab_size: 16,
      n_positions: 4,
    });
    const out = join(root.path, 'out');
    const options = { maxShardSize: 20_000 };
    await writeCheckpoint(plan, out, options);
    expect(await writeCheckpoint(plan, out, { ...options, ...at(0, 2) })).toMatchObject({ complete: true });
    rmSync(join(out, name));
    expect(await writeCheckpoint(plan, out, { ...options, ...at(0, 2) })).toMatchObject({ complete: false });
  },
);

test('marks of a run that has no order count for nothing', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, at(0, 2));
  const [mark = ''] = readdirSync(out).filter((each) => /-\d+\.part$/.test(each));
  const [, digest, run] = /^\.nninit-(\w{12})-(\w{8})-/.exec(mark) ?? [];
  writeFileSync(join(out, `.nninit-${digest}-76543210-0-0-19046000.part`), '');
  writeFileSync(join(out, `.nninit-${'0'.repeat(12)}-${run}-0-0-19046000.part`), '');
  await expect(finishCheckpoint(out)).rejects.toMatchObject({ code: 'ERR_NNINIT_INCOMPLETE' });
  await writeCheckpoint(plan, out, at(1, 2));
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(expected);
});
