import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { main, start } from '../../../cli/processes.js';
import { folderOf, laidOf, recipe, root, server, shards, url } from './storing.js';

const partBytes = 5 * 2 ** 20;

/** Ends when so much is sent. */
async function interrupted(options: object, bytes = 6e6, how: object = shards): Promise<unknown> {
  const abort = new AbortController();
  const onProgress = (sent: number) => sent > bytes && abort.abort('enough');
  return writeToS3(url, await laidOf(how), { partBytes, ...options, signal: abort.signal, onProgress }).catch(
    (cause) => cause,
  );
}

test('a run that goes on, and ends before it has looked at what was sent, keeps it', async () => {
  const laid = await laidOf(shards);
  expect(await interrupted({})).toMatchObject({ name: 'InterruptedError', resumable: true });
  const resuming = () => writeToS3(url, laid, { partBytes, resume: true });
  for (const request of [/^GET .*uploadId$/, /^GET .*list-type$/]) {
    server.fault = (line) => (request.test(line) ? '501' : 'none');
    await expect(resuming()).rejects.toMatchObject({ name: 'WriteError', resumable: true });
    expect(server.uploads.size).toBe(2);
  }
  server.fault = () => 'none';
  expect((await resuming()).resumedBytes).toBeGreaterThan(6e6);
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  expect(server.uploads.size).toBe(0);
});

test('an index that is refused when all files are there: a run that goes on puts it', async () => {
  const laid = await laidOf(shards);
  server.fault = (line) => (/^PUT .*index.json$/.test(line) ? '501' : 'none');
  await expect(writeToS3(url, laid, {})).rejects.toMatchObject({ name: 'WriteError', resumable: true });
  await expect(writeToS3(url, laid, { resume: true })).rejects.toMatchObject({ name: 'WriteError', resumable: true });
  server.fault = () => 'none';
  await writeToS3(url, laid, { resume: true });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('what is to be replaced is in the way of a run that goes on, so nothing is kept for one', async () => {
  const old = { seed: 6 };
  await writeToS3(url, await laidOf(old), {});
  expect(await interrupted({ force: true })).toMatchObject({ name: 'InterruptedError', resumable: false });
  expect(server.uploads.size).toBe(0);
  expect(server.content('deep/out/')).toEqual(await folderOf(old));
  server.objects.clear();
  expect(await interrupted({ force: true })).toMatchObject({ name: 'InterruptedError', resumable: true });
  await writeToS3(url, await laidOf(shards), { partBytes, resume: true });
  expect(server.content('deep/out/')).toEqual(await folderOf({ ...shards, existing: 'replace' }));
});

test('where there is no time to give up what was sent, beside what is to be replaced, nobody is told to go on with it', async () => {
  await writeToS3(url, await laidOf({ seed: 6 }), {});
  const stuck = new Promise<void>((resolve) => {
    server.fault = (line) => {
      if (/^PUT .*uploadId/.test(line)) resolve();
      return /^(PUT|DELETE)/.test(line) ? 'stall' : 'none';
    };
  });
  const input = join(root.path, 'recipe.json');
  writeFileSync(input, JSON.stringify(recipe));
  const args = [main, 'generate', input, '-o', url, '--force'];
  const { child, ended } = start(process.execPath, args, { NNINIT_GRACE_MS: '50' });
  await Promise.race([stuck, ended]);
  child.kill('SIGTERM');
  const { signal, stderr } = await ended;
  expect(signal).toBe('SIGTERM');
  expect(stderr).toMatch(/\nnninit: interrupted; what was begun stays: --force starts anew\n$/);
});

test('an unfinished checkpoint of another layout is not gone on with, and said to be there', async () => {
  await interrupted({});
  const { size } = server.uploads;
  await expect(writeToS3(url, await laidOf({ seed: 5 }), { resume: true })).rejects.toMatchObject({
    code: 'EEXIST',
    message: expect.stringContaining('of another layout'),
  });
  expect(server.uploads.size).toBe(size);
});

test('uploads are given up that were begun by requests whose answers are all lost', async () => {
  server.fault = (line) => (line.startsWith('POST') ? 'lost' : 'none');
  await expect(writeToS3(url, await laidOf(shards), {})).rejects.toMatchObject({
    name: 'WriteError',
    resumable: false,
  });
  expect(server.uploads.size).toBe(0);
}, 60_000);

test('uploads that cannot be given up are said to be there', async () => {
  server.fault = (line) => (/^(PUT|DELETE)/.test(line) ? '501' : 'none');
  await expect(writeToS3(url, await laidOf(shards), {})).rejects.toMatchObject({ name: 'WriteError', resumable: true });
  expect(server.uploads.size).toBe(2);
});
