// What clients of the Hub get from a server, beside what `nninit generate` writes.
import { cpSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { downloadFile, listFiles, modelInfo, parseSafetensorsMetadata } from '@huggingface/hub';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  loadPlan,
  openCheckpoint,
  verifyCheckpoint,
  virtualCheckpoint,
  writeCheckpoint,
} from '../../lib/checkpoint.js';
import { createPool } from '../../lib/pool/pool.js';
import { contentsOf } from '../../lib/serve/content.js';
import { createHandler, createServer } from '../../lib/serve.js';
import { bytesOf, llama, models, repository, root, serve, writeRepositories } from './serving.js';

let base = '';

beforeAll(async () => {
  writeRepositories();
  base = await serve({
    inputs: [models, 'resnet18', 'gpt2'],
    maxShardSize: '60kB',
    onError: () => undefined,
  });
});

const hub = () => ({ hubUrl: base, repo: 'tiny/llama' }) as const;

test('a client of the Hub lists and downloads the very files that are written for the seed', async () => {
  const out = join(root, 'out');
  await writeCheckpoint(await loadPlan(join(models, 'tiny/llama')), out, { seed: 7, maxShardSize: '60kB' });
  const listed: string[] = [];
  for await (const { path, size } of listFiles({ ...hub(), revision: 'seed-7', recursive: true })) {
    const blob = await downloadFile({ ...hub(), path, revision: 'seed-7' });
    expect(blob?.size).toBe(size);
    listed.push(path);
    if (path === 'tokenizer.json') continue;
    expect(Buffer.from(await (blob as Blob).arrayBuffer()).equals(readFileSync(join(out, path))), path).toBe(true);
  }
  expect(listed.length).toBeGreaterThan(4);
  expect(listed).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json', 'model.safetensors.index.json']));
  expect(listed).not.toContain('model.safetensors');
  const { sharded, parameterCount } = await parseSafetensorsMetadata({ ...hub(), computeParametersCount: true });
  expect([sharded, parameterCount]).toEqual([true, { F32: (await loadPlan(llama)).parameters }]);
  expect(await modelInfo({ hubUrl: base, name: 'tiny/llama' })).toMatchObject({ name: 'tiny/llama', private: false });
});

test('a commit stands for a seed, a dtype and what the repository holds, also at another server', async () => {
  const info = async (at: string, revision: string) =>
    (await (await fetch(`${at}/api/models/tiny/llama/revision/${revision}`)).json()) as { sha: string };
  const { sha } = await info(base, 'seed-18446744073709551615-bfloat16-torch');
  expect(sha).toMatch(/^f{16}[0-9a-f]{24}$/);
  expect((await info(base, sha)).sha).toBe(sha);
  const other = await serve({ inputs: [models], maxShardSize: '60kB' });
  expect((await info(other, sha)).sha).toBe(sha);
  const otherLayout = await serve({ inputs: [models], maxShardSize: '70kB' });
  expect((await fetch(`${otherLayout}/api/models/tiny/llama/revision/${sha}`)).status).toBe(404);
  expect(new Set([sha, (await info(base, 'main')).sha, (await info(base, 'seed-1')).sha]).size).toBe(3);
  // Parts that no revision has: an unknown engine, an unknown dtype.
  for (const parts of ['ff', '0e']) {
    const other = `${sha.slice(0, 16)}${parts}${sha.slice(18)}`;
    const answer = await fetch(`${base}/api/models/tiny/llama/revision/${other}`);
    expect([answer.status, answer.headers.get('x-error-code')]).toEqual([404, 'RevisionNotFound']);
  }
});

