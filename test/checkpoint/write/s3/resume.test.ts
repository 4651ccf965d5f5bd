import { expect, test } from 'vitest';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { createPool } from '../../../../lib/index.js';
import { folderOf, laidOf, server, shards, url } from './storing.js';

test('an upload that was begun by a request whose answer was lost is given up', async () => {
  const lost = new Map<string, number>();
  // The answers to the first two requests for each file, and to the first one that gives up what they began.
  server.fault = (line) => {
    const times = lost.get(line) ?? 0;
    if (!(line.startsWith('POST') && line.endsWith(' uploads')) && !line.startsWith('DELETE')) return 'none';
    lost.set(line, times + 1);
    return times < (line.startsWith('POST') ? 2 : 1) ? 'lost' : 'none';
  };
  await writeToS3(url, await laidOf(shards), {});
  expect([...lost.values()].sort()).toEqual([3, 3, 3, 3]);
  expect(server.uploads.size).toBe(0);
});

test('what was sent before an end is not sent again; parts of others are', async () => {
  const expected = await folderOf(shards);
  const laid = await laidOf(shards);
  const abort = new AbortController();
  const interrupted = writeToS3(url, laid, {
    partBytes: 5 * 2 ** 20,
    signal: abort.signal,
    onProgress: (bytes) => bytes > 6e6 && abort.abort('enough'),
  });
  await expect(interrupted).rejects.toMatchObject({ name: 'InterruptedError', resumable: true });
  expect(server.content('')).toEqual({});
  await expect(writeToS3(url, laid, {})).rejects.toMatchObject({ code: 'EEXIST' });
  // An upload whose head nobody has sent is begun anew.
  const begun = [...server.uploads.values()].filter(({ parts }) => parts.has(1));
  const parts = begun.flatMap((upload) => [...upload.parts].sort(([x], [y]) => y - x).map(([, part]) => part));
  expect(parts.length).toBeGreaterThan(1);
  parts[0]?.fill(0); // as a part of another seed would be
  server.log.length = 0;
  const { resumedBytes } = await writeToS3(url, laid, { partBytes: 5 * 2 ** 20, resume: true });
  expect(resumedBytes).toBe(parts.slice(1).reduce((sum, part) => sum + part.length, 0));
  expect(server.content('deep/out/')).toEqual(expected);
  const sent = server.log.filter((line) => line.startsWith('PUT') && line.endsWith('uploadId'));
  expect(sent).toHaveLength(5 - (parts.length - 1));
});

test('a store that lists uploads of a whole name alone: an unfinished checkpoint is found, gone on with, and replaced', async () => {
  server.hidesUploads = true;
  const small = { seed: 5, maxShardSize: '5MB' }; // more shards than a first and a last one
  const laid = await laidOf(small);
  const interrupted = (options: object) => {
    const abort = new AbortController();
    const onProgress = (bytes: number) => bytes > 6e6 && abort.abort('enough');
    return writeToS3(url, laid, { ...options, signal: abort.signal, onProgress });
  };
  await expect(interrupted({})).rejects.toMatchObject({ name: 'InterruptedError', resumable: true });
  const begun = server.uploads.size;
  expect(begun).toBeGreaterThan(2);
  await expect(writeToS3(url, laid, {})).rejects.toMatchObject({ code: 'EEXIST' });
  expect(server.uploads.size).toBe(begun);
  const { resumedBytes } = await writeToS3(url, laid, { resume: true });
  expect(resumedBytes).toBeGreaterThan(6e6);
  expect(server.uploads.size).toBe(0);
  expect(server.content('deep/out/')).toEqual(await folderOf(small));
  await expect(interrupted({ force: true })).rejects.toMatchObject({ name: 'InterruptedError' });
  await writeToS3(url, laid, { force: true });
  expect(server.uploads.size).toBe(0);
});

test('what goes on with an upload of another seed is never taken for that seed', async () => {
  const abort = new AbortController();
  const how = { partBytes: 5 * 2 ** 20 };
  const onProgress = (bytes: number) => bytes > 6e6 && abort.abort('enough');
  const first = writeToS3(url, await laidOf({ seed: 1 }), { ...how, signal: abort.signal, onProgress });
  await expect(first).rejects.toMatchObject({ resumable: true });
  await writeToS3(url, await laidOf({ seed: 2 }), { ...how, resume: true });
  expect(server.content('deep/out/')).toEqual(await folderOf({ seed: 2 }));
  expect(server.uploads.size).toBe(0);
  await writeToS3(url, await laidOf({ seed: 2 }), { resume: true });
  await expect(writeToS3(url, await laidOf({ seed: 1 }), { resume: true })).rejects.toThrow(/another plan, seed/);
});

test('uploads that others have left are given up by whoever replaces them, and all but one by whoever goes on', async () => {
  const left = () => {
    for (const id of ['1', '2', '3']) {
      const key = `deep/out/model-0000${id === '3' ? 2 : 1}-of-00002.safetensors`;
      server.uploads.set(id, { key, meta: {}, parts: new Map() });
    }
    server.uploads.set('4', { key: 'deep/out/mine.bin', meta: {}, parts: new Map() });
  };
  left();
  await writeToS3(url, await laidOf(shards), { resume: true });
  expect([...server.uploads.keys()]).toEqual(['4']);
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  left();
  await writeToS3(url, await laidOf({ seed: 6 }), { force: true });
  expect([...server.uploads.keys()]).toEqual(['4']);
  expect(Object.keys(server.content('deep/out/'))).toEqual(['model.safetensors']);
});

test('a pool that is closed by force: that is said, and what was sent is kept for a run that goes on', async () => {
  const pool = createPool({ threads: 2 });
  const laid = await laidOf(shards);
  const onProgress = () => void pool.close({ force: true });
  const writing = writeToS3(url, laid, { partBytes: 5 * 2 ** 20, pool, onProgress });
  await expect(writing).rejects.toMatchObject({ code: 'ERR_NNINIT_POOL_CLOSED', resumable: true });
  expect(server.uploads.size).toBe(2);
  await writeToS3(url, laid, { partBytes: 5 * 2 ** 20, resume: true });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('a callback that throws: its error is told, and what was sent is kept for a run that goes on', async () => {
  const laid = await laidOf(shards);
  const mine = new Error('mine');
  const onProgress = (bytes: number) => {
    if (bytes > 6e6) throw mine;
  };
  await expect(writeToS3(url, laid, { partBytes: 5 * 2 ** 20, onProgress })).rejects.toBe(mine);
  const onBegin = () => Promise.reject(mine);
  await expect(writeToS3(url, laid, { partBytes: 5 * 2 ** 20, resume: true, onBegin })).rejects.toBe(mine);
  const { resumedBytes } = await writeToS3(url, laid, { partBytes: 5 * 2 ** 20, resume: true });
  expect(resumedBytes).toBeGreaterThan(6e6);
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('a callback that stops the run and throws: the error of the stop says what is kept', async () => {
  const laid = await laidOf(shards);
  const abort = new AbortController();
  const onProgress = (bytes: number) => {
    if (bytes <= 6e6) return;
    abort.abort();
    throw new Error('mine');
  };
  const stopped = writeToS3(url, laid, { partBytes: 5 * 2 ** 20, onProgress, signal: abort.signal });
  await expect(stopped).rejects.toMatchObject({ name: 'InterruptedError', resumable: true });
  expect(server.uploads.size).toBeGreaterThan(0);
});
