// Recipes that name files outside of their folder: who asks by a commit gets the bytes of what was there when it was told.
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { bytesOf, models, root, serve } from './serving.js';

const config = (n_head: number) =>
  JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head, vocab_size: 10 });

function checkpoint(path: string, size: number): void {
  const header = JSON.stringify({ w: { dtype: 'F32', shape: [size], data_offsets: [0, 4 * size] } });
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  writeFileSync(path, Buffer.concat([length, Buffer.from(header), Buffer.alloc(4 * size)]));
}

let url = '';
beforeAll(async () => {
  for (const folder of ['other', 'like']) mkdirSync(join(root, folder), { recursive: true });
  const repositories = {
    model: { model: '../../../other' },
    file: { model: '../../../other/config.json' },
    like: { like: '../../../like/one.safetensors' },
    folder: { like: '../../../like' },
    beside: { like: 'weights.safetensors' },
    known: { model: 'gpt2' },
    own: { tensors: { w: { shape: [2], init: 'ones' } } },
  };
  for (const [name, recipe] of Object.entries(repositories)) {
    mkdirSync(join(models, 'named', name), { recursive: true });
    writeFileSync(join(models, 'named', name, 'recipe.json'), JSON.stringify(recipe));
  }
  writeFileSync(join(root, 'other/config.json'), config(2));
  checkpoint(join(root, 'like/one.safetensors'), 3);
  checkpoint(join(models, 'named/beside/weights.safetensors'), 3);
  url = await serve({ inputs: [models] });
});

const commitOf = async (name: string): Promise<string> =>
  ((await (await fetch(`${url}/api/models/named/${name}`)).json()) as { readonly sha: string }).sha;
const fileOf = async (name: string, revision = 'main') => {
  const response = await fetch(`${url}/named/${name}/resolve/${revision}/model.safetensors`);
  return { status: response.status, etag: response.headers.get('etag'), bytes: await bytesOf(response) };
};

test.each([
  ['model', () => writeFileSync(join(root, 'other/config.json'), config(4))],
  ['file', () => writeFileSync(join(root, 'other/hf_quant_config.json'), '{"quantization": {"quant_algo": null}}')],
  ['like', () => checkpoint(join(root, 'like/one.safetensors'), 5)],
  ['folder', () => checkpoint(join(root, 'like/one.safetensors'), 6)],
  ['beside', () => checkpoint(join(models, 'named/beside/weights.safetensors'), 7)],
])('what a recipe names by a path is a part of the commit: %s', async (name, change) => {
  const [commit, before] = [await commitOf(name), await fileOf(name)];
  expect(before.status).toBe(200);
  expect(await commitOf(name)).toBe(commit);
  change();
  expect(await commitOf(name)).not.toBe(commit);
  expect((await fileOf(name)).etag).not.toBe(before.etag);
  expect((await fileOf(name, commit)).status).toBe(404);
});

test.each(['model', 'like'])('what a recipe names by a path has changed when that has: %s', async (name) => {
  const later = new Date(Date.UTC(2031, 1, 3));
  for (const path of ['other/config.json', 'like/one.safetensors']) utimesSync(join(root, path), later, later);
  const { headers } = await fetch(`${url}/named/${name}/resolve/main/model.safetensors`, { method: 'HEAD' });
  expect(headers.get('last-modified')).toBe(later.toUTCString()); // by which copies are compared, and parts of one put together
  const { lastModified } = (await (await fetch(`${url}/api/models/named/${name}`)).json()) as { lastModified: string };
  expect(lastModified).toBe(later.toISOString());
});

test('a recipe that names a known model, or nothing, has the commit of its own folder', async () => {
  for (const name of ['known', 'own']) {
    const commit = await commitOf(name);
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    expect(await commitOf(name)).toBe(commit);
  }
});