test('a plan of very many tensors is made beside the event loop, which goes on', async () => {
  const experts = { num_hidden_layers: 6, n_routed_experts: 900, num_experts_per_tok: 2, n_group: 1, topk_group: 1 };
  const sizes = { vocab_size: 64, hidden_size: 32, intermediate_size: 32, moe_intermediate_size: 8 };
  const attention = { num_attention_heads: 2, kv_lora_rank: 8, q_lora_rank: 8, qk_rope_head_dim: 4 };
  repository('tiny/many', { model_type: 'deepseek_v3', ...experts, ...sizes, ...attention });
  const at = await serve({ inputs: [models] });
  await (await fetch(`${at}/api/models/tiny/llama`)).text(); // the thread is there
  const before = performance.eventLoopUtilization();
  const info = (await (await fetch(`${at}/api/models/tiny/many`)).json()) as { safetensors: { total: number } };
  const { utilization } = performance.eventLoopUtilization(before);
  expect(info.safetensors.total).toBe((await loadPlan(join(models, 'tiny/many'))).parameters);
  expect(utilization).toBeLessThan(0.5);
}, 60_000);

test('a config that changes is another commit, with other files', async () => {
  repository('tiny/changing', llama);
  const url = `${base}/api/models/tiny/changing`;
  const before = (await (await fetch(url)).json()) as { sha: string };
  repository('tiny/changing', { ...llama, num_hidden_layers: 1 });
  utimesSync(join(models, 'tiny/changing/config.json'), 1, 1);
  const after = (await (await fetch(url)).json()) as { sha: string };
  expect(after.sha).not.toBe(before.sha);
  expect((await fetch(`${url}/revision/${before.sha}`)).headers.get('x-error-code')).toBe('RevisionNotFound');
});

test('nninit itself reads from it, tensors that are made whole and named models too', async () => {
  await using checkpoint = await openCheckpoint(`${base}/tiny/whole/resolve/seed-3/`);
  expect(checkpoint.tensors.map(({ name }) => name).sort()).toEqual(['n', 'q']);
  const plan = await loadPlan(join(models, 'tiny/whole/recipe.json'));
  expect(await verifyCheckpoint(`${base}/tiny/whole/resolve/seed-3/`, { plan })).toMatchObject({ ok: true });
  await using resnet = await openCheckpoint(`${base}/torchvision/resnet18/resolve/main/`);
  expect((await resnet.read('bn1.num_batches_tracked')).data).toEqual(new BigInt64Array(1));
});

