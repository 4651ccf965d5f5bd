// Checkpoints in an object store are read by ranges, as those at any server.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { loadPlan, openCheckpoint, verifyCheckpoint, writeCheckpoint } from '../../lib/checkpoint.js';
import { openClient } from '../../lib/formats/source/s3.js';
import { temporaryFolder } from './temporary.js';
import { type Fault, S3Server } from './write/s3/server.js';

let server: S3Server;

beforeEach(async () => {
  server = await new S3Server().open();
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' };
  for (const [name, value] of Object.entries({ ...env, AWS_ENDPOINT_URL_S3: server.endpoint, AWS_MAX_ATTEMPTS: '2' })) {
    vi.stubEnv(name, value);
  }
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

const recipe = {
  tensors: {
    a: { shape: [3000, 1000], init: 'normal' },
    'b c/é': { shape: [64, 100], dtype: 'float16', init: 'orthogonal' },
  },
};
const url = 's3://bucket/deep/out';

test.each([
  ['one file', {}, 'model.safetensors'],
  ['shards', { maxShardSize: '10MB' }, 'model.safetensors.index.json'],
  ['npy', { format: 'npy' }, 'manifest.json'],
] as const)('verify and --like, of %s', async (_, options, last) => {
  const plan = await loadPlan(recipe);
  const { path } = await writeCheckpoint(plan, url, { seed: 5, ...options });
  for (const place of [url, `${url}/`, path]) {
    expect(await verifyCheckpoint(place)).toMatchObject({ ok: true, differences: [] });
  }
  expect(path).toBe(`${url}/${last}`);
  const like = await loadPlan({ like: url });
  expect(like.tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype }))).toEqual(
    plan.tensors.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
  );
  const [key, { bytes, meta }] = [...server.objects].find(([name]) => /a\.npy|1-of|model\.saf/.test(name)) ?? [
    '',
    { bytes: Buffer.alloc(0), meta: {} },
  ];
  const changed = Buffer.from(bytes);
  changed[changed.length - 5] = (changed.at(-5) ?? 0) ^ 1;
  server.objects.set(key, { bytes: changed, meta });
  expect(await verifyCheckpoint(url)).toMatchObject({ ok: false });
});

test.each(['50% done', 'run#1', 'a?b', 'ü x', '100%25', 'a+b/..c'])('a prefix is as it stands: %s', async (prefix) => {
  const { path } = await writeCheckpoint(await loadPlan(recipe), `s3://bucket/${prefix}`, { maxShardSize: '10MB' });
  expect([...server.objects.keys()].every((key) => key.startsWith(`${prefix}/model`))).toBe(true);
  for (const place of [path.replace(/[^/]*$/, ''), path]) {
    expect(await verifyCheckpoint(place)).toMatchObject({ ok: true });
    await using checkpoint = await openCheckpoint(place);
    expect(checkpoint.path).toBe(path);
  }
  await using checkpoint = await openCheckpoint(
    new URL(`s3://bucket/${prefix.split('/').map(encodeURIComponent).join('/')}`),
  );
  expect(checkpoint.path).toBe(path);
});

test('an object of URL holds a key encoded, which plans are loaded by too', async () => {
  await writeCheckpoint(await loadPlan(recipe), 's3://bucket/ü x/50% done');
  const address = new URL('s3://bucket/ü x/50% done');
  address.pathname = `/${encodeURIComponent('ü x')}/${encodeURIComponent('50% done')}`;
  const names = (await loadPlan({ like: address })).tensors.map(({ name }) => name);
  expect(names).toEqual(['a', 'b c/é']);
  server.objects.set('ü x/r.json', { bytes: Buffer.from(JSON.stringify(recipe)), meta: {} });
  expect((await loadPlan(new URL('s3://bucket/ü x/r.json'))).tensors).toHaveLength(2);
});

test('a recipe means what is beside it by a relative path', async () => {
  await writeCheckpoint(await loadPlan(recipe), 's3://bucket/deep/a#b');
  const put = (key: string, value: object) =>
    server.objects.set(key, { bytes: Buffer.from(JSON.stringify(value)), meta: {} });
  put('deep/recipes/r.json', { like: '../a#b' });
  const names = (await loadPlan('s3://bucket/deep/recipes/r.json')).tensors.map(({ name }) => name);
  expect(names).toEqual(['a', 'b c/é']);
});

test.each(['s3://', 's3://bucket.only'])(
  'an address without an object is refused, and nobody is asked: %s',
  async (address) => {
    server.log.length = 0;
    const read = loadPlan(address);
    if (address === 's3://')
      await expect(read).rejects.toThrow('could not read s3://config.json: expected s3://bucket/key');
    else await expect(read).rejects.toMatchObject({ code: 'ERR_NNINIT_READ' });
    expect(server.log.filter((line) => line.includes('config.json')).length).toBe(address === 's3://' ? 0 : 1);
  },
);

