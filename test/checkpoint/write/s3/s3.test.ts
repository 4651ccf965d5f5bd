import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { layOut } from '../../../../lib/checkpoint/virtual/virtual-checkpoint.js';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { countsOf } from '../../../../lib/checkpoint/write/write.js';
import { loadPlan, writeCheckpoint, writeEnsemble } from '../../../../lib/checkpoint.js';
import { createPool } from '../../../../lib/index.js';
import { contentOf, temporaryFolder } from '../../temporary.js';
import { type Fault, S3Server } from './server.js';

const root = temporaryFolder();
let server: S3Server;

beforeEach(async () => {
  server = await new S3Server().open();
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_ENDPOINT_URL_S3', server.endpoint);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_MAX_ATTEMPTS', '2');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

/** Some 19 MB; with shards of 13 MB an index. */
const recipe = {
  tensors: {
    a: { shape: [3000, 1000], dtype: 'float32', init: 'normal' },
    q: { shape: [600, 600], dtype: 'float32', init: 'orthogonal' },
    b: { shape: [700, 1001], dtype: 'float64', init: 'trunc_normal' },
  },
};
const shards = { seed: 5, maxShardSize: '13MB' };
const url = 's3://bucket/deep/out';

async function laidOf(options: object) {
  const { tensors, ...laid } = layOut('test', await loadPlan(recipe), options);
  return { ...laid, ...countsOf(tensors) };
}

async function folderOf(options: object): Promise<Record<string, string>> {
  const folder = join(root.path, 'folder');
  await writeCheckpoint(await loadPlan(recipe), folder, options);
  return contentOf(folder);
}

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

test('a store that cannot list uploads does, and is asked once', async () => {
  server.fault = (line) => (/^GET .* uploads$/.test(line) ? '501' : 'none');
  await writeToS3(url, await laidOf(shards), {});
  expect(server.content('deep/out/')).toEqual(await folderOf(shards));
  expect(server.log.filter((line) => / uploads$/.test(line) && line.startsWith('GET'))).toHaveLength(1);
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