test('a well-known model is the repository that has it on the Hub', async () => {
  const url = `${base}/openai-community/gpt2/resolve/seed-3/`;
  expect(await (await fetch(`${url}config.json`)).json()).toMatchObject({ model_type: 'gpt2' });
  await using checkpoint = await openCheckpoint(url);
  const norm = await checkpoint.read('transformer.h.11.ln_2.weight');
  expect(norm.data).toEqual(new Float32Array(768).fill(1));
  await expect(serve({ inputs: ['gtp2'] })).rejects.toThrow(/`nninit models` lists, but received 'gtp2' \(.*gpt2/);
});

describe('a file', () => {
  const url = () => `${base}/tiny/gpt2/resolve/seed-5/model.safetensors`;
  const ask = (headers: Record<string, string>, method = 'GET') => fetch(url(), { method, headers });

  test('has what clients look for in its head', async () => {
    const response = await ask({ 'accept-encoding': 'identity' }, 'HEAD');
    const { headers } = response;
    expect(headers.get('x-repo-commit')).toMatch(/^[0-9a-f]{40}$/);
    expect(headers.get('etag')).toMatch(/^"[0-9a-f]{40}"$/);
    expect(headers.get('x-linked-etag')).toBe(headers.get('etag'));
    expect(headers.get('x-linked-size')).toBe(headers.get('content-length'));
    expect(headers.get('accept-ranges')).toBe('bytes');
    expect((await bytesOf(response)).length).toBe(0);
  });

  test('is sent in any range', async () => {
    const all = await bytesOf(await ask({}));
    const size = all.length;
    for (const [range, begin, end] of [
      ['bytes=0-0', 0, 1],
      ['bytes=8-100', 8, 101],
      [`bytes=${size - 3}-`, size - 3, size],
      ['bytes=100-999999999', 100, size],
      ['bytes=-5', size - 5, size],
      ['bytes=-999999999', 0, size],
    ] as const) {
      const response = await ask({ range });
      expect([range, response.status]).toEqual([range, 206]);
      expect(response.headers.get('content-range')).toBe(`bytes ${begin}-${end - 1}/${size}`);
      expect(await bytesOf(response), range).toEqual(all.subarray(begin, end));
    }
    for (const range of [`bytes=${size}-`, 'bytes=-0']) {
      const response = await ask({ range });
      expect([response.status, response.headers.get('content-range')]).toEqual([416, `bytes */${size}`]);
    }
    for (const range of ['bytes=5-2', 'lines=1-2', 'bytes=1-2,4-5', 'bytes=-']) {
      expect((await ask({ range })).status, range).toBe(200);
    }
  });

  test('is not sent again where nothing has changed, and as a whole where it has', async () => {
    const { headers } = await ask({}, 'HEAD');
    const etag = headers.get('etag') ?? '';
    expect((await ask({ 'if-none-match': etag })).status).toBe(304);
    expect((await ask({ 'if-none-match': `"x", W/${etag}` })).status).toBe(304);
    expect((await ask({ 'if-none-match': '"x"' })).status).toBe(200);
    expect((await ask({ range: 'bytes=1-2', 'if-range': etag })).status).toBe(206);
    expect((await ask({ range: 'bytes=1-2', 'if-range': '"x"' })).status).toBe(200);
    // A server with other options makes other bytes of a config that is as old.
    const modified = headers.get('last-modified') ?? '';
    expect((await ask({ range: 'bytes=1-2', 'if-range': modified })).status).toBe(200);
  });

  test('is not sent where a client has begun with another one', async () => {
    const { headers } = await ask({}, 'HEAD');
    const etag = headers.get('etag') ?? '';
    const modified = headers.get('last-modified') ?? '';
    for (const [condition, status] of [
      [{ 'if-match': `"x", ${etag}` }, 206],
      [{ 'if-match': '*' }, 206],
      [{ 'if-match': '"x"' }, 412],
      [{ 'if-match': `W/${etag}` }, 412],
      [{ 'if-match': etag, 'if-unmodified-since': new Date(0).toUTCString() }, 206],
      [{ 'if-unmodified-since': modified }, 206],
      [{ 'if-unmodified-since': 'never' }, 206],
      [{ 'if-unmodified-since': new Date(0).toUTCString() }, 412],
    ] as const) {
      const response = await ask({ range: 'bytes=1-2', ...(condition as Record<string, string>) });
      expect([condition, response.status]).toEqual([condition, status]);
      expect(response.headers.get('etag')).toBe(etag);
      expect((await bytesOf(response)).length === 2).toBe(status === 206);
    }
  });
});

test('an answer begins before a tensor that is made whole is there', async () => {
  mkdirSync(join(models, 'tiny/orthogonal'));
  const tensors = { q: { shape: [1500, 1500], init: 'orthogonal' } };
  writeFileSync(join(models, 'tiny/orthogonal/recipe.json'), JSON.stringify({ tensors }));
  const at = await serve({ inputs: [models] });
  await bytesOf(await fetch(`${at}/tiny/gpt2/resolve/main/model.safetensors`)); // the workers are there now
  await fetch(`${at}/api/models/tiny/orthogonal`);
  const start = performance.now();
  const response = await fetch(`${at}/tiny/orthogonal/resolve/main/model.safetensors`, {
    headers: { range: 'bytes=1000000-1000003' },
  });
  const begun = performance.now() - start;
  expect((await bytesOf(response)).length).toBe(4);
  expect(begun).toBeLessThan((performance.now() - start) / 2);
});

test('a tree comes in pages', async () => {
  const url = `${base}/api/models/tiny/llama/tree/main?recursive=true&limit=2`;
  const paths: string[] = [];
  for (let next: string | undefined = url, turn = 0; next !== undefined && turn < 20; turn++) {
    const response: Response = await fetch(next);
    paths.push(...((await response.json()) as { path: string }[]).map(({ path }) => path));
    const [, link] = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '') ?? [];
    next = link === undefined ? undefined : new URL(link, next).href;
  }
  const all = (await (await fetch(`${base}/api/models/tiny/llama/tree/main`)).json()) as { path: string }[];
  expect(paths).toEqual(all.map(({ path }) => path));
});

