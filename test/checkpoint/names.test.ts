import { existsSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InputError, loadPlan, verifyCheckpoint, virtualCheckpoint, writeCheckpoint } from '../../lib/checkpoint.js';
import { readSafetensors } from '../formats/reader.js';
import { contentOf, temporaryFolder } from './temporary.js';

const root = temporaryFolder();
const at = (...names: string[]) => join(root.path, ...names);

const recipe = { tensors: { a: { shape: [3000], init: 'normal' }, b: { shape: [3000], init: 'uniform' } } };

test('names of files are those that were asked for, in one file and in shards, with the same tensors', async () => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, at('one'), { name: 'adapter_model' });
  await writeCheckpoint(plan, at('usual'));
  expect(readdirSync(at('one'))).toEqual(['adapter_model.safetensors']);
  const { 'adapter_model.safetensors': named } = contentOf(at('one'));
  expect(named).toBe(contentOf(at('usual'))['model.safetensors']);

  const sharded = { name: 'diffusion_pytorch_model', maxShardSize: 15_000 };
  const names = ['1', '2'].map((n) => `diffusion_pytorch_model-0000${n}-of-00002.safetensors`);
  const index = 'diffusion_pytorch_model.safetensors.index.json';
  expect(virtualCheckpoint(plan, sharded).files.map(({ name }) => name)).toEqual([...names, index]);
  const { path } = await writeCheckpoint(plan, at('many'), sharded);
  expect(path).toBe(at('many', index));
  expect(readdirSync(at('many'))).toEqual([...names, index].sort());
});

test.each([undefined, 15_000])(
  'they are verified, likened to and resumed by their folder (shards of %s)',
  async (maxShardSize) => {
    const plan = await loadPlan(recipe);
    const options = { name: 'adapter_model', maxShardSize, seed: 5 };
    await writeCheckpoint(plan, at('out'), options);
    expect(await verifyCheckpoint(at('out'))).toMatchObject({ ok: true, tensors: 2, origin: { seed: 5n } });
    expect((await loadPlan({ like: at('out') })).tensors).toMatchObject([{ name: 'a' }, { name: 'b' }]);
    const before = contentOf(at('out'));
    const again = await writeCheckpoint(plan, at('out'), { ...options, existing: 'resume' });
    expect(again.resumedBytes).toBe(24_000);
    await expect(writeCheckpoint(plan, at('out'), options)).rejects.toThrow(/exists? already/);
    expect(contentOf(at('out'))).toEqual(before);
  },
);

test('replacing takes files of its own name in any layout, and leaves checkpoints of other names alone', async () => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, at('out'));
  await writeCheckpoint(plan, at('out'), { name: 'x', maxShardSize: 15_000 });
  await writeCheckpoint(plan, at('out'), { name: 'x', existing: 'replace' });
  expect(readdirSync(at('out'))).toEqual(['model.safetensors', 'x.safetensors']);
});

const model = { model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 1, vocab_size: 16, n_positions: 4 };
const loraOf = (r: number) => ({ lora: { r, targets: ['c_attn'] } });

test('an adapter beside its model is replaced, in any format, and the model stays', async () => {
  await writeCheckpoint(await loadPlan(model), at('out'));
  const before = contentOf(at('out'));
  await writeCheckpoint(await loadPlan(model, loraOf(2)), at('out'));
  await writeCheckpoint(await loadPlan(model, loraOf(4)), at('out'), { existing: 'replace' });
  expect(readdirSync(at('out'))).toEqual(['adapter_config.json', 'adapter_model.safetensors', ...Object.keys(before)]);
  const npy = writeCheckpoint(await loadPlan(model, loraOf(4)), at('out'), { format: 'npy' });
  await expect(npy).rejects.toThrow(/adapter_model\.safetensors exists already/);
  await writeCheckpoint(await loadPlan(model, loraOf(3)), at('out'), { format: 'npy', existing: 'replace' });
  expect(readdirSync(at('out'))).not.toContain('adapter_model.safetensors');
  expect(contentOf(at('out'))).toMatchObject(before);
});

test.each(['', '.x', '../x', 'a/b', 'x.safetensors', 'model-00001-of-00002', 'a b', 'x'.repeat(101), 'é'])(
  'the name %j is refused',
  async (name) => {
    const plan = await loadPlan(recipe);
    expect(() => virtualCheckpoint(plan, { name })).toThrow(RangeError);
    await expect(writeCheckpoint(plan, at('out'), { name })).rejects.toThrow(/for name, but received/);
    expect(existsSync(at('out'))).toBe(false);
  },
);

