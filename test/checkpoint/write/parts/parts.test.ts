import { cpSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { layOut } from '../../../../lib/checkpoint/virtual/virtual-checkpoint.js';
import { isLeftover, journalName } from '../../../../lib/checkpoint/write/commit/journal.js';
import { writePart } from '../../../../lib/checkpoint/write/parts/write-part.js';
import { countsOf } from '../../../../lib/checkpoint/write/write.js';
import { finishCheckpoint, loadPlan, verifyCheckpoint, writeCheckpoint } from '../../../../lib/checkpoint.js';
import { createPool } from '../../../../lib/index.js';
import { contentOf } from '../../temporary.js';
import { at, recipe, root, whole } from './parted.js';

const formats = {
  shards: { seed: 5, maxShardSize: '13MB' },
  'one file': { seed: 5 },
  npy: { seed: 5, format: 'npy' },
  torch: { seed: 5, engine: 'torch' },
} as const;

test.each(Object.keys(formats) as (keyof typeof formats)[])(
  'parts in any order, twice and at once, are the checkpoint: %s',
  async (name) => {
    const plan = await loadPlan(recipe);
    const options = formats[name];
    const expected = await whole(plan, options);
    const out = join(root.path, 'deep', 'out');
    await writeCheckpoint(plan, out, { ...options, ...at(3, 5) });
    expect(readdirSync(out).filter((each) => !each.startsWith('.'))).toEqual([]);
    await expect(finishCheckpoint(out)).rejects.toMatchObject({
      code: 'ERR_NNINIT_INCOMPLETE',
      message: expect.stringContaining('parts 0, 1, 2, 4 of 5 are missing'),
    });
    await Promise.all([4, 0, 1, 3, 2, 0].map((index) => writeCheckpoint(plan, out, { ...options, ...at(index, 5) })));
    const again = await writeCheckpoint(plan, out, { ...options, ...at(2, 5) });
    expect(again).toMatchObject({ complete: false });
    expect(again.resumedBytes).toBeGreaterThan(3e6);
    const written = await finishCheckpoint(out);
    expect(written).toMatchObject({ complete: true, tensors: 4, parameters: 4_060_705 });
    expect(contentOf(out)).toEqual(expected);
    expect(await writeCheckpoint(plan, out, { ...options, ...at(2, 5) })).toMatchObject({ complete: true });
    expect(contentOf(out)).toEqual(expected);
    await expect(finishCheckpoint(out)).rejects.toMatchObject({ code: 'ERR_NNINIT_NO_PARTS' });
    if (name === 'one file') expect((await verifyCheckpoint(out)).ok).toBe(true);
  },
);

test('parts that are missing are named also beside the files of a checkpoint that they are to replace', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out);
  await writeCheckpoint(plan, out, { seed: 5, existing: 'replace', ...at(1, 3) });
  await expect(finishCheckpoint(out)).rejects.toMatchObject({
    code: 'ERR_NNINIT_INCOMPLETE',
    message: expect.stringContaining('parts 0, 2 of 3 are missing'),
  });
  for (const index of [0, 2]) await writeCheckpoint(plan, out, { seed: 5, existing: 'replace', ...at(index, 3) });
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(await whole(plan, { seed: 5 }));
});

test('a file without a byte is of one of the parts', async () => {
  const tensors = { e: [0, 3], w: [8], x: [0] };
  const plan = await loadPlan({ dtype: 'float32', tensors, initializers: { '*': 'normal' } } as never);
  const expected = await whole(plan, { format: 'raw' });
  const out = join(root.path, 'out');
  for (const index of [0, 1, 2]) await writeCheckpoint(plan, out, { format: 'raw', ...at(index, 3) });
  expect(await finishCheckpoint(out)).toMatchObject({ complete: true, files: 3 });
  expect(contentOf(out)).toEqual(expected);
});

test('whoever finds that all is there finishes it, also of parts that are cut otherwise', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan, formats.shards);
  const out = join(root.path, 'out');
  const part = (index: number, count: number) =>
    writeCheckpoint(plan, out, { ...formats.shards, part: { index, count, finish: 'auto' } });
  expect(await part(0, 2)).toMatchObject({ complete: false });
  const rest = await Promise.all([part(5, 7), part(3, 7), part(4, 7), part(6, 7)]);
  expect(rest.filter(({ complete }) => complete).length).toBeGreaterThan(0);
  expect(contentOf(out)).toEqual(expected);
});