test.each(['application/json', 'Application/JSON', 'application/x-www-form-urlencoded'])(
  'paths-info of %s',
  async (type) => {
    const body = /json$/i.test(type)
      ? JSON.stringify({ paths: ['config.json', 'none'], expand: false })
      : 'paths=config.json&paths=none';
    const url = `${base}/api/models/tiny/gpt2/paths-info/main`;
    const response = await fetch(url, { method: 'POST', body, headers: { 'content-type': type } });
    expect(await response.json()).toMatchObject([{ type: 'file', path: 'config.json' }]);
  },
);

test.each([
  ['no JSON', '{"paths":', 400, 'expected JSON'],
  ['too long', JSON.stringify({ paths: ['x'.repeat(3 << 20)] }), 413, 'expected at most 1048576 bytes'],
])('a body that is %s is told so', async (_, body, status, error) => {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${base}/api/models/tiny/gpt2/paths-info/main`, { method: 'POST', body, headers });
  expect([response.status, await response.json()]).toEqual([status, { error }]);
});

test.each([{ paths: ['config.json', 'none'] }, { paths: 'config.json' }])(
  'a body that was parsed before the handler is called is taken as it is: %j',
  async (body) => {
    const handler = await createHandler({ inputs: [models] });
    const parsing = createHttpServer(async (request, response) => {
      for await (const _ of request); // as Express's parsers do
      handler(Object.assign(request, { body }), response);
    });
    await new Promise<void>((resolve) => parsing.listen(0, '127.0.0.1', resolve));
    const { port } = parsing.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/api/models/tiny/gpt2/paths-info/main`;
    const response = await fetch(url, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } });
    expect(await response.json()).toMatchObject([{ path: 'config.json' }]);
    parsing.closeAllConnections();
    await new Promise((resolve) => parsing.close(resolve));
    await handler.close();
  },
);

test('refs tell the commit of main', async () => {
  const { branches } = (await (await fetch(`${base}/api/models/tiny/gpt2/refs`)).json()) as { branches: object[] };
  const { sha } = (await (await fetch(`${base}/api/models/tiny/gpt2`)).json()) as { sha: string };
  expect(branches).toEqual([{ name: 'main', ref: 'refs/heads/main', targetCommit: sha }]);
});

test('the branch main is found by its whole name', async () => {
  const { sha } = (await (await fetch(`${base}/api/models/tiny/gpt2`)).json()) as { sha: string };
  const info = await fetch(`${base}/api/models/tiny/gpt2/revision/refs%2Fheads%2Fmain`);
  expect(await info.json()).toMatchObject({ sha });
  const file = await fetch(`${base}/tiny/gpt2/resolve/refs%2Fheads%2Fmain/config.json`);
  expect([file.status, file.headers.get('x-repo-commit')]).toEqual([200, sha]);
});

test('a whole address, as some proxies ask for it, is answered like its path', async () => {
  const { port } = new URL(base);
  const answer = await new Promise<IncomingMessage>((resolve) =>
    get({ port, path: 'http://checkpoints.example:80/tiny/gpt2/resolve/main/config.json' }, resolve),
  );
  expect(answer.statusCode).toBe(200);
  answer.resume();
});

