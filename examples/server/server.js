// GET /resnet18?seed=7 streams a checkpoint that is nowhere stored; so do /gpt2 and /weights?shape=…&init=…. GET /healthz.

import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { createPool } from 'nninit';
import { loadPlan, virtualCheckpoint } from 'nninit/checkpoint';

/** Models by config beside those that nninit knows by name. */
const configs = { gpt2: fileURLToPath(new URL('../gpt2', import.meta.url)) };
const chunkBytes = 2 ** 20;

/** A server, not listening yet, and the pool that it fills with. Closing the server does not close the pool. */
export function createWeightsServer({ threads, most = {} } = {}) {
  const { bytes: mostBytes = 4 * 2 ** 30, downloads: mostDownloads = 16 } = most;
  const pool = createPool({ threads });
  let downloads = 0;

  async function answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, 'http://localhost');
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'expected GET or HEAD');
    if (pathname === '/healthz') return send(response, 200, undefined, { downloads, pool: pool.statistics() });
    if (downloads >= mostDownloads) return send(response, 503, 'too many downloads', {}, { 'retry-after': '1' });
    downloads++;
    try {
      const query = Object.fromEntries(searchParams);
      const plan = await planOf(decodeURIComponent(pathname.slice(1)), query);
      if (plan.bytes > mostBytes) return send(response, 400, `expected at most ${mostBytes} bytes, not ${plan.bytes}`);
      const { seed = '0', engine } = query;
      const virtual = virtualCheckpoint(plan, { seed: BigInt(seed), engine, maxShardSize: '1TB' });
      await download(virtual, request, response);
    } finally {
      downloads--;
    }
  }

  async function download(virtual, request, response) {
    const [{ name, size }] = virtual.files;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const begin = Number(from ?? 0);
    const end = Math.min(size, to ? Number(to) + 1 : size);
    if (begin >= end) return send(response, 416, `expected a range within ${size} bytes`);
    response.writeHead(from === undefined ? 200 : 206, {
      'content-type': 'application/octet-stream',
      'content-length': end - begin,
      'accept-ranges': 'bytes',
      ...(from !== undefined && { 'content-range': `bytes ${begin}-${end - 1}/${size}` }),
    });
    if (request.method === 'HEAD') return response.end();
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client is gone')));
    for (let at = begin; at < end; at += chunkBytes) {
      const bytes = await virtual.read(name, at, Math.min(end, at + chunkBytes), { pool, signal: gone.signal });
      if (!response.write(bytes)) await once(response, 'drain', { signal: gone.signal });
    }
    response.end();
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => {
      if (response.destroyed || response.headersSent) return response.destroy(); // no file that ends early passes for a whole one
      const theirs =
        error.name === 'InputError' || [TypeError, RangeError, SyntaxError, URIError].includes(error.constructor);
      if (!theirs) console.error(error);
      send(response, theirs ? 400 : 500, theirs ? error.message : 'something went wrong here');
    });
  });
  return { server, pool };
}

/** A model by its name, or one tensor: `shape` (64x3x7x7), `init`, and the initializer's own parameters. */
function planOf(name, { seed: _, engine: __, dtype, shape = '', ...initializer }) {
  if (name !== 'weights')
    return loadPlan(configs[name] ?? (/^[a-z0-9_]+$/.test(name) ? { model: name } : {}), { dtype });
  const values = Object.entries(initializer).map(([key, text]) => [
    key,
    text.trim() === '' || Number.isNaN(Number(text)) ? text : Number(text),
  ]);
  const tensor = {
    ...Object.fromEntries(values),
    shape: shape.split(/[x,]/).map((size) => (size === '' ? NaN : Number(size))),
  };
  return loadPlan({ tensors: { weight: tensor } }, { dtype });
}

function send(response, status, message, facts = {}, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(message === undefined ? facts : { error: { message } }));
}
