// GET /weights?shape=…&init=…&seed=…&dtype=… streams a tensor as safetensors; GET /healthz.

import { createServer } from 'node:http';
import { createPool, safetensorsLayout } from 'nninit';
import { parseWeights, RequestError } from './request.js';
import { makeWhole, streamChunks, writePieces } from './stream.js';

export const defaultLimits = {
  /** Of one tensor. */
  bytes: 4 * 2 ** 30,
  /** Of one tensor that must be in memory as a whole. */
  wholeBytes: 64 * 2 ** 20,
  /** Downloads at a time; further ones are told to come back. */
  requests: 16,
};

/** A server, not listening yet, and the pool that it fills with. Closing the server does not close the pool. */
export function createWeightsServer({ threads, limits: given } = {}) {
  const limits = { ...defaultLimits, ...given };
  const pool = createPool({ threads });
  let active = 0;

  async function weights(query, request, response) {
    if (active >= limits.requests) {
      throw new RequestError(503, `expected at most ${limits.requests} downloads at a time`, { 'retry-after': '1' });
    }
    const wanted = parseWeights(query, limits);
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client is gone')));
    active++;
    try {
      const { head, fileBytes } = safetensorsLayout([wanted], { format: 'pt' });
      const whole = wanted.whole && request.method !== 'HEAD' ? await makeWhole(pool, wanted, gone.signal) : undefined;
      response.writeHead(200, {
        'content-type': 'application/octet-stream',
        'content-length': fileBytes,
        'content-disposition': 'attachment; filename="model.safetensors"',
      });
      if (request.method !== 'HEAD') {
        response.write(head);
        if (whole === undefined) await streamChunks(pool, response, wanted, gone.signal);
        else await writePieces(response, whole, gone.signal);
      }
      response.end();
    } finally {
      active--;
    }
  }

  async function answer(request, response) {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (pathname !== '/weights' && pathname !== '/healthz')
      throw new RequestError(404, `there is no ${pathname.slice(0, 100)}`);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new RequestError(405, `expected GET, but received ${request.method}`, { allow: 'GET, HEAD' });
    }
    if (pathname === '/weights') await weights(searchParams, request, response);
    else sendJson(response, 200, { status: 'ok', downloads: active, pool: pool.statistics() });
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error) => fail(response, error));
  });
  return { server, pool };
}

function fail(response, error) {
  if (response.destroyed) return; // the client left
  if (response.headersSent) {
    response.destroy(error); // a file that ends early cannot be taken for a whole one
    return;
  }
  if (error instanceof RequestError) {
    sendJson(response, error.status, { error: { message: error.message } }, error.headers);
    return;
  }
  if (error instanceof TypeError && error.code === 'ERR_INVALID_URL') {
    sendJson(response, 400, { error: { message: 'expected a valid path' } });
    return;
  }
  console.error(error);
  sendJson(response, 500, { error: { message: 'something went wrong here' } });
}

function sendJson(response, status, value, headers = {}) {
  const body = JSON.stringify(value);
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    ...headers,
  });
  response.end(body);
}