test.each([
  ['/api/models/tiny/none', 404, 'RepoNotFound'],
  ['/api/models/gpt2/revision/main', 404, 'RepoNotFound'],
  ['/gpt2/raw/main/config.json', 404, 'RepoNotFound'],
  ['/gpt2/resolve/main/config.json', 404, 'RepoNotFound'],
  ['/api/models/tiny/llama/revision/none', 404, 'RevisionNotFound'],
  ['/tiny/llama/resolve/seed-x/config.json', 404, 'RevisionNotFound'],
  ['/tiny/llama/resolve/seed-18446744073709551616/config.json', 404, 'RevisionNotFound'],
  ['/tiny/llama/resolve/main/none.json', 404, 'EntryNotFound'],
  ['/tiny/llama/resolve/main/model.safetensors', 404, 'EntryNotFound'],
  ['/api/models/tiny/broken', 500, null],
  ['/tiny/llama/resolve/seed-1-bfloat16-float16/config.json', 404, 'RevisionNotFound'],
  ['/tiny/llama/resolve/seed-1-torch-philox/config.json', 404, 'RevisionNotFound'],
  ['/nninit-models/llama/resolve/main/config.json', 404, 'RepoNotFound'],
  ['/nninit/llama/resolve/main/config.json', 404, 'RepoNotFound'],
  ['/nowhere', 404, 'EntryNotFound'],
  ['/api/models/tiny/gpt2/nothing', 404, 'EntryNotFound'],
  ['/api/models/tiny/none/nothing', 404, 'RepoNotFound'],
  ['/api/models/tiny/gpt2/tree/main/sub', 404, 'EntryNotFound'],
  ['/api/models/tiny/gpt2/tree/main?limit=0', 400, null],
  ['/api/models/tiny/gpt2/tree/main?cursor=-1', 400, null],
  ['/%zz', 400, null],
  [`/${'x'.repeat(5000)}`, 414, null],
])('%s is answered with %i and %s', async (path, status, code) => {
  const response = await fetch(base + path);
  expect([response.status, response.headers.get('x-error-code')]).toEqual([status, code]);
  expect(Object.keys((await response.json()) as object)).toEqual(['error']);
});

test('a file beside a config that changes when it is asked for is not cut to the length of the old one', async () => {
  const snapshot = { commit: 'c', pool: undefined as never, modified: new Date() };
  const path = join(root, 'asset.txt');
  writeFileSync(path, 'longer than before');
  utimesSync(path, 1, 1);
  const read = async (size: number, modified: Date) => {
    const asset = { name: 'asset.txt', path, size, modified };
    const content = contentsOf({ files: [] } as never, [asset], snapshot).get('asset.txt');
    const chunks: Uint8Array[] = [];
    for await (const chunk of content?.stream(0, size, 1, new AbortController().signal) ?? []) chunks.push(chunk);
    return Buffer.concat(chunks).toString();
  };
  expect(await read(18, new Date(1000))).toBe('longer than before');
  await expect(read(6, new Date(1000))).rejects.toThrow('changed when it was asked for');
  await expect(read(18, new Date(2000))).rejects.toThrow('changed when it was asked for');
});

test('only what is made has the tag of a large file: what is stored is no pointer to one', async () => {
  const tagOf = async (path: string) => (await fetch(base + path, { method: 'HEAD' })).headers.get('x-linked-etag');
  expect(await tagOf('/tiny/gpt2/resolve/main/model.safetensors')).toMatch(/^"[0-9a-f]{40}"$/);
  for (const path of ['/tiny/gpt2/resolve/main/config.json', '/tiny/llama/resolve/main/tokenizer.json']) {
    expect(await tagOf(path)).toBeNull();
  }
});

test('what names no engine is of that of the server', async () => {
  const at = await serve({ inputs: [models], engine: 'torch' });
  const plan = await loadPlan(join(models, 'tiny/gpt2'));
  const path = (revision: string) => `${at}/tiny/gpt2/resolve/${revision}/model.safetensors`;
  for (const [revision, options] of [
    ['main', { engine: 'torch' }],
    ['HEAD', { engine: 'torch' }],
    ['seed-7', { engine: 'torch', seed: 7 }],
    ['seed-7-philox', { seed: 7 }],
    ['seed-7-bfloat16-torch', { engine: 'torch', seed: 7, dtype: 'bfloat16' }],
  ] as const) {
    const { dtype, ...given } = { dtype: undefined, ...options };
    const made = virtualCheckpoint(dtype ? await loadPlan(join(models, 'tiny/gpt2'), { dtype }) : plan, given);
    const answer = await fetch(path(revision));
    expect(answer.headers.get('x-repo-commit')).toMatch(/^[0-9a-f]{40}$/);
    expect(Buffer.compare(await bytesOf(answer), await made.read('model.safetensors')), revision).toBe(0);
  }
});

