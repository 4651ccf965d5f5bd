import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { loadPlan, writeCheckpoint, writeEnsemble } from '../../../../lib/checkpoint.js';
import { createPool } from '../../../../lib/index.js';
import type { Fault } from './server.js';
import { folderOf, laidOf, recipe, root, server, shards, url } from './storing.js';

test.each([{ seed: 5 }, shards, { seed: 5, format: 'npy' }, { seed: 5, engine: 'torch' }] as const)(
  'a store holds what a folder holds: %o',
  async (options) => {
    const expected = await folderOf(options);
    const written = await writeCheckpoint(await loadPlan(recipe), `${url}/`, options);
    expect(server.content('deep/out/')).toEqual(expected);
    expect(written.path).toBe(`${url}/${written.path.split('/').at(-1)}`);
    expect(server.uploads.size).toBe(0);
    await expect(writeCheckpoint(await loadPlan(recipe), url, options)).rejects.toMatchObject({ code: 'EEXIST' });
    const again = await writeCheckpoint(await loadPlan(recipe), url, { ...options, existing: 'resume' });
    expect(again.resumedBytes).toBe(again.bytes);
  },
);

test('a store that fails now and then gets the same bytes', async () => {
  const expected = await folderOf(shards);
  const faults: Fault[] = ['500', '503', 'reset', 'lost', 'cut'];
  const seen = new Set<string>();
  // Each kind of request fails in each way, three times in a row: once more than the SDK tries.
  const count = new Map<string, number>();
  server.fault = (line) => {
    const kind = line.replace(/model-.*safetensors /, '');
    const nth = count.get(kind) ?? 0;
    count.set(kind, nth + 1);
    const fault = nth % 4 === 3 ? 'none' : (faults[Math.floor(nth / 4) % faults.length] ?? 'none');
    seen.add(fault);
    return fault;
  };
  await writeToS3(url, await laidOf(shards), { partBytes: 5 * 2 ** 20 });
  expect(seen.size).toBeGreaterThan(4);
  expect(server.content('deep/out/')).toEqual(expected);
  expect(server.uploads.size).toBe(0);
}, 60_000);

test('a store that cannot list uploads does, and is asked once', async () => {
  server.fault = (line) => (/^GET .* uploads$/.test(line) ? '501' : 'none');
  await writeToS3(url, await laidOf(shards), {});
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  expect(server.log.filter((line) => / uploads$/.test(line) && line.startsWith('GET'))).toHaveLength(1);
});

test('what another seed has made is refused before anything is sent, and stays', async () => {
  await writeToS3(url, await laidOf({ seed: 1 }), {});
  server.log.length = 0;
  const resumed = writeToS3(url, await laidOf({ seed: 2 }), { resume: true });
  await expect(resumed).rejects.toThrow(/from another plan, seed or version, or damaged; existing: 'replace'/);
  expect(server.log.filter((line) => !/^(GET|HEAD)/.test(line))).toEqual([]);
});

