import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { inspect } from 'node:util';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { loadPlan, openCheckpoint, verifyCheckpoint, writeCheckpoint } from '../../../lib/checkpoint.js';

const folder = mkdtempSync(join(tmpdir(), 'nninit-test-'));
let requests: string[] = [];
/** What the server does in place of answering as it should. */
let fault: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined;

const server = createServer(async (request, response) => {
  const path = request.url ?? '';
  requests.push(`${path} ${request.headers.range}`);
  if (fault?.(request, response)) return;
  const bytes = await readFile(join(folder, path)).catch(() => undefined);
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
  if (bytes === undefined || range === null) {
    response.writeHead(bytes === undefined ? 404 : 400).end();
    return;
  }
  const [begin, end] = [Number(range[1]), Math.min(Number(range[2]) + 1, bytes.length)];
  if (begin >= bytes.length) {
    response.writeHead(416, { 'content-range': `bytes */${bytes.length}` }).end();
    return;
  }
  response.writeHead(206, { etag: '"1"', 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}` });
  response.end(bytes.subarray(begin, end));
});
let base = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const tensors = {
    a: { shape: [300, 1000], init: 'normal' },
    b: { shape: [7], dtype: 'bfloat16', init: 'uniform' },
    c: { shape: [256, 1024], init: 'normal' },
  };
  for (const [name, options] of [
    ['one', {}],
    ['shards', { maxShardSize: '1.2MB' }],
    ['npy', { format: 'npy' }],
  ] as const) {
    await writeCheckpoint(await loadPlan({ tensors }), join(folder, name), { seed: 5, ...options });
  }
  await writeCheckpoint(await loadPlan({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2 }), join(folder, 'gpt2'));
});
afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});
beforeEach(() => {
  requests = [];
  fault = undefined;
});

test.each(['one', 'one/model.safetensors', 'shards/', 'shards/model.safetensors.index.json', 'npy'])(
  'a checkpoint at an address is that of the folder: %s',
  async (name) => {
    await using local = await openCheckpoint(join(folder, name));
    await using remote = await openCheckpoint(`${base}/${name}`);
    const told = ({ tensors }: typeof local) => tensors.map(({ file: _, ...tensor }) => tensor);
    expect(told(remote)).toEqual(told(local));
    for (const each of ['a', 'b', 'c']) expect(await remote.read(each)).toEqual(await local.read(each));
    const slice = [{ dim: 1, start: 100, length: 50 }];
    expect(await remote.read('a', { slice })).toEqual(await local.read('a', { slice }));
    expect(await verifyCheckpoint(new URL(`${base}/${name}`))).toMatchObject({ ok: true, tensors: 3 });
  },
);

test('a URL of a file is a path', async () => {
  await using checkpoint = await openCheckpoint(pathToFileURL(join(folder, 'one')));
  expect(checkpoint.tensors).toHaveLength(3);
});

test('only what is asked for comes', async () => {
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  await checkpoint.read('a', { slice: [{ dim: 0, start: 200, length: 1 }] });
  const asked = requests.map((request) => {
    const [begin = 0, end = 0] = /=(\d+)-(\d+)$/.exec(request)?.slice(1).map(Number) ?? [];
    return end - begin + 1;
  });
  expect(asked).toEqual([65536, 65536, 4000]); // the header, the file's beginning, the row
});

test('a plan is that of a config at an address, and of a checkpoint there', async () => {
  const { tensors } = await loadPlan(join(folder, 'gpt2'));
  expect((await loadPlan(`${base}/gpt2`)).tensors).toEqual(tensors);
  expect((await loadPlan(`${base}/gpt2/config.json`)).tensors).toEqual(tensors);
  expect(new Set((await loadPlan({ like: `${base}/gpt2` })).tensors.map(({ name }) => name))).toEqual(
    new Set(tensors.map(({ name }) => name)),
  );
  expect(await verifyCheckpoint(`${base}/gpt2`)).toMatchObject({ ok: true, origin: { seed: 0n } });
});

test('a busy server, and one that ends answers early, are asked again', async () => {
  let failures = 0;
  fault = (_, response) => {
    if (++failures > 2) return false;
    response.writeHead(failures === 1 ? 503 : 429, { 'retry-after': '0' }).end();
    return true;
  };
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  let cut = 0;
  fault = (request, response) => {
    const range = /=(\d+)-(\d+)$/.exec(request.headers.range ?? '');
    if (++cut > 2 || range === null) return false;
    void readFile(join(folder, 'one/model.safetensors')).then((bytes) => {
      const [begin, end] = [Number(range[1]), Number(range[2]) + 1];
      const headers = { etag: '"1"', 'content-range': `bytes ${begin}-${end - 1}/${bytes.length}` };
      response.writeHead(206, { ...headers, 'content-length': String(end - begin) });
      response.write(bytes.subarray(begin, begin + 1000), () => response.destroy());
    });
    return true;
  };
  await using local = await openCheckpoint(join(folder, 'one'));
  expect(await checkpoint.read('c')).toEqual(await local.read('c'));
  expect(cut).toBe(3);
});

const answers = (status: number, headers: Record<string, string> = {}, body = '') => {
  return (_: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, headers).end(body);
    return true;
  };
};

test.each([
  ['403', answers(403), 'the server answered 403 Forbidden'],
  ['500', answers(500, { 'retry-after': '0' }), 'the server answered 500 Internal Server Error'],
  ['no ranges', answers(200, { 'content-length': String(2 ** 30) }), 'its server sends no ranges of files'],
  ['no length', answers(206, { 'content-range': 'bytes 0-1/*' }, 'xx'), 'does not say how long the file is'],
])('%s is refused with what the server said', async (_, answer, message) => {
  fault = answer;
  const path = `${base}/one/model.safetensors`;
  await expect(openCheckpoint(path)).rejects.toMatchObject({
    code: 'ERR_NNINIT_READ',
    path,
    message: expect.stringContaining(`could not read ${path}: `),
  });
  await expect(openCheckpoint(path)).rejects.toThrow(message);
});

test('an address without a checkpoint is refused, and says what was looked for', async () => {
  await expect(openCheckpoint(`${base}/nowhere`)).rejects.toThrow(
    /nowhere: expected the address of a checkpoint, but it has none of model\.safetensors, /,
  );
  await expect(openCheckpoint('http://127.0.0.1:59999/model.safetensors')).rejects.toThrow(/connection refused/);
});

test('an empty file at a server is told as what it is', async () => {
  await writeFile(join(folder, 'empty.safetensors'), '');
  await expect(openCheckpoint(`${base}/empty.safetensors`)).rejects.toMatchObject({
    code: 'ERR_NNINIT_HEADER',
    message: expect.stringContaining('expected a safetensors file, but it is empty'),
  });
  fault = answers(416, { 'content-range': 'bytes */7' });
  await expect(openCheckpoint(`${base}/empty.safetensors`)).rejects.toThrow('the server answered 416');
});

test('two versions of a file are not put together', async () => {
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  await checkpoint.read('b');
  fault = answers(206, { etag: '"2"', 'content-range': 'bytes 0-9/100' }, '0123456789');
  await expect(checkpoint.read('c')).rejects.toThrow('has changed while it was being read');
});

test.each([
  ['another range than was asked for', (begin: number) => [begin + 4, 8], 'sends another range than was asked for'],
  ['nothing of a range, each time', (begin: number) => [begin, 0], 'the server ends its answers early'],
  ['a byte at a time', (begin: number) => [begin, 1], 'the server ends its answers early'],
] as const)('a server that sends %s is refused, and no byte of it passes for the file', async (_, answer, message) => {
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  const { length } = await readFile(join(folder, 'one/model.safetensors'));
  await checkpoint.read('b'); // the file is open then
  requests = [];
  fault = (request, response) => {
    const [begin = 0, bytes = 0] = answer(Number(/=(\d+)-/.exec(request.headers.range ?? '')?.[1]));
    response.writeHead(206, { etag: '"1"', 'content-range': `bytes ${begin}-${begin + 7}/${length}` });
    return Boolean(response.end(Buffer.alloc(bytes)));
  };
  await expect(checkpoint.read('c')).rejects.toMatchObject({
    code: 'ERR_NNINIT_READ',
    message: expect.stringContaining(message),
  });
  expect(requests.length).toBeLessThan(6);
});

test('what a server does not tell of is not taken for missing', async () => {
  const refuse = (end: string, status: number) => (request: IncomingMessage, response: ServerResponse) =>
    (request.url ?? '').endsWith(end) && Boolean(response.writeHead(status).end());
  fault = refuse('/config.json', 401);
  await expect(verifyCheckpoint(`${base}/gpt2/model.safetensors`)).rejects.toThrow(/config.json: .* 401/);
  fault = refuse('/config.json', 403);
  expect(await verifyCheckpoint(`${base}/one/model.safetensors`)).toMatchObject({ ok: true });
  const config = JSON.stringify({ model_type: 'gpt2', n_layer: 1, n_embd: 8, n_head: 2 });
  fault = (request, response) =>
    refuse('/hf_quant_config.json', 401)(request, response) || Boolean(response.end(config));
  await expect(loadPlan(`${base}/a/b/resolve/main/`)).rejects.toThrow(/hf_quant_config.json: .* 401/);
});

test('stores that let nobody list refuse what is not there, and what is there is found', async () => {
  fault = (request, response) => {
    const isThere = /^\/shards\/model(?:-.*|\.safetensors\.index\.json)$/.test(request.url ?? '');
    return !isThere && Boolean(response.writeHead(403).end());
  };
  const { tensors } = await loadPlan({ like: `${base}/shards/` });
  expect(tensors.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
  await using checkpoint = await openCheckpoint(`${base}/shards/`);
  expect(checkpoint.path).toMatch(/model\.safetensors\.index\.json$/);
  await expect(openCheckpoint(`${base}/nowhere/`)).rejects.toThrow(/nowhere\/model\.safetensors: .* 403 Forbidden/);
});

test('an HF_ENDPOINT that is no address is refused, and no other server asked in its place', async () => {
  for (const given of ['mirror.invalid', 'localhost:1234', 'ftp://mirror']) {
    vi.stubEnv('HF_ENDPOINT', given);
    const said = `HF_ENDPOINT: expected an address of http or https, but received "${given}"`;
    await expect(loadPlan('hf:a/b')).rejects.toThrow(said);
    await expect(openCheckpoint('hf:a/b')).rejects.toThrow(said);
    await (await openCheckpoint(`${base}/one/`)).close();
  }
  vi.unstubAllEnvs();
});

test('a file that has grown is another one, whatever its tag says', async () => {
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  await checkpoint.read('b');
  const { length } = await readFile(join(folder, 'one/model.safetensors'));
  fault = (request, response) => {
    const begin = Number(/=(\d+)-/.exec(request.headers.range ?? '')?.[1]);
    return answers(206, { etag: '"1"', 'content-range': `bytes ${begin}-${begin + 3}/${length + 4}` })(
      request,
      response,
    );
  };
  await expect(checkpoint.read('c')).rejects.toThrow('has changed while it was being read');
});

test('a server without entity tags tells versions of a file by their times', async () => {
  let time = 'Thu, 01 Jan 2026 00:00:00 GMT';
  const bytes = await readFile(join(folder, 'one/model.safetensors'));
  fault = (request, response) => {
    const [, begin, last] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')?.map(Number) ?? [];
    const end = Math.min(bytes.length, (last ?? 0) + 1);
    const range = `bytes ${begin}-${end - 1}/${bytes.length}`;
    response.writeHead(206, { 'last-modified': time, 'content-range': range }).end(bytes.subarray(begin, end));
    return true;
  };
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  await checkpoint.read('a');
  time = 'Thu, 01 Jan 2026 00:00:01 GMT';
  await expect(checkpoint.read('c')).rejects.toThrow('has changed while it was being read');
});

test.each([
  [
    'an index that names half a character',
    'model.safetensors.index.json',
    { weight_map: { a: '\ud800' } },
    /expected the name of a file/,
  ],
  ['a recipe that names half a character', 'recipe.json', { model: '\ud800' }, /expected well-formed Unicode/],
  [
    'a recipe that names a file of this machine',
    'recipe.json',
    { model: '/etc/hostname' },
    /a path beside it, or an address/,
  ],
  [
    'a recipe that names one by a URL',
    'recipe.json',
    { like: 'file:///etc/hostname' },
    /a path beside it, or an address/,
  ],
  ['a file of a length that is no number', 'recipe.json', undefined, /does not say how long/],
])('%s is refused', async (_, name, document, message) => {
  fault = (_request, response) => {
    if (document === undefined) response.writeHead(206, { 'content-range': `bytes 0-0/${'9'.repeat(400)}` });
    return Boolean(response.end(JSON.stringify(document ?? {})));
  };
  const reading = name === 'recipe.json' ? loadPlan(`${base}/${name}`) : openCheckpoint(`${base}/${name}`);
  await expect(reading).rejects.toThrow(message);
  await expect(reading).rejects.toMatchObject({ name: 'InputError' });
});

test.each([
  ['a body without end', () => ({ 'transfer-encoding': 'chunked' }), 'sends no ranges of files'],
  ['more than was asked for', () => ({ 'content-range': 'bytes 0-65535/1000000', etag: '"1"' }), undefined],
  ['another place', () => ({ 'content-range': 'bytes 8-65543/1000000' }), 'does not say how long'],
])('%s is not taken, and the connection is given up', async (_, headersOf, message) => {
  let sent = 0;
  fault = (_request, response) => {
    const headers = headersOf();
    response.writeHead('content-range' in headers ? 206 : 200, headers);
    const more = () => {
      if (response.destroyed || sent > 2 ** 28) return;
      sent += 2 ** 16;
      response.write(Buffer.alloc(2 ** 16, 1), () => setImmediate(more));
    };
    more();
    return true;
  };
  const opening = openCheckpoint(`${base}/one/model.safetensors`);
  if (message === undefined)
    await expect(opening).rejects.toThrow(); // what came is no header
  else await expect(opening).rejects.toThrow(message);
  expect(sent).toBeLessThan(2 ** 26);
});

test('a name and a password in an address are used, and not shown', async () => {
  let authorization: string | undefined;
  fault = (request, response) => {
    authorization = request.headers.authorization;
    return answers(403)(request, response);
  };
  const path = `${base.replace('//', '//me:p%40ss@')}/one/model.safetensors`;
  await expect(openCheckpoint(path)).rejects.toThrow(`could not read ${base}/one/model.safetensors: `);
  expect(authorization).toBe(`Basic ${Buffer.from('me:p@ss').toString('base64')}`);
  await expect(openCheckpoint(path.replace('p%40ss', '%zz'))).rejects.toThrow(/the server answered 403/);
  expect(authorization).toBe(`Basic ${Buffer.from('me:%zz').toString('base64')}`);
  fault = answers(404);
  const folder = path.replace('/model.safetensors', '');
  await expect(openCheckpoint(folder)).rejects.toMatchObject({
    message: expect.stringContaining(`${base}/one: expected the address of a checkpoint`),
    path: `${base}/one`,
  });
});

test('the files of a manifest are waited for no longer than the signal says', async () => {
  await writeCheckpoint(await loadPlan({ tensors: { a: { shape: [2], init: 'ones' } } }), join(folder, 'files'), {
    format: 'npy',
    existing: 'replace',
  });
  const stop = new AbortController();
  fault = ({ url }) => {
    if (!url?.endsWith('.npy')) return false;
    stop.abort(new Error('enough'));
    return true; // and there is no answer
  };
  await expect(openCheckpoint(`${base}/files/manifest.json`, { signal: stop.signal })).rejects.toThrow('enough');
});

test('a server that does not answer is waited for no longer than the signal says', async () => {
  fault = () => true;
  const signal = AbortSignal.timeout(100);
  await expect(verifyCheckpoint(`${base}/one/model.safetensors`, { signal })).rejects.toThrow(/timeout|interrupted/);
  await expect(openCheckpoint(`${base}/one`, { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/);
  fault = undefined;
  await using checkpoint = await openCheckpoint(`${base}/one/model.safetensors`);
  fault = () => true;
  await expect(checkpoint.read('c', { signal: AbortSignal.timeout(100) })).rejects.toThrow(/timeout/);
});

test('a server without ranges serves small files', async () => {
  const bytes = await readFile(join(folder, 'gpt2/config.json'));
  fault = answers(200, {}, bytes.toString());
  const { tensors } = await loadPlan(`${base}/config.json`);
  expect(tensors).toEqual((await loadPlan(join(folder, 'gpt2'))).tensors);
});

test('hf:org/name is a repository at HF_ENDPOINT, to which alone HF_TOKEN goes', async () => {
  const tokens: string[] = [];
  const other = createServer((request, response) => {
    tokens.push(`other ${request.headers.authorization}`);
    request.url = request.url?.replace(/^\/cdn/, '');
    server.emit('request', request, response);
  });
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  const { port } = other.address() as AddressInfo;
  fault = (request, response) => {
    const path = request.url ?? '';
    if (!path.startsWith('/a/b/resolve/refs%2Fpr%2F1/')) return false;
    tokens.push(`hub ${request.headers.authorization}`);
    const name = path.slice(path.lastIndexOf('/') + 1);
    response.writeHead(302, { location: `http://127.0.0.1:${port}/cdn/shards/${name}` }).end();
    return true;
  };
  vi.stubEnv('HF_ENDPOINT', `${base}/`);
  vi.stubEnv('HF_TOKEN', ' hf_secret\n');
  try {
    const plan = await loadPlan({ like: 'hf:a/b@refs/pr/1' });
    expect(plan.tensors.map(({ name }) => name).sort()).toEqual(['a', 'b', 'c']);
    await using local = await openCheckpoint(join(folder, 'shards'));
    await using remote = await openCheckpoint('hf:a/b@refs/pr/1');
    expect(await remote.read('c')).toEqual(await local.read('c'));
    expect(new Set(tokens)).toEqual(new Set(['hub Bearer hf_secret', 'other undefined']));
    tokens.length = 0;
    await (await openCheckpoint(`http://127.0.0.1:${port}/cdn/one/`)).close();
    expect(new Set(tokens)).toEqual(new Set(['other undefined']));
    fault = (_, response) => Boolean(response.writeHead(401).end());
    const error = await openCheckpoint('hf:a/b').catch((cause: unknown) => cause);
    expect(String(error)).toMatch(/401 Unauthorized; HF_TOKEN holds/);
    expect(inspect(error, { depth: 9 })).not.toContain('hf_secret');
    vi.stubEnv('HF_TOKEN', 'hf_secret\nand more');
    const unfit = await openCheckpoint('hf:a/b').catch((cause: unknown) => cause);
    expect(unfit).toMatchObject({ name: 'InputError', message: expect.stringContaining('HF_TOKEN: expected a token') });
    expect(inspect(unfit, { depth: 9 })).not.toContain('hf_secret');
    await expect(loadPlan({ like: 'hf:a/b/c' })).rejects.toThrow(/expected hf:org\/name or .* received "hf:a\/b\/c"/);
  } finally {
    vi.unstubAllEnvs();
    other.close();
    other.closeAllConnections();
  }
});

