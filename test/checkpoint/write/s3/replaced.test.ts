import { expect, test } from 'vitest';
import { writeToS3 } from '../../../../lib/checkpoint/write/s3/write-s3.js';
import { loadPlan, writeCheckpoint } from '../../../../lib/checkpoint.js';
import { folderOf, laidOf, recipe, server, shards, url } from './storing.js';

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
