// What clients of S3 get from a server.
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, expect, test } from 'vitest';
import { createHandler } from '../../lib/serve.js';
import { bytesOf, llama, models, repository, serve, writeRepositories } from './serving.js';

let base = '';

beforeAll(async () => {
  writeRepositories();
  base = await serve({ inputs: [models, 'resnet18'], maxShardSize: '60kB' });
});

const list = async (query: string) => (await fetch(`${base}/nninit?list-type=2&${query}`)).text();
const keys = (xml: string) => Array.from(xml.matchAll(/<Key>([^<]+)<\/Key>/g), ([, key]) => key);
const prefixes = (xml: string) => Array.from(xml.matchAll(/<CommonPrefixes><Prefix>([^<]+)</g), ([, key]) => key);

test('lists repositories, revisions that are asked for, and files, in pages', async () => {
  expect(prefixes(await list('delimiter=/'))).toEqual(['tiny/', 'torchvision/']);
  expect(prefixes(await list('delimiter=/&prefix=tiny/'))).toContain('tiny/llama/');
  expect(prefixes(await list('delimiter=/&prefix=tiny/llama/'))).toEqual(['tiny/llama/main/']);
  const all = keys(await list('prefix=tiny/llama/seed-7/'));
  expect(all).toContain('tiny/llama/seed-7/config.json');
  expect(keys(await list('prefix=tiny/llama/seed-7/con'))).toEqual(['tiny/llama/seed-7/config.json']);
  expect(keys(await list('prefix=tiny/llama/seed-7/none'))).toEqual([]);
  const found: (string | undefined)[] = [];
  for (let token = '', turn = 0; turn < 20; turn++) {
    const xml = await list(`prefix=tiny/llama/seed-7/&max-keys=2&continuation-token=${token}`);
    found.push(...keys(xml));
    if (!xml.includes('<IsTruncated>true')) break;
    token = encodeURIComponent(/<NextContinuationToken>([^<]+)/.exec(xml)?.[1] ?? '');
  }
  expect(found).toEqual(all);
});

test('lists are as either version of the protocol asks for them', async () => {
  repository('odd/list', llama, { 'a b&c.txt': 'x' });
  const at = await serve({ inputs: [models] });
  const listOf = async (query: string) => (await fetch(`${at}/nninit?prefix=odd/list/main/&${query}`)).text();
  const all = keys(await listOf('list-type=2'));
  expect(all).toEqual(['a b&amp;c.txt', 'config.json', 'model.safetensors'].map((name) => `odd/list/main/${name}`));
  const encoded = await listOf('list-type=2&encoding-type=url');
  expect(keys(encoded)[0]).toBe(encodeURIComponent('odd/list/main/a b&c.txt'));
  expect(encoded).toContain('<EncodingType>url</EncodingType>');
  expect(encoded).toContain(`<Prefix>${encodeURIComponent('odd/list/main/')}</Prefix>`);
  // The first version goes on from a key.
  const first = await listOf('max-keys=2');
  expect([keys(first), first.includes('<IsTruncated>true<'), first.includes('KeyCount')]).toEqual([
    all.slice(0, 2),
    true,
    false,
  ]);
  expect(first).toContain('<NextMarker>odd/list/main/config.json</NextMarker>');
  const rest = await listOf('max-keys=2&marker=odd/list/main/config.json');
  expect([keys(rest), rest.includes('<IsTruncated>false<'), rest.includes('NextMarker')]).toEqual([
    all.slice(2),
    true,
    false,
  ]);
  const second = await listOf('list-type=2&max-keys=2');
  expect(second).toContain('<KeyCount>2</KeyCount>');
  expect(second).toContain('<NextContinuationToken>odd/list/main/config.json<');
  // Of none nothing follows, or a client would ask for ever.
  expect(await listOf('list-type=2&max-keys=0')).toContain('<IsTruncated>false</IsTruncated>');
  for (const wrong of ['-1', '1.5', 'x']) {
    const answer = await fetch(`${at}/nninit?list-type=2&max-keys=${wrong}`);
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('<Code>InvalidArgument<')]);
  }
  const [, size] = /<Key>odd\/list\/main\/model\.safetensors<\/Key>.*?<Size>(\d+)</.exec(await listOf('')) ?? [];
  const object = await fetch(`${at}/nninit/odd/list/main/model.safetensors`, { method: 'HEAD' });
  expect(object.headers.get('content-length')).toBe(size);
  expect(await listOf('')).toContain(`<ETag>&quot;${object.headers.get('etag')?.slice(1, -1)}&quot;</ETag>`);
});

