import { expect, test } from 'vitest';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { folderOf, laidOf, server, shards, url } from './storing.js';

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

test('an unfinished checkpoint of another layout is not gone on with, and said to be there', async () => {
  await interrupted({});
  const { size } = server.uploads;
  await expect(writeToS3(url, await laidOf({ seed: 5 }), { resume: true })).rejects.toMatchObject({
    code: 'EEXIST',
    message: expect.stringContaining('of another layout'),
  });
  expect(server.uploads.size).toBe(size);
});

test('of two that write the same at once, both have it, and no upload is left', async () => {
  const laid = await laidOf({ seed: 1 });
  await Promise.all([writeToS3(url, laid, {}), writeToS3(url, laid, {})]);
  expect(server.content('deep/out/')).toEqual(await folderOf({ seed: 1 }));
  expect(server.uploads.size).toBe(0);
});

test('two that replace a checkpoint at once leave no parts of both', async () => {
  const second = `deep/out/model-00002-of-00002.safetensors`;
  const other = { bytes: Buffer.from('of another run'), meta: {} };
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), {});
  let completed = 0;
  server.fault = (line) => {
    if (/^POST .*uploadId/.test(line) && ++completed === 1) server.objects.set(second, other);
    return 'none';
  };
  const replaced = writeToS3(url, await laidOf({ ...shards, seed: 2 }), { force: true });
  await expect(replaced).rejects.toMatchObject({ code: 'EEXIST' });
  expect(server.objects.get(second)).toBe(other);
  expect(Object.keys(server.content('deep/out/'))).not.toContain('model.safetensors.index.json');
  expect(server.uploads.size).toBe(0);
});

test('what another run has put there meanwhile is not replaced, and nothing is removed', async () => {
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), {});
  const put = () =>
    server.objects.set('deep/out/model-00002-of-00002.safetensors', { bytes: Buffer.alloc(1), meta: {} });
  const before = Object.keys(server.content('deep/out/'));
  const replaced = writeToS3(url, await laidOf({ ...shards, seed: 2 }), {
    force: true,
    onBegin: async () => void put(),
  });
  await expect(replaced).rejects.toMatchObject({ code: 'EEXIST' });
  expect(Object.keys(server.content('deep/out/'))).toEqual(before);
  expect(server.uploads.size).toBe(0);
});

test('of two that replace a checkpoint by the same at once, both have it', async () => {
  const laid = await laidOf({ seed: 1 });
  await writeToS3(url, laid, {});
  const another = [...server.objects];
  await writeToS3(url, await laidOf({ seed: 2 }), { force: true });
  const putAll = () => another.forEach(([key, object]) => void server.objects.set(key, object));
  await writeToS3(url, laid, { force: true, onBegin: async () => putAll() });
  expect(server.content('deep/out/')).toEqual(await folderOf({ seed: 1 }));
});

test('uploads that another run has given up are not said to be gone on with', async () => {
  const another = await laidOf({ seed: 2 });
  const first = writeToS3(url, await laidOf({ seed: 1 }), {
    onBegin: () => writeToS3(url, another, { force: true }).then(() => {}),
  });
  await expect(first).rejects.toMatchObject({ code: 'EBUSY' });
  expect(server.content('deep/out/')).toEqual(await folderOf({ seed: 2 }));
  expect(server.uploads.size).toBe(0);
});

test('one of two that go on with the same leaves the rest of it to the other', async () => {
  const laid = await laidOf(shards);
  const [first, second] = laid.set.files.map(({ name }) => `deep/out/${name}`);
  server.uploads.set('left', { key: String(first), meta: {}, parts: new Map() });
  const complete = async () => {
    // As the other one does with a file of which this one has to send everything yet.
    for (const [id, { key, meta }] of server.uploads) {
      if (key !== second) continue;
      server.objects.set(key, { bytes: Buffer.alloc(Number(laid.set.files[1]?.fileBytes)), meta });
      server.uploads.delete(id);
    }
  };
  const late = writeToS3(url, laid, { resume: true, partBytes, onBegin: complete });
  await expect(late).rejects.toMatchObject({ code: 'NoSuchUpload', resumable: true });
  expect([...server.uploads.values()].map(({ key }) => key)).toEqual([first]);
});

test.each([{}, { force: true }])('of two that write other layouts at once, one is refused: %j', async (how) => {
  server.hidesUploads = true; // so neither sees what the other has begun
  const other = await laidOf(shards);
  const onBegin = async () => void (await writeToS3(url, other, how));
  const late = writeToS3(url, await laidOf({ seed: 1 }), { ...how, onBegin });
  await expect(late).rejects.toMatchObject({ code: 'EEXIST' });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('a store that knows no conditions does without', async () => {
  server.knowsConditions = false;
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), {});
  await writeToS3(url, await laidOf(shards), { force: true });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('a store that compares other ETags than it lists does without conditions', async () => {
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), {});
  server.lie = (line, answer) =>
    line.endsWith('list-type') ? String(answer).replace(/<ETag>"(.*?)"/g, '<ETag>$1') : answer;
  await writeToS3(url, await laidOf(shards), { force: true });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('a store that cannot remove what is not there: nothing of it is asked, and a removal whose answer was lost is done', async () => {
  server.missesRemoved = true;
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), { force: true });
  const lost = new Set<string>();
  server.fault = (line) => (line.startsWith('DELETE') && lost.size < lost.add(line).size ? 'lost' : 'none');
  await writeToS3(url, await laidOf(shards), { force: true });
  expect(lost.size).toBe(1);
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
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
