import { expect, test } from 'vitest';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { folderOf, laidOf, server, shards, url } from './storing.js';

const partBytes = 5 * 2 ** 20;

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

test('of two that write the same name at once, one is refused', async () => {
  const both = await Promise.allSettled([
    writeToS3(url, await laidOf({ seed: 1 }), {}),
    writeToS3(url, await laidOf({ seed: 2 }), {}),
  ]);
  const reasons = both.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  expect(reasons).toMatchObject([{ code: 'EEXIST' }]);
  const seed = both[0]?.status === 'fulfilled' ? 1 : 2;
  expect(server.content('deep/out/')).toEqual(await folderOf({ seed }));
  expect(server.uploads.size).toBe(0);
});
