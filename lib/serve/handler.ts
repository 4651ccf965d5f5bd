import type { IncomingMessage, ServerResponse } from 'node:http';
import { checkProgressing } from '../checkpoint/progressing.js';
import { checkInteger, checkOneOf, checkOptions, rangeError, typeError } from '../core/check.js';
import { InputError } from '../core/errors.js';
import { checkSize } from '../core/size.js';
import { printable } from '../core/text.js';
import { createPool, type Pool } from '../pool/pool.js';
import { type Engine, engineNames } from '../random/names.js';
import { Catalog } from './catalog.js';
import { answerHub, type HubRequest } from './hub.js';
import { Counter, type Limits } from './limits.js';
import { Metrics } from './metrics.js';
import { statusPage } from './page.js';
import { Refusal, repositoryNotFound } from './refusal.js';
import { answerS3, isOfBucket, isS3, isSigned, s3Error } from './s3.js';
import { sendJson, sendText } from './send.js';
import { type Credentials, checkSignature, isSame } from './signature.js';

/** What is served, and how. */
export interface ServeOptions {
  /** Folders of `org/name/config.json`, configs, recipes, and names of models; all models known by name where there are none. */
  readonly inputs?: readonly string[] | undefined;
  /** Worker threads that make the bytes; one pool of the handler's own by default. */
  readonly pool?: Pool | undefined;
  /** 'philox' by default; 'torch' for PyTorch's numbers. A revision may name the other. */
  readonly engine?: Engine | undefined;
  /** Bytes of tensors a shard, or text such as '5GB', the default; adapters are not cut by default. Clients of the Hub take files of at most 50 GB. */
  readonly maxShardSize?: number | string | undefined;
  /** Where it is given, requests need `Authorization: Bearer …` with it. */
  readonly token?: string | undefined;
  /** The name of the bucket for clients of S3; 'nninit' by default. */
  readonly bucket?: string | undefined;
  /** Where they are given, requests of S3's protocol must be signed with them. */
  readonly credentials?: Credentials | undefined;
  readonly limits?: Limits | undefined;
  /** Called with what went wrong on this side; by default it is written to standard error. What it throws is a warning of the process: the client gets its answer. */
  readonly onError?: ((error: unknown, path: string) => void) | undefined;
}

/** Answers requests; usable with `node:http`, Express and Fastify. */
export interface Handler {
  (request: IncomingMessage, response: ServerResponse): void;
  /** Ends the handler's own threads, after the answers under way. */
  close(): Promise<void>;
}

const optionNames = [
  'inputs',
  'pool',
  'engine',
  'maxShardSize',
  'token',
  'bucket',
  'credentials',
  'limits',
  'onError',
] as const;