test('a store that knows no conditions does without', async () => {
  server.knowsConditions = false;
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), {});
  await writeToS3(url, await laidOf(shards), { force: true });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test('a store that refuses checksums and conditions, as Swift, gets the same bytes, and what is there is left alone', async () => {
  server.isSwift = true;
  await writeToS3(url, await laidOf({ ...shards, seed: 1 }), {});
  await writeToS3(url, await laidOf(shards), { force: true });
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  server.objects.clear();
  const other = { bytes: Buffer.from('of another run'), meta: {} };
  server.fault = (line) => {
    if (line.startsWith('POST') && line.endsWith('uploadId')) server.objects.set('deep/out/model.safetensors', other);
    return 'none';
  };
  await expect(writeToS3(url, await laidOf({ seed: 5 }), {})).rejects.toThrow(/InvalidRequest/);
  expect(server.objects.get('deep/out/model.safetensors')).toBe(other);
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

test('an error that stays leaves nothing, and names the object but no secret', async () => {
  server.fault = (line) => (line.startsWith('PUT') ? '500' : 'none');
  const failing = writeToS3(url, await laidOf(shards), {}).catch((cause) => cause);
  const { name, message, path } = await failing;
  expect({ name, path }).toMatchObject({ name: 'WriteError', path: expect.stringContaining(`${url}/model-0000`) });
  expect(message).toContain('(InternalError)');
  expect(message).not.toContain('secret');
  expect(server.uploads.size).toBe(0);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'other');
  server.fault = () => 'none';
  await expect(writeToS3(url, await laidOf(shards), {})).rejects.toMatchObject({ code: 'AccessDenied' });
  server.lie = (_, answer) => String(answer).replace(/<Message>.*<.Message>/, ''); // as of Ceph
  await expect(writeToS3(url, await laidOf(shards), {})).rejects.toThrow(/: AccessDenied$/);
}, 60_000);

test.each([
  [
    'more names, and not from where',
    'list-type',
    '<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>',
  ],
  [
    'that names go on where they began',
    'list-type',
    '<ListBucketResult><NextContinuationToken>a</NextContinuationToken></ListBucketResult>',
  ],
  [
    'more uploads, and not from where',
    'uploads',
    '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated></ListMultipartUploadsResult>',
  ],
  [
    'that uploads go on where they began',
    'uploads',
    '<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker></ListMultipartUploadsResult>',
  ],
  [
    'that parts go on where they began',
    'uploadId',
    '<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>2</NextPartNumberMarker></ListPartsResult>',
  ],
])('a store that says %s is not asked without end', async (_, what, answer) => {
  const begun = { key: 'deep/out/model-00001-of-00002.safetensors', meta: {}, parts: new Map() };
  if (what === 'uploadId') server.uploads.set('1', begun);
  server.lie = (line, body) => (line.startsWith('GET') && line.endsWith(what) ? answer : body);
  const writing = writeToS3(url, await laidOf(shards), { resume: true });
  await expect(writing).rejects.toThrow(/could not list .*: the store says that more follows, and not from where/);
});

test('a list of names that has no end is given up', async () => {
  let page = 0;
  server.lie = (line, body) =>
    line.endsWith('list-type')
      ? `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>${++page}</NextContinuationToken></ListBucketResult>`
      : body;
  await expect(writeToS3(url, await laidOf(shards), {})).rejects.toThrow('the store has a list without end');
}, 60_000);

test('a text without end is no config that was written', async () => {
  const { set, ...laid } = await laidOf({ ...shards });
  const config = { name: 'config.json', text: '{}' };
  server.objects.set('deep/out/config.json', { bytes: Buffer.from('{}'), meta: {} });
  server.fault = (line) => (/^GET .*config.json$/.test(line) ? 'endless' : 'none');
  await expect(writeToS3(url, { ...laid, set: { ...set, config } }, {})).rejects.toThrow(
    /config.json exists already and differs/,
  );
  expect(server.sent).toBeLessThan(2 ** 29);
});

test('a part of which the store has got other bytes is sent again', async () => {
  let lies = 0;
  server.lie = (line, body, headers) => {
    if (line.startsWith('PUT') && line.endsWith('uploadId') && lies++ === 0)
      headers['x-amz-checksum-crc32'] = 'AAAAAA==';
    return body;
  };
  await writeToS3(url, await laidOf(shards), {});
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  expect(server.log.filter((line) => line.startsWith('PUT') && line.endsWith('uploadId')).length).toBe(lies);
  expect(lies).toBe(3);
});

test('a pool that is closed meanwhile does its work to the end', async () => {
  const pool = createPool({ threads: 2 });
  let closed: Promise<void> | undefined;
  const onProgress = () => {
    closed ??= pool.close();
  };
  await writeToS3(url, await laidOf(shards), { partBytes: 5 * 2 ** 20, pool, onProgress });
  await closed;
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
});

test.each(['GET .* list-type', 'PUT .* uploadId', 'POST .* uploadId'])(
  'a store that never answers %s is asked again',
  async (which) => {
    const stalled = new Set<string>();
    server.fault = (line) => {
      const stalls = new RegExp(`^${which}$`).test(line) && stalled.size === 0;
      if (stalls) stalled.add(line);
      return stalls ? 'stall' : 'none';
    };
    await writeToS3(url, await laidOf(shards), { idleMs: 1000 });
    expect(stalled.size).toBe(1);
    expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  },
);

test('addresses and options that make no sense are refused', async () => {
  const plan = await loadPlan(recipe);
  for (const wrong of ['s3://', 's3://B', 's3://bucket/a//b', 's3://bucket/../x']) {
    await expect(writeCheckpoint(plan, wrong)).rejects.toMatchObject({ code: 'ERR_NNINIT_INPUT' });
  }
  await expect(writeCheckpoint(plan, url, { part: { index: 0, count: 2 } })).rejects.toThrow(/in parts needs a folder/);
  await expect(writeEnsemble(plan, url, { seeds: [1] })).rejects.toThrow(/many seeds needs a folder/);
  expect(server.log).toEqual([]);
});

test('the command writes to a store', async () => {
  let [out, err] = ['', ''];
  const streams = {
    stdout: { write: (text: string) => (out += text) },
    stderr: { write: (text: string) => (err += text) },
  };
  const { run } = await import('../../../../lib/cli/program.js');
  const recipeFile = join(root.path, 'recipe.json');
  writeFileSync(recipeFile, JSON.stringify(recipe));
  const args = ['generate', recipeFile, '-o', url, '--seed', '5', '--max-shard-size', '13MB'];
  expect(await run(args, streams)).toBe(0);
  expect(out).toContain(`${url}/model.safetensors.index.json: 2 files, 3 tensors`);
  expect(server.content('deep/out/')['model.safetensors.index.json']).toBeDefined();
  expect(await run(args, streams)).toBe(2);
  expect(err).toContain('exists already; --force replaces it');
});