test('a name is refused where files have their tensors names', async () => {
  const plan = await loadPlan(recipe);
  expect(() => virtualCheckpoint(plan, { name: 'x', format: 'npy' })).toThrow(/expected nothing for name/);
  expect(() => virtualCheckpoint(plan, { name: 1 as never })).toThrow(TypeError);
});

const config = { model_type: 'gpt2', n_embd: 8, n_head: 2, n_layer: 1, vocab_size: 11, n_positions: 4 };

test.each(['safetensors', 'npy'] as const)(
  '%s: the config.json that was written with old weights goes with them, also after a run that was stopped',
  async (format) => {
    await writeCheckpoint(await loadPlan(config), at('out'), { format });
    const old = readdirSync(at('out'));
    expect(old).toContain('config.json');
    const plan = await loadPlan(recipe);
    const abort = new AbortController();
    const stopped = { signal: abort.signal, onProgress: () => abort.abort('SIGINT') };
    const writing = writeCheckpoint(plan, at('out'), { existing: 'replace', ...stopped });
    await expect(writing).rejects.toMatchObject({ resumable: true });
    expect(readdirSync(at('out')).filter((name) => !name.startsWith('.'))).toEqual(old);
    await writeCheckpoint(plan, at('out'), { existing: 'resume' });
    expect(readdirSync(at('out'))).toEqual(['model.safetensors']);
    expect(readSafetensors(at('out', 'model.safetensors')).tensors.size).toBe(2);
  },
);

test('a config.json that weights of another name share is neither replaced nor removed', async () => {
  const plan = await loadPlan(config);
  await writeCheckpoint(plan, at('out'));
  await writeCheckpoint(plan, at('out'), { name: 'x', seed: 2 });
  const before = contentOf(at('out'));
  const other = await loadPlan({ ...config, n_layer: 2 });
  const writing = writeCheckpoint(other, at('out'), { name: 'x', existing: 'replace' });
  await expect(writing).rejects.toThrow(/config\.json may describe model\.safetensors too, which stays, and differs/);
  await expect(writing).rejects.toMatchObject({ name: 'InputError', code: 'EEXIST' });
  expect(contentOf(at('out'))).toEqual(before);
  await writeCheckpoint(await loadPlan(recipe), at('out'), { name: 'x', existing: 'replace' });
  expect(contentOf(at('out'))).toMatchObject({
    'config.json': before['config.json'],
    'model.safetensors': before['model.safetensors'],
  });
  rmSync(at('out', 'x.safetensors'));
  await writeCheckpoint(other, at('out'), { existing: 'replace' });
  expect(readdirSync(at('out'))).toEqual(['config.json', 'model.safetensors']);
});

test('a config.json that was added to weights without one stays', async () => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, at('out'));
  writeFileSync(at('out', 'config.json'), '{"mine": 1}');
  await writeCheckpoint(plan, at('out'), { existing: 'replace', seed: 2 });
  expect(readdirSync(at('out'))).toEqual(['config.json', 'model.safetensors']);
});

test('what an unfinished part was to replace keeps its config, also where another one takes its place', async () => {
  const part = { index: 0, count: 2 };
  const replaced = { existing: 'replace', seed: 2 } as const;
  await writeCheckpoint(await loadPlan(config), at('out'));
  const model = contentOf(at('out'));
  await writeCheckpoint(await loadPlan(recipe), at('out'), { ...replaced, part });
  await writeCheckpoint(await loadPlan(recipe), at('out'), { ...replaced, name: 'x' });
  expect(readdirSync(at('out'))).toEqual(['config.json', 'model.safetensors', 'x.safetensors']);
  expect(contentOf(at('out'))).toMatchObject(model);
  await writeCheckpoint(await loadPlan(recipe), at('mine'));
  writeFileSync(at('mine', 'config.json'), '{"mine": 1}');
  await writeCheckpoint(await loadPlan(config), at('mine'), { ...replaced, part, maxShardSize: 1000 });
  expect(readdirSync(at('mine')).filter((name) => name.endsWith('.done'))).not.toEqual([]);
  await writeCheckpoint(await loadPlan(recipe), at('mine'), replaced);
  expect(readdirSync(at('mine'))).toEqual(['config.json', 'model.safetensors']);
});

