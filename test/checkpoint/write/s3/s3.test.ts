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

test('another checkpoint is replaced when all of the new one is sent, and its index goes first', async () => {
  const expected = await folderOf({ seed: 6 });
  await writeToS3(url, await laidOf(shards), {});
  server.objects.set('deep/out/notes.txt', { bytes: Buffer.from('mine'), meta: {} });
  server.log.length = 0;
  await writeToS3(url, await laidOf({ seed: 6 }), { force: true });
  const { 'notes.txt': notes, ...rest } = server.content('deep/out/');
  expect(notes).toBeDefined();
  expect(rest).toEqual(expected);
  const removed = server.log.findIndex((line) => line.startsWith('DELETE') && line.includes('index.json'));
  const lastPart = server.log.findLastIndex((line) => line.startsWith('PUT') && line.endsWith('uploadId'));
  const completed = server.log.findIndex((line) => line.startsWith('POST') && line.endsWith('uploadId'));
  expect(lastPart).toBeLessThan(removed);
  expect(removed).toBeLessThan(completed);
});

const put = (name: string, text: string) =>
  server.objects.set(`deep/out/${name}`, { bytes: Buffer.from(text), meta: {} });

test("a manifest.json of others' stays, and is in nobody's way", async () => {
  put('manifest.json', '{"name":"an app","icons":[]}');
  await writeToS3(url, await laidOf({ seed: 1 }), {});
  await writeToS3(url, await laidOf({ seed: 2 }), { force: true });
  const { 'manifest.json': manifest, ...rest } = server.content('deep/out/');
  expect(manifest).toBeDefined();
  expect(rest).toEqual(await folderOf({ seed: 2 }));
});

test('a checkpoint of npy files goes, all of it, when another layout replaces it', async () => {
  await writeToS3(url, await laidOf({ format: 'npy' }), {});
  put('mine.npy', 'mine');
  await expect(writeToS3(url, await laidOf({}), {})).rejects.toThrow(/manifest\.json exists already/);
  await writeToS3(url, await laidOf({}), { force: true });
  expect(Object.keys(server.content('deep/out/'))).toEqual(['mine.npy', 'model.safetensors']);
});

test.each([{}, { format: 'raw' }] as const)(
  'so it does where the one that replaces it with %j was ended while it removed it',
  async (other) => {
    await writeToS3(url, await laidOf({ format: 'npy' }), {});
    const known = Object.keys(server.content('deep/out/')).length;
    let removed = 0;
    server.fault = (line) => (line.startsWith('DELETE') && ++removed > 1 ? '501' : 'none');
    await expect(writeToS3(url, await laidOf(other), { force: true })).rejects.toThrow();
    expect(Object.keys(server.content('deep/out/'))).toHaveLength(known - 1);
    server.fault = () => 'none';
    await writeToS3(url, await laidOf(other), { force: true });
    expect(Object.keys(server.content('deep/out/')).filter((name) => name.endsWith('.npy'))).toEqual([]);
  },
);

const withConfig = { config: { name: 'config.json', text: '{"new":1}\n' } };

async function configuredOf(options: object, config: object = withConfig) {
  const laid = await laidOf(options);
  return { ...laid, set: { ...laid.set, ...config } };
}

test('a config that describes weights of another name too is not replaced', async () => {
  put('config.json', '{"old":1}');
  put('other.safetensors', 'theirs');
  const laid = await configuredOf({});
  await expect(writeToS3(url, laid, {})).rejects.toThrow(/config\.json exists already and differs/);
  await expect(writeToS3(url, laid, { resume: true })).rejects.toThrow(/config\.json exists already and differs/);
  await expect(writeToS3(url, laid, { force: true })).rejects.toThrow(/may describe other\.safetensors too/);
  expect(server.objects.get('deep/out/config.json')?.bytes.toString()).toBe('{"old":1}');
  put('config.json', withConfig.config.text);
  await writeToS3(url, laid, {});
  expect(Object.keys(server.content('deep/out/'))).toEqual(['config.json', 'model.safetensors', 'other.safetensors']);
});