test('a bucket is there, and tells so without a list', async () => {
  const head = await fetch(`${base}/nninit`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([200, 'application/xml', '']);
  expect(head.headers.get('content-length')).toBe('0');
});

test('an object has one part, which is all of it, and of no other a byte is sent', async () => {
  const path = `${base}/nninit/tiny/gpt2/main/config.json`;
  const first = await fetch(`${path}?partNumber=1`);
  expect([first.status, first.headers.get('x-amz-mp-parts-count')]).toEqual([200, '1']);
  expect(await first.text()).toBe(await (await fetch(path)).text());
  for (const part of ['0', '2']) {
    const other = await fetch(`${path}?partNumber=${part}`);
    expect([other.status, await other.text()]).toEqual([416, expect.stringContaining('<Code>InvalidPartNumber<')]);
  }
  const beyond = await fetch(path, { headers: { range: 'bytes=1000000-' } });
  expect([beyond.status, await beyond.text()]).toEqual([416, expect.stringContaining('<Code>InvalidRange<')]);
});

test('objects are the same bytes as by the Hub, in ranges', async () => {
  const path = '/nninit/tiny/gpt2/seed-5/model.safetensors';
  const all = await bytesOf(await fetch(`${base}/tiny/gpt2/resolve/seed-5/model.safetensors`));
  expect(await bytesOf(await fetch(base + path))).toEqual(all);
  const part = await fetch(base + path, { headers: { range: 'bytes=10-19' } });
  expect(await bytesOf(part)).toEqual(all.subarray(10, 20));
  expect((await fetch(base + path, { method: 'HEAD' })).headers.get('content-length')).toBe(String(all.length));
  const none = await fetch(`${base}/nninit/tiny/gpt2/seed-5/none`);
  expect([none.status, await none.text()]).toEqual([404, expect.stringContaining('<Code>NoSuchKey</Code>')]);
  expect(await (await fetch(`${base}/nninit?location`)).text()).toContain('LocationConstraint');
});

test('where keys are configured, unsigned and wrongly signed requests are refused', async () => {
  const credentials = { accessKeyId: 'AK', secretAccessKey: 'secret' };
  const at = await serve({ inputs: [models], credentials });
  const { host } = new URL(at);
  const object = '/nninit/tiny/gpt2/main/config.json';
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const signed = (secret: string, when = time, path = object, query = '', at = host, saysHash = true) => {
    const date = when.slice(0, 8);
    const hash = createHash('sha256').update('').digest('hex');
    const heads = `host:${at}\n${saysHash ? `x-amz-content-sha256:${hash}\n` : ''}x-amz-date:${when}\n`;
    const names = saysHash ? 'host;x-amz-content-sha256;x-amz-date' : 'host;x-amz-date';
    const canonical = ['GET', path, query, heads, names, hash].join('\n');
    const scope = `${date}/us-east-1/s3/aws4_request`;
    const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, date), 'us-east-1'), 's3'), 'aws4_request');
    const digest = createHash('sha256').update(canonical).digest('hex');
    const signature = hmac(key, ['AWS4-HMAC-SHA256', when, scope, digest].join('\n')).toString('hex');
    const authorization = `AWS4-HMAC-SHA256 Credential=AK/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    return { authorization, 'x-amz-date': when, ...(saysHash && { 'x-amz-content-sha256': hash }) };
  };
  expect((await fetch(at + object)).status).toBe(403);
  expect((await fetch(at + object, { headers: signed('secret') })).status).toBe(200);
  expect((await fetch(at + object, { headers: signed('other') })).status).toBe(403);
  // As curl does: it signs that the body is empty, and does not say so.
  expect((await fetch(at + object, { headers: signed('secret', time, object, '', host, false) })).status).toBe(200);
  expect((await fetch(at + object, { headers: signed('secret', '20200101T000000Z') })).status).toBe(403);
  // Mounted, as Express does it.
  const handler = await createHandler({ inputs: [models], credentials });
  const mounted = createServer((request, response) => {
    const originalUrl = request.url ?? '';
    handler(Object.assign(request, { originalUrl, url: originalUrl.slice('/hub'.length) }), response);
  });
  await new Promise<void>((resolve) => mounted.listen(0, '127.0.0.1', resolve));
  const mountedHost = `127.0.0.1:${(mounted.address() as AddressInfo).port}`;
  const mountedHeaders = signed('secret', time, `/hub${object}`, '', mountedHost);
  expect((await fetch(`http://${mountedHost}/hub${object}`, { headers: mountedHeaders })).status).toBe(200);
  mounted.closeAllConnections();
  await new Promise((resolve) => mounted.close(resolve));
  await handler.close();
  // What is signed is sorted by names, whatever follows them.
  const sorted = 'a=1&a-b=2&prefix=tiny%2F';
  const headers = signed('secret', time, '/nninit', sorted);
  expect((await fetch(`${at}/nninit?prefix=tiny%2F&a-b=2&a=1`, { headers })).status).toBe(200);
});