/** 50 GB: clients of the Hub refuse larger files. */
const mostShardSize = 50e9;
const longestAddress = 4096;
/** In place of a secret. */
const unshown = '…';
/** What arrives as it was sent: headers come without the white space around them. */
const sendable = /^[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?$/;

/**
 * A handler of requests that serves checkpoints which are made while they are read. Nothing is stored.
 *
 *     const handler = await createHandler({ inputs: ['models'] });
 *     http.createServer(handler).listen(8080);
 *
 * It speaks the part of the Hugging Face Hub's protocol that reads models (`/org/name/resolve/…`, `/api/models/…`), the read side of S3 under
 * `/bucket/`, and answers `/`, `/metrics` and `/healthz`. The revision is the seed: `main`, `seed-7`, `seed-7-bfloat16`.
 *
 * @throws InputError for inputs that are not there; TypeError and RangeError for options
 */
export async function createHandler(options?: ServeOptions): Promise<Handler> {
  const fn = 'createHandler';
  const given = checkOptions(fn, options, optionNames) as ServeOptions;
  const { inputs = [], engine = 'philox', maxShardSize, token, bucket = 'nninit', credentials, limits = {} } = given;
  if (!Array.isArray(inputs) || !inputs.every((each) => typeof each === 'string' && each !== '')) {
    throw typeError(fn, 'inputs', 'an array of paths and names', inputs);
  }
  checkOneOf(fn, 'engine', engine, engineNames);
  const shardSize = maxShardSize === undefined ? undefined : checkSize(fn, 'maxShardSize', maxShardSize);
  if (shardSize !== undefined) checkInteger(fn, 'maxShardSize', shardSize, 1, mostShardSize);
  for (const [name, value] of Object.entries({ token, bucket })) {
    if (value !== undefined && (typeof value !== 'string' || value === '')) throw typeError(fn, name, 'text', value);
  }
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(bucket) || ['api', 'healthz', 'metrics'].includes(bucket)) {
    const what =
      "letters, digits, '.', '_' and '-', and not 'api', 'healthz' or 'metrics', which are addresses of others,";
    throw rangeError(fn, 'bucket', what, bucket);
  }
  checkOptions(fn, limits, ['requests', 'requestsPerAddress', 'bytesPerSecond'], 'limits');
  for (const [name, value] of Object.entries(limits)) {
    if (value !== undefined) checkInteger(fn, `limits.${name}`, value, 1);
  }
  if (credentials !== undefined) {
    checkOptions(fn, credentials, ['accessKeyId', 'secretAccessKey'], 'credentials');
    for (const name of ['accessKeyId', 'secretAccessKey'] as const) {
      const value: unknown = credentials[name];
      // Of what is not there a key would be made all the same, which anyone can guess.
      if (typeof value !== 'string' || value === '') throw typeError(fn, `credentials.${name}`, 'text', value);
    }
    if (!/^[^\s,/]+$/.test(credentials.accessKeyId)) {
      const what = 'text without white space, commas and slashes, with which nobody could sign,';
      throw rangeError(fn, 'credentials.accessKeyId', what, unshown);
    }
  }
  if (token !== undefined && !sendable.test(token)) {
    throw rangeError(fn, 'token', 'what a header can hold, without white space around it,', unshown);
  }
  checkProgressing(fn, { pool: given.pool });
  if (given.onError !== undefined && typeof given.onError !== 'function') {
    throw typeError(fn, 'onError', 'a function', given.onError);
  }
  const pool = given.pool ?? createPool();
  const counter = new Counter(limits);
  const metrics = new Metrics();
  const tell = given.onError ?? logError;
  const onError = (error: unknown, path: string): void => {
    try {
      tell(error, path);
    } catch (cause) {
      process.emitWarning(cause instanceof Error ? cause : String(cause));
    }
  };
  let catalog: Catalog;
  try {
    catalog = await Catalog.of(inputs as readonly string[], { pool, engine, maxShardSize: shardSize });
  } catch (cause) {
    if (given.pool === undefined) await pool.close();
    throw cause;
  }

  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<string> => {
    const send = {
      requests: counter.count,
      bytesPerSecond: limits.bytesPerSecond,
      onBytes: (bytes: number) => metrics.send(bytes),
    };
    const asked = parse(request, response, send, (error) => onError(error, request.url ?? ''));
    const { parts } = asked;
    if (parts.length === 1 && parts[0] === 'healthz') {
      sendJson(request, response, { ok: true });
      return 'healthz';
    }
    // Either key opens everything: which protocol a path is of must not decide whether anything is checked.
    if (credentials !== undefined && (isSigned(asked) || isS3(asked, bucket))) checkSignature(request, credentials);
    else if (token !== undefined) checkToken(request, token);
    const isPost = request.method === 'POST' && parts[0] === 'api' && parts[4] === 'paths-info';
    if (request.method !== 'GET' && request.method !== 'HEAD' && !isPost) {
      throw new Refusal(405, 'expected GET or HEAD', { s3: 'MethodNotAllowed', headers: { allow: 'GET, HEAD' } });
    }
    if (parts.length === 1 && parts[0] === 'metrics') {
      sendText(request, response, metrics.text(counter.count, pool), 'text/plain; version=0.0.4; charset=utf-8');
      return 'metrics';
    }
    // From here on, and not from the first byte on: who waits for a plan is answered too before the pool closes.
    using _call = entered(pool);
    if (await answerHub(catalog, asked)) return 'hub';
    if (await answerS3(catalog, bucket, asked)) return 's3';
    if (parts[1] === 'resolve' || parts[1] === 'raw') throw repositoryNotFound(); // of a name without an org
    if (parts.length > 0) throw new Refusal(404, 'Not found', { hub: 'EntryNotFound', s3: 'NoSuchBucket' });
    const headers = {
      'content-security-policy':
        "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:",
    };
    sendText(
      request,
      response,
      await statusPage(catalog, metrics, counter.count, bucket, asked),
      'text/html; charset=utf-8',
      headers,
    );
    return 'page';
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const start = performance.now();
    let leave = (): void => {};
    let kind = 'refused';
    try {
      if (request.url !== '/healthz') leave = counter.enter(request);
      kind = await answer(request, response);
    } catch (error) {
      if (response.headersSent || request.socket.destroyed) kind = 'unfinished';
      refuse(request, response, error, bucket, onError);
    } finally {
      leave();
      metrics.count(kind, response.statusCode, (performance.now() - start) / 1000);
    }
  };
  const handler = (request: IncomingMessage, response: ServerResponse): void => void handle(request, response);
  const close = async (): Promise<void> => {
    await Promise.all([catalog.close(), given.pool === undefined ? pool.close() : undefined]);
  };
  return Object.assign(handler, { close });
}