test('old weights do not stand beside a new config, nor new ones beside an old config', async () => {
  await writeToS3(url, await laidOf({ seed: 1 }), {});
  server.fault = (line) => (/^POST .*uploadId/.test(line) ? '501' : 'none');
  await expect(writeToS3(url, await configuredOf({ seed: 2 }), { force: true })).rejects.toThrow();
  expect(Object.keys(server.content('deep/out/'))).toEqual(['config.json']);
  server.fault = () => 'none';
  put('model.safetensors', 'of another program');
  await expect(writeToS3(url, await laidOf({ seed: 1 }), { force: true })).rejects.toThrow(/may describe the weights/);
  expect(server.objects.get('deep/out/model.safetensors')?.bytes.toString()).toBe('of another program');
});

test.each([
  ['none', laidOf],
  ['the same', configuredOf],
])('a single file is replaced in one step, where the new config is %s', async (_, laid) => {
  await writeToS3(url, await laid({ seed: 1 }), {});
  const before = server.content('deep/out/');
  server.fault = (line) => (/^POST .*uploadId/.test(line) ? '501' : 'none');
  await expect(writeToS3(url, await laid({ seed: 2 }), { force: true })).rejects.toThrow();
  expect(server.content('deep/out/')).toEqual(before);
});

test('weights do not stand without their config when some without one replace them', async () => {
  const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 1, vocab_size: 16, n_positions: 4 };
  await writeCheckpoint(await loadPlan(model), url);
  server.fault = (line) => (/^POST .*uploadId/.test(line) ? '501' : 'none');
  await expect(writeCheckpoint(await loadPlan(recipe), url, { existing: 'replace' })).rejects.toThrow();
  expect(server.content('deep/out/')).toEqual({});
});

test('the config of weights that are replaced by some without one goes with them', async () => {
  const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 1, vocab_size: 16, n_positions: 4 };
  const odd = 's3://bucket/50% of #1? ü';
  await writeCheckpoint(await loadPlan(model), odd);
  const { prefix, names } = { prefix: '50% of #1? ü/', names: ['config.json', 'model.safetensors'] };
  expect(Object.keys(server.content(prefix))).toEqual(names);
  await writeCheckpoint(await loadPlan(recipe), odd, { existing: 'replace' });
  expect(Object.keys(server.content(prefix))).toEqual(['model.safetensors']);
});

test('so does the config of a checkpoint of npy files', async () => {
  const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 1, vocab_size: 16, n_positions: 4 };
  await writeCheckpoint(await loadPlan(model), url, { format: 'npy' });
  expect(Object.keys(server.content('deep/out/'))).toContain('config.json');
  await writeCheckpoint(await loadPlan(recipe), url, { existing: 'replace' });
  expect(Object.keys(server.content('deep/out/'))).toEqual(['model.safetensors']);
});

test.each([
  ['shards', { maxShardSize: 1000 }],
  ['npy files', { format: 'npy' }],
] as const)('so it does where one is ended while it removes %s', async (_, layout) => {
  const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 1, vocab_size: 16, n_positions: 4 };
  const small = await loadPlan({ tensors: { a: { shape: [4], dtype: 'float32', init: 'ones' } } });
  await writeCheckpoint(await loadPlan(model), url, layout);
  server.fault = (line) => (/^DELETE .*config.json$/.test(line) ? '501' : 'none');
  await expect(writeCheckpoint(small, url, { existing: 'replace' })).rejects.toMatchObject({ resumable: false });
  server.fault = () => 'none';
  await writeCheckpoint(small, url, { existing: 'replace' });
  expect(Object.keys(server.content('deep/out/'))).toEqual(['model.safetensors']);
});

test('a single file is not gone on with while the config of another is there, which goes with it', async () => {
  const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 1, vocab_size: 16, n_positions: 4 };
  await writeCheckpoint(await loadPlan(model), url);
  server.fault = (line) => (/^DELETE .*config.json$/.test(line) ? '501' : 'none');
  const replaced = writeCheckpoint(await loadPlan(recipe), url, { existing: 'replace' });
  await expect(replaced).rejects.toMatchObject({ name: 'WriteError', resumable: false });
  expect(server.uploads.size).toBe(0);
});

test('what another seed has made is refused before anything is sent, and stays', async () => {
  await writeToS3(url, await laidOf({ seed: 1 }), {});
  server.log.length = 0;
  const resumed = writeToS3(url, await laidOf({ seed: 2 }), { resume: true });
  await expect(resumed).rejects.toThrow(/from another plan, seed or version, or damaged; existing: 'replace'/);
  expect(server.log.filter((line) => !/^(GET|HEAD)/.test(line))).toEqual([]);
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