test('an old checkpoint stays until the parts are finished', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan, { seed: 5 });
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, { seed: 1, maxShardSize: '13MB' });
  const old = contentOf(out);
  await expect(writeCheckpoint(plan, out, { seed: 5, ...at(0, 2) })).rejects.toMatchObject({ code: 'EEXIST' });
  expect(contentOf(out)).toEqual(old);
  const replace = { seed: 5, existing: 'replace' } as const;
  for (const index of [0, 1]) {
    await writeCheckpoint(plan, out, { ...replace, ...at(index, 2) });
    expect(contentOf(out)).toMatchObject(old);
  }
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(expected);
  expect(await writeCheckpoint(plan, out, { ...replace, ...at(0, 2) })).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test('parts of two plans never meet in a folder', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan, { seed: 7 });
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, { seed: 6, ...at(0, 2) });
  await expect(writeCheckpoint(plan, out, { seed: 7, ...at(1, 2) })).rejects.toMatchObject({ code: 'EEXIST' });
  await expect(writeCheckpoint(plan, out, { seed: 6 })).rejects.toMatchObject({ code: 'EEXIST' });
  const replace = { seed: 7, existing: 'replace' } as const;
  await writeCheckpoint(plan, out, { ...replace, ...at(1, 2) });
  // A part of the order before, which was paused, sees that it has no order any more.
  await expect(writeCheckpoint(plan, out, { seed: 6, ...at(1, 2) })).rejects.toMatchObject({ code: 'EEXIST' });
  await writeCheckpoint(plan, out, { ...replace, ...at(0, 2) });
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(expected);
});

test('a run of all goes on where parts have ended', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, at(0, 3));
  const { resumedBytes } = await writeCheckpoint(plan, out, { existing: 'resume' });
  expect(resumedBytes).toBeGreaterThan(5e6);
  expect(contentOf(out)).toEqual(expected);
});

test.each([
  ['', undefined],
  [' over a part', at(9, 10)],
] as const)('parts that are forced begin anew where a run without parts has left some%s', async (_, first) => {
  const plan = await loadPlan(recipe);
  const options = { maxShardSize: '13MB' };
  const expected = await whole(plan, options);
  const out = join(root.path, 'out');
  if (first !== undefined) await writeCheckpoint(plan, out, { ...options, ...first });
  const abort = new AbortController();
  const onProgress = ({ bytes }: { bytes: number }) => void (bytes > 13e6 && abort.abort('enough'));
  const stopped = { ...options, existing: 'resume', signal: abort.signal, onProgress } as const;
  await expect(writeCheckpoint(plan, out, stopped)).rejects.toMatchObject({ resumable: true });
  await expect(writeCheckpoint(plan, out, { ...options, ...at(1, 2) })).rejects.toThrow(/a run without parts/);
  const forced = { ...options, existing: 'replace' } as const;
  // The share of the first lies in what was written; one of them twice.
  for (const index of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 8])
    await writeCheckpoint(plan, out, { ...forced, ...at(index, 10) });
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(expected);
  expect(openIn(out)).toEqual([]);
});

test('parts that replace count nothing that has its name already, also where it is the same checkpoint', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out);
  const abort = new AbortController();
  const onProgress = ({ bytes }: { bytes: number }) => void (bytes > 15e6 && abort.abort('enough'));
  const other = { existing: 'replace', maxShardSize: '13MB', signal: abort.signal, onProgress } as const;
  await expect(writeCheckpoint(plan, out, other)).rejects.toMatchObject({ resumable: true });
  for (const index of [1, 0, 1]) await writeCheckpoint(plan, out, { existing: 'replace', ...at(index, 2) });
  expect(await finishCheckpoint(out)).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test('parts that are forced at once join the one that has begun first, also where that is done while another one waits', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  await writeCheckpoint(plan, out, { seed: 5, ...at(0, 2) });
  writeFileSync(join(out, '.nninit-alive-00000000'), ''); // somebody who may be at it still
  const { tensors, ...laid } = layOut('test', plan, {});
  const forced = (index: number, graceMs: number) =>
    writePart(out, { ...laid, ...countsOf(tensors) }, { part: { index, count: 2 }, force: true, graceMs });
  const late = forced(0, 1500);
  await forced(1, 50);
  await late;
  expect(await finishCheckpoint(out)).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test("somebody's file of a name that parts were to replace stays where another checkpoint comes in their place", async () => {
  const out = join(root.path, 'out');
  mkdirSync(out);
  for (const name of ['a.npy', 'z.npy']) writeFileSync(join(out, name), 'mine');
  const forced = { existing: 'replace' } as const;
  await writeCheckpoint(await loadPlan(recipe), out, { ...forced, format: 'npy', ...at(0, 2) });
  await writeCheckpoint(await loadPlan({ tensors: { c: { shape: [4], init: 'normal' } } }), out, forced);
  expect(readdirSync(out)).toEqual(['a.npy', 'model.safetensors', 'z.npy']);
  expect(readFileSync(join(out, 'a.npy'), 'utf8')).toBe('mine');
});

/** Files below a folder that this process has open, where the system tells. */
function openIn(folder: string): string[] {
  if (process.platform !== 'linux') return [];
  const linkOf = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return ''; // closed meanwhile
    }
  };
  return readdirSync('/proc/self/fd')
    .map(linkOf)
    .filter((path) => path.startsWith(folder));
}