test('a signature is good for one request alone, by its key, at its time', async () => {
  const at = await serve({ inputs: [models], credentials: { accessKeyId: 'AK', secretAccessKey: 'secret' } });
  const path = '/nninit/tiny/gpt2/main/config.json';
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
  const usual = {
    ...{ id: 'AK', secret: 'secret', end: 'aws4_request', method: 'GET', path, query: '', host: new URL(at).host },
    ...{ body: '', names: 'host;x-amz-content-sha256;x-amz-date', minutesAgo: 0 },
  };
  /** What comes of the same request with a signature of another one. */
  const answerTo = async (change: Partial<typeof usual>) => {
    const { id, secret, end, method, path: key, query, host, body, names, minutesAgo } = { ...usual, ...change };
    const time = new Date(Date.now() - minutesAgo * 60_000).toISOString().replace(/[-:]|\.\d+/g, '');
    const values: Record<string, string> = { host, 'x-amz-content-sha256': sha256(body), 'x-amz-date': time };
    const lines = names.split(';').map((name) => `${name}:${values[name]}\n`);
    const canonical = [method, key, query, lines.join(''), names, sha256(body)].join('\n');
    const scope = `${time.slice(0, 8)}/us-east-1/s3/${end}`;
    const keyOfDay = hmac(hmac(hmac(hmac(`AWS4${secret}`, time.slice(0, 8)), 'us-east-1'), 's3'), end);
    const signature = hmac(keyOfDay, ['AWS4-HMAC-SHA256', time, scope, sha256(canonical)].join('\n')).toString('hex');
    const authorization = `AWS4-HMAC-SHA256 Credential=${id}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
    const headers = { authorization, 'x-amz-date': time, 'x-amz-content-sha256': sha256('') };
    const response = await fetch(at + path, { headers });
    return [response.status, /<Code>(\w+)</.exec(await response.text())?.[1]];
  };
  for (const minutesAgo of [0, 14, -14]) expect(await answerTo({ minutesAgo })).toEqual([200, undefined]);
  for (const [change, code] of [
    [{ minutesAgo: 16 }, 'RequestTimeTooSkewed'],
    [{ minutesAgo: -16 }, 'RequestTimeTooSkewed'],
    [{ id: 'AL' }, 'InvalidAccessKeyId'],
    [{ end: 'aws5_request' }, 'InvalidAccessKeyId'],
    [{ secret: 'secret ' }, 'SignatureDoesNotMatch'],
    [{ method: 'HEAD' }, 'SignatureDoesNotMatch'],
    [{ path: '/nninit/tiny/llama/main/config.json' }, 'SignatureDoesNotMatch'],
    [{ query: 'versionId=null' }, 'SignatureDoesNotMatch'],
    [{ host: 'elsewhere' }, 'SignatureDoesNotMatch'],
    [{ names: 'x-amz-content-sha256;x-amz-date' }, 'SignatureDoesNotMatch'],
    [{ body: '{}' }, 'SignatureDoesNotMatch'],
  ] as const) {
    expect([change, ...(await answerTo(change))]).toEqual([change, 403, code]);
  }
});

test('an address that is signed is good for as long as it says', async () => {
  const at = await serve({ inputs: [models], credentials: { accessKeyId: 'AK', secretAccessKey: 'secret' } });
  const path = '/nninit/tiny/gpt2/main/config.json';
  const statusOf = async (secondsAgo: number, expires: string | undefined): Promise<number> => {
    const when = new Date(Date.now() - 1000 * secondsAgo).toISOString().replace(/[-:]|\.\d+/g, '');
    const scope = `${when.slice(0, 8)}/us-east-1/s3/aws4_request`;
    const query = new URLSearchParams({
      ...{ 'X-Amz-Algorithm': 'AWS4-HMAC-SHA256', 'X-Amz-Credential': `AK/${scope}`, 'X-Amz-Date': when },
      ...(expires !== undefined && { 'X-Amz-Expires': expires }),
      'X-Amz-SignedHeaders': 'host',
    }).toString();
    const canonical = ['GET', path, query, `host:${new URL(at).host}\n`, 'host', 'UNSIGNED-PAYLOAD'].join('\n');
    const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
    const key = hmac(hmac(hmac(hmac('AWS4secret', when.slice(0, 8)), 'us-east-1'), 's3'), 'aws4_request');
    const digest = createHash('sha256').update(canonical).digest('hex');
    const signature = hmac(key, ['AWS4-HMAC-SHA256', when, scope, digest].join('\n')).toString('hex');
    const response = await fetch(`${at}${path}?${query}&X-Amz-Signature=${signature}`);
    await response.arrayBuffer();
    return response.status;
  };
  expect(await statusOf(0, '600')).toBe(200);
  expect(await statusOf(120, '600')).toBe(200);
  expect(await statusOf(120, '60')).toBe(403);
  expect(await statusOf(604_900, '9999999')).toBe(403); // a week at most
  expect(await statusOf(0, undefined)).toBe(403);
});

test('a prefix may end within the name of the revision', async () => {
  const at = await serve({ inputs: [models] });
  const keysAt = async (prefix: string) => {
    const text = await (await fetch(`${at}/nninit?list-type=2&prefix=${prefix}`)).text();
    return [...text.matchAll(/<Key>([^<]*)</g)].map(([, key]) => key);
  };
  const all = await keysAt('tiny/gpt2/');
  expect(all).toContain('tiny/gpt2/main/config.json');
  for (const prefix of ['tiny/gpt2/m', 'tiny/gpt2/mai', 'tiny/gpt2/main']) expect(await keysAt(prefix)).toEqual(all);
  for (const prefix of ['tiny/gpt2/mx', 'tiny/gpt2/a']) expect(await keysAt(prefix)).toEqual([]);
});

test('a list is in the order of UTF-8, in which clients compare it with their own', async () => {
  const names = ['z.txt', 'é.txt', '\u{ff5e}.txt', '\u{1f600}.txt'];
  repository('odd/names', llama, Object.fromEntries(names.map((name) => [name, name])));
  const at = await serve({ inputs: [models] });
  const found: (string | undefined)[] = [];
  for (let after = ''; ; ) {
    const query = `list-type=2&prefix=odd/names/main/&max-keys=1&start-after=${encodeURIComponent(after)}`;
    const [key] = keys(await (await fetch(`${at}/nninit?${query}`)).text());
    if (key === undefined) break;
    found.push(key.slice('odd/names/main/'.length));
    after = key;
  }
  expect(found).toEqual(expect.arrayContaining(names));
  expect(found).toEqual([...found].sort((a, b) => Buffer.compare(Buffer.from(`${a}`), Buffer.from(`${b}`))));
});

test('what is neither a list nor an object is refused, and no other answer stands for it', async () => {
  const object = '/nninit/tiny/llama/main/config.json';
  for (const [path, status, code] of [
    [`${object}?acl`, 501, 'NotImplemented'],
    [`${object}?tagging`, 501, 'NotImplemented'],
    [`${object}?attributes`, 501, 'NotImplemented'],
    [`${object}?versionId=abc`, 404, 'NoSuchVersion'],
    [`${object}/`, 404, 'NoSuchKey'],
    ['/nninit?policy', 501, 'NotImplemented'],
    ['/nninit?versions&prefix=tiny/', 501, 'NotImplemented'],
    ['/nninit?uploads', 501, 'NotImplemented'],
  ] as const) {
    const response = await fetch(base + path);
    expect([path, response.status, await response.text()]).toEqual([
      path,
      status,
      expect.stringContaining(`<Code>${code}</Code>`),
    ]);
  }
  expect(await (await fetch(`${base}/nninit/?versioning`)).text()).toMatch(/<VersioningConfiguration [^>]*\/>$/);
  expect((await fetch(`${base}${object}?versionId=null`)).status).toBe(200);
  expect((await fetch(`${base}/nninit/?prefix=tiny/llama/`)).status).toBe(200);
});