/** @throws Refusal once the pool is closed */
function entered(pool: Pool): Disposable {
  try {
    return pool.enter('serve');
  } catch {
    throw new Refusal(503, 'the server is being closed', { s3: 'ServiceUnavailable' });
  }
}

function parse(
  request: IncomingMessage,
  response: ServerResponse,
  send: HubRequest['send'],
  onError: HubRequest['onError'],
): HubRequest {
  const { url = '/' } = request;
  if (url.length > longestAddress) throw new Refusal(414, 'the address is too long');
  try {
    // Requests have none (RFC 9112, section 3.2), and what reads an address does not look behind it: nothing there would be signed.
    if (url.includes('#')) throw new Error('a fragment');
    const [path, search] = splitAddress(url);
    const parts = partsOf(path);
    if (parts.some((part) => part === '.' || part === '..' || /[\0\\]/.test(part)))
      throw new Error('a path that leads elsewhere');
    return {
      request,
      response,
      parts,
      isFolder: path.endsWith('/'),
      query: new URLSearchParams(search),
      send,
      onError,
    };
  } catch {
    throw new Refusal(400, 'expected an address', { s3: 'InvalidURI' });
  }
}

/** The path and the query; some proxies ask for a whole address (RFC 9112, section 3.2.2). */
function splitAddress(url: string): [path: string, search: string] {
  const [, path = '', search = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)$/is.exec(url) ?? [];
  return [path, search];
}

/** @throws URIError where something is not encoded as it should be */
function partsOf(path: string): string[] {
  return path
    .split('/')
    .filter((part) => part !== '')
    .flatMap((part) => decodeURIComponent(part).split('/'));
}

/** Whether an answer is to be S3's also where nothing could be answered. */
function speaksS3(request: IncomingMessage, bucket: string): boolean {
  if (request.headers.authorization?.startsWith('AWS4-')) return true;
  const [path] = splitAddress(request.url ?? '');
  try {
    return isOfBucket(partsOf(path), bucket);
  } catch {
    return path.split('/')[1] === bucket;
  }
}

/** A config that makes no sense is said in a line, since any client can have it said again; what nobody expects comes with its stack. */
function logError(error: unknown, path: string): void {
  console.error(
    `nninit serve: ${JSON.stringify(path)}:`,
    error instanceof InputError ? printable(error.message) : error,
  );
}

function checkToken(request: IncomingMessage, token: string): void {
  const [, given] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (given !== undefined && isSame(given, token)) return;
  throw new Refusal(401, 'expected the token', { s3: 'AccessDenied', headers: { 'www-authenticate': 'Bearer' } });
}

function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  error: unknown,
  bucket: string,
  onError: (error: unknown, path: string) => void,
): void {
  const path = request.url ?? '';
  const isGone = response.destroyed || request.socket.destroyed; // a request whose body was read is destroyed too
  if (response.headersSent || isGone) {
    if (!isGone) onError(error, path);
    response.destroy(); // no file that ends early passes for a whole one
    return;
  }
  const refusal =
    error instanceof Refusal ? error : new Refusal(500, 'something went wrong here', { s3: 'InternalError' });
  if (refusal.status === 500) onError(error, path);
  const { status, headers, hub, message } = refusal;
  if (speaksS3(request, bucket)) {
    sendText(request, response, s3Error(refusal, path), 'application/xml', headers, status);
    return;
  }
  const said = {
    ...headers,
    ...(hub !== undefined && { 'x-error-code': hub }),
    'x-error-message': message.replace(/[^ -~]/g, '?'),
  };
  sendJson(request, response, { error: message }, said, status);
}