test('a finish that was killed at any of its files is finished by another one', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan, formats.shards);
  const [parts, out] = [join(root.path, 'parts'), join(root.path, 'out')];
  for (const index of [0, 1, 2]) await writeCheckpoint(plan, parts, { ...formats.shards, ...at(index, 3) });
  cpSync(parts, out, { recursive: true });
  // As a finisher leaves it that was killed after it had written down what it goes on with, and removed the marks.
  const journal = JSON.parse(readFileSync(join(out, journalName), 'utf8'));
  const [shared = ''] = readdirSync(out).filter((name) => name.endsWith('.tmp'));
  const name = 'model-00001-of-00002.safetensors';
  const progress = { [name]: { file: shared, bytes: 12_000_000 } };
  writeFileSync(join(out, journalName), JSON.stringify({ ...journal, run: '01234567', parts: false, progress }));
  for (const each of readdirSync(out)) if (/-\d+\.part$/.test(each)) rmSync(join(out, each));
  expect(await writeCheckpoint(plan, out, { ...formats.shards, ...at(0, 3) })).toMatchObject({ complete: false });
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(expected);
  // And one that was killed when all files had their names.
  for (const each of readdirSync(parts))
    if (/order\.part$|json$/.test(each)) cpSync(join(parts, each), join(out, each));
  expect(await writeCheckpoint(plan, out, { ...formats.shards, ...at(0, 3) })).toMatchObject({ complete: false });
  expect(await finishCheckpoint(out)).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test.each([
  ['shards', false],
  ['one file', true],
  ['npy', false],
  ['npy', true],
] as const)(
  'of several that finish at once one does, and the others let it: %s, over an older one: %s',
  async (name, older) => {
    const plan = await loadPlan({
      tensors: {
        a: { shape: [300, 100], dtype: 'float32', init: 'normal' },
        b: { shape: [700, 101], dtype: 'float64', init: 'trunc_normal' },
        c: { shape: [5], dtype: 'float32', init: 'zeros' },
      },
    });
    const options = { ...formats[name], ...(name === 'shards' && { maxShardSize: '300KB' }) };
    const expected = await whole(plan, options);
    const [parts, out] = [join(root.path, 'parts'), join(root.path, 'out')];
    if (older) await writeCheckpoint(plan, parts, { ...options, seed: 6 });
    const existing = older ? 'replace' : 'refuse';
    for (const index of [0, 1, 2]) await writeCheckpoint(plan, parts, { ...options, existing, ...at(index, 3) });
    for (let turn = 0; turn < 20; turn++) {
      rmSync(out, { recursive: true, force: true });
      cpSync(parts, out, { recursive: true });
      const part = { index: turn % 3, count: 3, finish: 'auto' } as const;
      const finishing = Array.from({ length: 4 }, async (_, index) => {
        await setTimeout(Math.random() * turn);
        if (index % 2 === 0) await writeCheckpoint(plan, out, { ...options, part });
        else await finishCheckpoint(out).catch((cause) => expect(cause.code).toMatch(/^(EBUSY|ERR_NNINIT_NO_PARTS)$/));
      });
      await Promise.all(finishing);
      expect(contentOf(out)).toEqual(expected);
    }
  },
);

test('parts that live are not taken over; what they began stays after an abort', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  const abort = new AbortController();
  let refused: unknown;
  const interrupted = writeCheckpoint(plan, out, {
    ...at(0, 2),
    signal: abort.signal,
    onBegin: async () => {
      refused = await writeCheckpoint(plan, out, { existing: 'replace', seed: 9 }).catch((cause) => cause);
      abort.abort('enough');
    },
  });
  await expect(interrupted).rejects.toMatchObject({ name: 'InterruptedError', resumable: true });
  expect(refused).toMatchObject({ code: 'EBUSY' });
  expect(readdirSync(out).every((name) => name === journalName || isLeftover(name))).toBe(true);
  expect(readdirSync(out).some((name) => name.startsWith('.nninit-alive-'))).toBe(false);
});