test('only what is asked for is read', async () => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, url, { seed: 5 });
  server.log.length = 0;
  const checkpoint = await openCheckpoint(url);
  const { data } = await checkpoint.read('a', { slice: [{ dim: 0, start: 10, length: 1 }] });
  await checkpoint.close();
  expect(data).toHaveLength(1000);
  expect(server.log.filter((line) => line.startsWith('GET')).length).toBeLessThanOrEqual(3);
});

test.each(['500', '503', 'reset', 'cut'] as const)('a store that breaks down now and then: %s', async (fault) => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, url, { seed: 5 });
  let asked = 0;
  server.fault = (line): Fault => (line.startsWith('GET') && ++asked % 3 === 2 ? fault : 'none');
  expect(await verifyCheckpoint(url)).toMatchObject({ ok: true });
  expect(asked).toBeGreaterThan(3);
});

test.each(['stall', 'stop'] as const)(
  'a store that does not answer, or not to the end, is not waited for: %s',
  async (fault) => {
    await writeCheckpoint(await loadPlan(recipe), url);
    const timeout = AbortSignal.timeout;
    const limits: number[] = [];
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
      limits.push(ms);
      return timeout(100);
    });
    server.fault = () => fault;
    try {
      // The half that comes of the first answer has the header.
      const asked = fault === 'stop' ? verifyCheckpoint : openCheckpoint;
      await expect(asked(`${url}/model.safetensors`)).rejects.toMatchObject({ code: 'ERR_NNINIT_READ' });
      // More where megabytes are asked for, which may be slow to come.
      expect(Math.max(...limits)).toBeLessThan(fault === 'stop' ? 600_000 : 60_000);
    } finally {
      vi.restoreAllMocks();
    }
  },
);

test('what is not there, or may not be read', async () => {
  await expect(verifyCheckpoint(url)).rejects.toThrow(
    `${url}: expected the address of a checkpoint, but it has none of`,
  );
  await expect(verifyCheckpoint(`${url}/model.safetensors`)).rejects.toThrow(
    `could not read ${url}/model.safetensors: the store answered 404 NoSuchKey`,
  );
  await expect(verifyCheckpoint('s3://nowhere/out')).rejects.toThrow('the store answered 404 NoSuchBucket');
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'other');
  await expect(verifyCheckpoint(url)).rejects.toMatchObject({ code: 'ERR_NNINIT_READ', message: /403 AccessDenied/ });
});

test('the address of a store that is none is told with where it stands', async () => {
  for (const endpoint of ['minio:9000', '127.0.0.1:9000', 'http://', 'ftp://minio']) {
    vi.stubEnv('AWS_ENDPOINT_URL_S3', endpoint);
    await expect(verifyCheckpoint(url)).rejects.toThrow(
      `s3://: expected http://host or https://host in AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, but received '${endpoint}'`,
    );
  }
});

test('keys that a process is given later are those that are asked with', async () => {
  await writeCheckpoint(await loadPlan(recipe), url);
  const asked = () => new Set(server.sessions.splice(0));
  await verifyCheckpoint(url);
  expect(asked()).toEqual(new Set([undefined]));
  vi.stubEnv('AWS_SESSION_TOKEN', 'newer');
  await verifyCheckpoint(url);
  expect(asked()).toEqual(new Set(['newer']));
});

const folder = temporaryFolder();

test.each([true, false])(
  "a profile's endpoint and region are those of a store (endpoint in a variable: %j)",
  async (isVariable) => {
    const { port } = new URL(server.endpoint);
    const endpoint = `http://localhost:${port}`; // a name, under which a bucket could be a host
    const file = join(folder.path, 'config');
    writeFileSync(file, `[default]\nregion = far-1\n${isVariable ? '' : `endpoint_url = ${endpoint}\n`}`);
    vi.stubEnv('AWS_CONFIG_FILE', file);
    vi.stubEnv('AWS_REGION', undefined);
    vi.stubEnv('AWS_ENDPOINT_URL_S3', isVariable ? endpoint : undefined);
    await writeCheckpoint(await loadPlan(recipe), url);
    expect(await verifyCheckpoint(url)).toMatchObject({ ok: true });
    expect(server.regions).toEqual(new Set(['far-1']));
    vi.stubEnv('AWS_CONFIG_FILE', undefined);
    vi.stubEnv('AWS_ENDPOINT_URL_S3', endpoint);
    await verifyCheckpoint(url);
    expect(server.regions).toEqual(new Set(['far-1', 'us-east-1']));
  },
);

test('endpoints of variables and profiles are passed over where that is asked for, but not one that is given', async () => {
  const isOwn = async (endpoint?: string) => (await openClient(endpoint)).client.config.forcePathStyle;
  expect(await isOwn()).toBe(true);
  vi.stubEnv('AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'true');
  expect(await isOwn()).toBe(false);
  expect(await isOwn(server.endpoint)).toBe(true);
});