test.each(['head', 'body'])('a server that stops within its %s is not waited for without end', async (where) => {
  const timeout = AbortSignal.timeout;
  const limits: number[] = [];
  vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    limits.push(ms);
    return timeout(100);
  });
  fault = (_, response) => {
    if (where === 'body') response.writeHead(206, { 'content-range': 'bytes 0-65535/65536' }).write('x');
    return true;
  };
  try {
    await expect(openCheckpoint(`${base}/one/model.safetensors`)).rejects.toMatchObject({ code: 'ERR_NNINIT_READ' });
    expect(Math.max(...limits)).toBeLessThan(60_000);
  } finally {
    vi.restoreAllMocks();
    server.closeAllConnections();
  }
});

test('a server that says its bytes are compressed, and they are not, is told as such', async () => {
  fault = (_, response) => {
    response.writeHead(200, { 'content-encoding': 'gzip' }).end('hello');
    return true;
  };
  await expect(loadPlan(`${base}/gpt2/config.json`)).rejects.toThrow(/: incorrect header check$/);
});

test('white space around HF_ENDPOINT, as files of settings have it, is no part of an address', async () => {
  vi.stubEnv('HF_ENDPOINT', ` ${base}/\n`);
  try {
    await expect(loadPlan('hf:org/name')).rejects.toThrow('404');
    vi.stubEnv('HF_ENDPOINT', ' ');
    await expect(loadPlan('hf:org/name')).rejects.toThrow('HF_ENDPOINT: expected an address');
    expect(requests).toEqual(['/org/name/resolve/main/config.json bytes=0-65535']);
  } finally {
    vi.unstubAllEnvs();
  }
});
