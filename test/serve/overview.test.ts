// What a server tells of all its repositories, and of itself: lists, the page, the log, metrics.
import { mkdirSync, writeFileSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { beforeAll, expect, test, vi } from 'vitest';
import { unreadable } from '../../lib/formats/source/file.js';
import { Planner } from '../../lib/serve/planner.js';
import { models, root, serve, writeRepositories } from './serving.js';

let base = '';
const errors: unknown[] = [];

beforeAll(async () => {
  writeRepositories();
  base = await serve({ inputs: [models, 'resnet18', 'gpt2'], onError: (error) => errors.push(error) });
});

test('models are listed by author and by text', async () => {
  const idsOf = async (query: string) => {
    const models = (await (await fetch(`${base}/api/models?${query}`)).json()) as { id: string }[];
    return models.map(({ id }) => id);
  };
  expect(await idsOf('author=tiny&search=LLAMA')).toEqual(['tiny/llama']);
  expect(await idsOf('author=tin')).toEqual([]);
});

test('a config that makes no sense is told in the log and not to the client, and the page stays', async () => {
  errors.length = 0;
  expect(await (await fetch(`${base}/api/models/tiny/broken`)).json()).toEqual({ error: 'something went wrong here' });
  expect(errors).toMatchObject([{ name: 'InputError', message: expect.stringContaining('hidden_size') }]);
  const page = await (await fetch(base)).text();
  expect(page).toContain('tiny/llama');
  expect(page).toContain('cannot be served');
  expect(errors).toHaveLength(2); // as the page says, the log says why
});

test('what cannot be told of is no empty folder, and no reason to list nothing', async () => {
  errors.length = 0;
  const list = (prefix: string) => fetch(`${base}/nninit?list-type=2&prefix=${prefix}`);
  for (const prefix of ['tiny/broken/main/', 'tiny/broken/', 'tiny/broken/seed-3/']) {
    expect((await list(prefix)).status).toBe(500);
  }
  expect(errors).toHaveLength(3);
  for (const prefix of ['tiny/nothing/main/', 'tiny/llama/nothing/']) {
    const answer = await list(prefix);
    expect([answer.status, (await answer.text()).includes('<KeyCount>0<')]).toEqual([200, true]);
  }
  expect(errors).toHaveLength(3);
  expect(await (await list('tiny/')).text()).toContain('<Key>tiny/llama/main/config.json<');
  expect(errors).toHaveLength(4);
});

test('a list leaves out nothing that the system only fails to tell of for a while', async () => {
  const at = await serve({ inputs: [models], onError: (error) => errors.push(error) });
  const full = Object.assign(new Error('EMFILE'), { code: 'EMFILE' });
  const lay = vi.spyOn(Planner.prototype, 'lay').mockRejectedValueOnce(unreadable('config.json', full));
  try {
    const list = () => fetch(`${at}/nninit?list-type=2&prefix=tiny/`);
    expect((await list()).status).toBe(500);
    expect(await (await list()).text()).toContain('<Key>tiny/llama/main/config.json<');
  } finally {
    lay.mockRestore();
  }
});

test('lists of all repositories, again and again, have each planned once', async () => {
  const many = join(root, 'many');
  const ids = Array.from({ length: 40 }, (_, i) => `many/m${i}`);
  for (const id of ids) {
    mkdirSync(join(many, id), { recursive: true });
    writeFileSync(join(many, id, 'recipe.json'), JSON.stringify({ tensors: { a: { shape: [2], init: 'normal' } } }));
  }
  const at = await serve({ inputs: [many] });
  const lay = vi.spyOn(Planner.prototype, 'lay');
  try {
    for (const path of ['/', '/', '/nninit?list-type=2', '/nninit?list-type=2&prefix=many/&delimiter=/']) {
      const text = await (await fetch(at + path, { headers: { accept: 'text/html' } })).text();
      expect(ids.filter((id) => text.includes(`${id}<`) || text.includes(`${id}/`))).toEqual(ids);
    }
    expect(lay).toHaveBeenCalledTimes(ids.length);
  } finally {
    lay.mockRestore();
  }
});

test('the page links to revisions of other engines than the server has', async () => {
  const at = await serve({ inputs: [models], engine: 'torch' });
  for (const revision of ['main', 'seed-7', 'seed-8-philox']) {
    await (await fetch(`${at}/api/models/tiny/gpt2/revision/${revision}`)).text();
  }
  const page = await (await fetch(at)).text();
  const links = Array.from(page.matchAll(/revision\/([\w-]+)"/g), ([, name]) => name);
  expect(links).toEqual(['seed-8-philox', 'seed-7']);
});

test('of many files the page links to the first ones, and says how many more there are', async () => {
  const many = await serve({ inputs: ['resnet18'], maxShardSize: 4_000_000 });
  const { siblings } = (await (await fetch(`${many}/api/models/torchvision/resnet18`)).json()) as {
    siblings: object[];
  };
  const page = await (await fetch(many)).text();
  expect(page.match(/resolve\/main/g)).toHaveLength(6);
  expect(page).toContain(`and ${siblings.length - 6} more`);
});

test('of revisions with very many tensors, which take memory, fewer are kept', async () => {
  const folder = join(root, 'kept');
  for (const [name, count] of [
    ['few', 2],
    ['many', 26_000],
  ] as const) {
    mkdirSync(join(folder, 'tiny', name), { recursive: true });
    const tensors = { [`h.{0..${count - 1}}.w`]: { shape: [1], init: 'zeros' } };
    writeFileSync(join(folder, 'tiny', name, 'recipe.json'), JSON.stringify({ tensors }));
  }
  const own = await serve({ inputs: [folder] });
  const kept = async (name: string) => {
    for (const seed of [1, 2])
      await fetch(`${own}/tiny/${name}/resolve/seed-${seed}/model.safetensors`, { method: 'HEAD' });
    const page = await (await fetch(own)).text();
    return [1, 2].filter((seed) => page.includes(`api/models/tiny/${name}/revision/seed-${seed}"`));
  };
  expect(await kept('few')).toEqual([1, 2]);
  expect(await kept('many')).toEqual([2]);
});

test('metrics count what was answered and sent', async () => {
  const part = await fetch(`${base}/tiny/gpt2/resolve/main/model.safetensors`, { headers: { range: 'bytes=0-9' } });
  expect(await part.text()).toHaveLength(10);
  const text = await (await fetch(`${base}/metrics`)).text();
  expect(text).toMatch(/^nninit_requests_total\{kind="hub",status="206"\} [1-9]/m);
  expect(text).toMatch(/^nninit_sent_bytes_total [1-9]/m);
});

test('a download that its client gave up is counted as such', async () => {
  const at = await serve({ inputs: ['resnet18'] });
  const gone = new AbortController();
  const url = `${at}/torchvision/resnet18/resolve/main/model.safetensors`;
  const { body } = await fetch(url, { signal: gone.signal });
  await body?.getReader().read();
  gone.abort();
  await expect
    .poll(async () => (await fetch(`${at}/metrics`)).text(), { timeout: 10_000 })
    .toMatch(/^nninit_requests_total\{kind="unfinished",status="200"\} 1$/m);
});

test('at the root, clients of S3 get the buckets and browsers the page', async () => {
  expect(await (await fetch(base, { headers: { accept: 'text/html' } })).text()).toContain('<!doctype html>');
  const { port } = new URL(base);
  const unsigned = await new Promise<IncomingMessage>((resolve) => get({ port, path: '/' }, resolve));
  expect(unsigned.headers['content-type']).toBe('application/xml');
  unsigned.resume();
});