test("the config.json of a recipe that has its model in it goes too; that of what is like a checkpoint may be anyone's", async () => {
  const replaced = { existing: 'replace' } as const;
  await writeCheckpoint(await loadPlan({ model: config }), at('out'));
  expect(readdirSync(at('out'))).toEqual(['config.json', 'model.safetensors']);
  const like = await loadPlan({ like: at('out') });
  await writeCheckpoint(await loadPlan(recipe), at('out'), replaced);
  expect(readdirSync(at('out'))).toEqual(['model.safetensors']);
  await writeCheckpoint(like, at('like'));
  const writing = writeCheckpoint(await loadPlan(recipe), at('like'), replaced);
  await expect(writing).rejects.toThrow(/config\.json may describe the weights that would be replaced/);
  const named = await loadPlan({ tensors: { 'config.json': { shape: [3], init: 'normal' } } });
  await writeCheckpoint(named, at('mine'));
  writeFileSync(at('mine', 'config.json'), '{"mine": 1}');
  await writeCheckpoint(await loadPlan(recipe), at('mine'), replaced);
  expect(readdirSync(at('mine'))).toEqual(['config.json', 'model.safetensors']);
});

test('a config.json goes with the weights that brought it, also where others without one are replaced beside them', async () => {
  const plan = await loadPlan(recipe);
  const model = await loadPlan({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2, vocab_size: 8, n_positions: 8 });
  await writeCheckpoint(model, at('out'), { name: 'x' });
  await writeCheckpoint(plan, at('out'), { format: 'npy' });
  await writeCheckpoint(plan, at('out'), { name: 'x', existing: 'replace' });
  expect(readdirSync(at('out'))).toEqual(['x.safetensors']);
});

test.each(['npy', 'raw', 'safetensors'] as const)(
  'the config of an adapter in %s goes with it, and that of a model where an adapter takes its place',
  async (format) => {
    const [whole, adapter] = [await loadPlan(model), await loadPlan(model, loraOf(1))];
    const name = format === 'safetensors' ? { name: 'adapter_model' } : {};
    await writeCheckpoint(adapter, at('out'), { format });
    await writeCheckpoint(whole, at('out'), { ...name, existing: 'replace' });
    expect(readdirSync(at('out'))).toEqual(['config.json', `${name.name ?? 'model'}.safetensors`].sort());
    await writeCheckpoint(whole, at('other'), { format, ...name });
    await writeCheckpoint(adapter, at('other'), { existing: 'replace' });
    expect(readdirSync(at('other'))).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  },
);

test('the config of an adapter stays beside another adapter, and one that was added beside weights without', async () => {
  const adapter = await loadPlan(model, loraOf(1));
  await writeCheckpoint(adapter, at('out'), { name: 'x' });
  await writeCheckpoint(adapter, at('out'), { format: 'npy' });
  await writeCheckpoint(await loadPlan(model), at('out'), { existing: 'replace' });
  expect(readdirSync(at('out'))).toEqual(['adapter_config.json', 'config.json', 'model.safetensors', 'x.safetensors']);
  await writeCheckpoint(await loadPlan(recipe), at('added'));
  writeFileSync(at('added', 'adapter_config.json'), '{}');
  await writeCheckpoint(await loadPlan(config), at('added'), { existing: 'replace' });
  expect(readdirSync(at('added'))).toEqual(['adapter_config.json', 'config.json', 'model.safetensors']);
});

test('beside weights that do not tell what they were made from it may be theirs', async () => {
  const model = await loadPlan(config);
  const part = { ...model, tensors: model.tensors.slice(1) };
  await writeCheckpoint(part, at('out'));
  const before = contentOf(at('out'));
  const writing = writeCheckpoint(await loadPlan(recipe), at('out'), { existing: 'replace' });
  await expect(writing).rejects.toThrow(/config\.json may describe the weights that would be replaced/);
  expect(contentOf(at('out'))).toEqual(before);
  await writeCheckpoint(part, at('out'), { existing: 'replace', seed: 3 });
  expect(readdirSync(at('out'))).toEqual(['config.json', 'model.safetensors']);
});

test("beside another program's weights it may be theirs: nothing is touched before it is moved away", async () => {
  const plan = await loadPlan(recipe);
  await writeCheckpoint(plan, at('out'));
  writeFileSync(at('out', 'model.safetensors'), Buffer.from('\x02\0\0\0\0\0\0\0{}', 'latin1'));
  writeFileSync(at('out', 'config.json'), '{}');
  const before = contentOf(at('out'));
  const writing = writeCheckpoint(plan, at('out'), { existing: 'replace' });
  await expect(writing).rejects.toThrow(
    /config\.json may describe the weights that would be replaced.*move it away first/,
  );
  await expect(writing).rejects.toThrow(InputError);
  expect(contentOf(at('out'))).toEqual(before);
  renameSync(at('out', 'config.json'), at('config.json'));
  await writeCheckpoint(plan, at('out'), { existing: 'replace' });
  rmSync(at('config.json'));
  expect(readdirSync(at('out'))).toEqual(['model.safetensors']);
});
