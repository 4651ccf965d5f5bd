// GET /resnet18?seed=7 streams a checkpoint that is nowhere stored; so do /gpt2 and /weights?shape=…&init=…. GET /healthz.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createPool } from 'nninit';
import { loadPlan, virtualCheckpoint } from 'nninit/checkpoint';

/** The models that are served by name: a list, since loadPlan also reads files, and a name from a request may be that of one. */
const names = new Set(['resnet18', 'resnet50', 'convnext_tiny', 'mobilenet_v3_small', 'vit_b_16']);
/** Models by config beside those. */
const configs = new Map([['gpt2', JSON.parse(readFileSync(new URL('../gpt2/config.json', import.meta.url), 'utf8'))]]);
const chunkBytes = 2 ** 20;

/** What a request is refused with. Every other error is ours: the client learns nothing of it. */
class Refusal extends Error {
  constructor(status, message, headers = {}) {
    super(message);
    Object.assign(this, { status, headers });
  }
}

/** A server, not listening yet, and the pool that it fills with. Closing the server does not close the pool. */
export function createWeightsServer({ threads, most = {} } = {}) {
  const { bytes: mostBytes = 4 * 2 ** 30, downloads: mostDownloads = 16 } = most;
  const pool = createPool({ threads });
  let downloads = 0;

  async function answer(request, response) {
    if (request.method !== 'GET' && request.method !== 'HEAD') throw new Refusal(405, 'expected GET or HEAD');
    const { name, query } = parse(request.url);
    if (name === 'healthz') return send(response, 200, { downloads, pool: pool.statistics() });
    if (downloads >= mostDownloads) throw new Refusal(503, 'too many downloads', { 'retry-after': '1' });
    downloads++;
    try {
      await download(await checkpointOf(name, query, mostBytes), request, response);
    } finally {
      downloads--;
    }
  }

  async function download(virtual, request, response) {
    const [{ name, size }] = virtual.files;
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const begin = Number(from ?? 0);
    const end = Math.min(size, to ? Number(to) + 1 : size);
    if (begin >= end) throw new Refusal(416, `expected a range within ${size} bytes`);
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
      const { status, message, headers } =
        error instanceof Refusal ? error : new Refusal(500, 'something went wrong here');
      if (status === 500) console.error(error);
      send(response, status, { error: { message } }, headers);
    });
  });
  return { server, pool };
}

function parse(url) {
  try {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    return { name: decodeURIComponent(pathname.slice(1)), query: Object.fromEntries(searchParams) };
  } catch {
    throw new Refusal(400, 'expected an address such as /resnet18?seed=7');
  }
}

/** A model by its name, or one tensor: `shape` (64x3x7x7), `init`, and the initializer's own parameters. */
async function checkpointOf(name, { seed = '0', engine, dtype, ...rest }, mostBytes) {
  if (!/^-?\d+$/.test(seed)) throw new Refusal(400, 'seed: expected a whole number');
  const input = name === 'weights' ? recipeOf(rest) : names.has(name) ? { model: name } : configs.get(name);
  if (input === undefined) throw new Refusal(404, 'expected the name of a model that is served, or weights');
  const [unknown] = name === 'weights' ? [] : Object.keys(rest);
  if (unknown !== undefined) throw new Refusal(400, `expected seed, engine and dtype, but received '${unknown}'`);
  try {
    const plan = await loadPlan(input, { dtype });
    if (plan.bytes > mostBytes) throw new Refusal(400, `expected at most ${mostBytes} bytes, not ${plan.bytes}`);
    return virtualCheckpoint(plan, { seed: BigInt(seed), engine, maxShardSize: '1TB' });
  } catch (error) {
    const theirs = error.name === 'InputError' || error instanceof TypeError || error instanceof RangeError;
    throw theirs ? new Refusal(400, error.message) : error;
  }
}

function recipeOf({ shape = '', ...initializer }) {
  const sizes = shape.split(/[x,]/);
  if (!sizes.every((size) => /^\d+$/.test(size))) throw new Refusal(400, 'shape: expected sizes such as 64x3x7x7');
  const isNumber = (text) => text.trim() !== '' && !Number.isNaN(Number(text));
  const values = Object.entries(initializer).map(([key, text]) => [key, isNumber(text) ? Number(text) : text]);
  return { tensors: { weight: { ...Object.fromEntries(values), shape: sizes.map(Number) } } };
}

function send(response, status, body, headers = {}) {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