test('a part that was paused while all was finished finds it complete, and leaves nothing', async () => {
  const plan = await loadPlan(recipe);
  const expected = await whole(plan);
  const out = join(root.path, 'out');
  let finished = false;
  const paused = await writeCheckpoint(plan, out, {
    ...at(0, 2),
    onBegin: async () => {
      if (finished) return;
      finished = true;
      for (const index of [0, 1]) await writeCheckpoint(plan, out, at(index, 2));
      await finishCheckpoint(out);
    },
  });
  expect(paused).toMatchObject({ complete: true });
  expect(contentOf(out)).toEqual(expected);
});

test('a part that is stopped goes on from what it has put on the disk', async () => {
  const { tensors, ...laid } = layOut('test', await loadPlan(recipe), {});
  const expected = await whole(await loadPlan(recipe));
  const out = join(root.path, 'out');
  const abort = new AbortController();
  const how = { part: { index: 0, count: 2 }, chunkBytes: 2 ** 18, journalBytes: 2 ** 20, workers: 0 };
  // The first MiB is being put on the disk by then.
  const onProgress = (bytes: number) => void (bytes > 3e6 && abort.abort('enough'));
  const all = { ...laid, ...countsOf(tensors) };
  const stopped = writePart(out, all, { ...how, signal: abort.signal, onProgress });
  await expect(stopped).rejects.toMatchObject({ name: 'InterruptedError', resumable: true });
  const { resumedBytes } = await writePart(out, all, how);
  expect(resumedBytes).toBeGreaterThanOrEqual(2 ** 20);
  expect(resumedBytes).toBeLessThan(8 * 2 ** 20);
  await writePart(out, all, { ...how, part: { index: 1, count: 2 } });
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(expected);
});

test('finishing that is interrupted says that it may be tried again, and may', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'out');
  for (const index of [0, 1]) await writeCheckpoint(plan, out, at(index, 2));
  const stopped = finishCheckpoint(out, { signal: AbortSignal.abort() });
  await expect(stopped).rejects.toMatchObject({ name: 'InterruptedError', resumable: true });
  await finishCheckpoint(out);
  expect(contentOf(out)).toEqual(await whole(plan));
});

test('refusals name the option', async () => {
  const plan = await loadPlan(recipe);
  const write = (part: unknown) => writeCheckpoint(plan, join(root.path, 'out'), { part } as never);
  await expect(write({ index: 2, count: 2 })).rejects.toThrow(/part\.index/);
  await expect(write({ index: 0, count: 0 })).rejects.toThrow(/part\.count/);
  await expect(write('0/2')).rejects.toThrow(/\{ index, count \} for part/);
  await expect(write({ index: 0, count: 2, finish: 'later' })).rejects.toThrow(/part\.finish/);
  await expect(write({ index: 0, of: 2 })).rejects.toThrow(/of/);
  expect(readdirSync(root.path)).toEqual([]);
});

test('what goes wrong with a part is told, also where its folder is gone by then, with which nobody can go on', async () => {
  const plan = await loadPlan(recipe);
  const out = join(root.path, 'lost', 'deep', 'out');
  const lose = () => rmSync(join(root.path, 'lost'), { recursive: true });
  const failing = writeCheckpoint(plan, out, {
    ...at(0, 2),
    onBegin: () => {
      lose();
      throw new Error('why');
    },
  });
  await expect(failing).rejects.toThrow('why');
  const abort = new AbortController();
  const onBegin = () => {
    lose();
    abort.abort('enough');
  };
  const interrupted = writeCheckpoint(plan, out, { ...at(0, 2), signal: abort.signal, onBegin });
  await expect(interrupted).rejects.toMatchObject({ name: 'InterruptedError', resumable: false });
});

test('a part whose pool is closed by force can be gone on with, and says so', async () => {
  const pool = createPool({ threads: 1 });
  const plan = await loadPlan(recipe);
  const onBegin = () => void pool.close({ force: true });
  const writing = writeCheckpoint(plan, join(root.path, 'out'), { ...at(0, 2), pool, onBegin });
  await expect(writing).rejects.toMatchObject({ name: 'PoolClosedError', resumable: true });
  await pool.close();
});