test('a file is of no type that its name makes up', async () => {
  repository('named/files', llama, { 'a.constructor': 'x', 'a.md': 'z' });
  const typeOf = async (name: string) =>
    (await fetch(`${base}/named/files/resolve/main/${name}`)).headers.get('content-type');
  expect(await typeOf('a.constructor')).toBe('application/octet-stream');
  expect(await typeOf('a.md')).toBe('text/plain; charset=utf-8');
});

test('two inputs that would be one repository are refused', async () => {
  for (const parent of ['a', 'b']) mkdirSync(join(root, parent, 'same'), { recursive: true });
  const inputs = ['a', 'b'].map((parent) => join(root, parent, 'same/config.json'));
  for (const input of inputs) cpSync(join(models, 'tiny/gpt2/config.json'), input);
  await expect(createServer({ inputs })).rejects.toThrow(
    /inputs of folders with names of their own.* are both local\/same/,
  );
  const [input = ''] = inputs;
  const at = await serve({ inputs: [input, input] });
  expect(await (await fetch(`${at}/api/models`)).json()).toMatchObject([{ id: 'local/same' }]);
});

test.each([
  [{ credentials: {} }, /text for credentials\.accessKeyId/],
  [{ credentials: { accessKeyId: 'a', secretAccessKey: undefined } }, /text for credentials\.secretAccessKey/],
  [{ credentials: { accessKeyId: 'a', secretAccessKey: '' } }, /text for credentials\.secretAccessKey/],
  [
    { credentials: { accessKeyId: 'a\n', secretAccessKey: 'b' } },
    /without white space.* credentials\.accessKeyId.* '…'/,
  ],
  [{ token: 'abc\n' }, /a header can hold.* for token.* '…'/],
  [{ token: '層' }, /a header can hold.* for token.* '…'/],
  [{ credentials: { accessKeyId: 'a', secretKey: 'b' } }, /'secretAccessKey'.* received 'secretKey'/],
  [{ credentials: null }, /a plain object for credentials/],
  [{ pool: {} }, /what createPool gave for pool/],
  [{ onError: 1 }, /a function for onError/],
])(
  'what would open a server to everyone, or fail with each request, is refused before: %j',
  async (options, message) => {
    await expect(createHandler({ inputs: [models], ...options } as object)).rejects.toThrow(message);
  },
);

test('a pool that was given stays open where inputs are refused, and when the handler is closed', async () => {
  const pool = createPool({ threads: 1 });
  await expect(createHandler({ inputs: ['/nowhere'], pool })).rejects.toThrow('expected a folder');
  await (await createHandler({ inputs: [models], pool })).close();
  expect((await pool.init.ones_(pool.empty([2]))).data).toEqual(Float32Array.of(1, 1));
  await pool.close();
});

test('options and inputs are checked', async () => {
  await expect(createServer({ inputs: ['/nowhere'] })).rejects.toMatchObject({
    name: 'InputError',
    path: '/nowhere',
    message: expect.stringContaining('serve: expected a folder, a config.json, a recipe'),
  });
  for (const bucket of ['a/b', 'api', 'metrics', 'a%20b']) {
    await expect(createServer({ bucket })).rejects.toThrow(/letters, digits.* for bucket, but received/);
  }
  await expect(createServer({ maxShardSize: '51GB' })).rejects.toThrow(RangeError);
  await expect(createServer({ limits: { requests: 0 } })).rejects.toThrow(/limits\.requests/);
  await expect(createServer({ port: 1 } as object)).rejects.toThrow(/one of 'inputs'/);
  cpSync(join(models, 'tiny/gpt2/config.json'), join(root, 'gpt2.json'));
  const at = await serve({ inputs: [join(root, 'gpt2.json')] });
  expect(await (await fetch(`${at}/api/models`)).json()).toMatchObject([{ id: expect.stringMatching(/^local\//) }]);
});
