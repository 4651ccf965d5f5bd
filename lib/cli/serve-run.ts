import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { InputError } from '../core/errors.js';
import { strerror } from '../core/strerror.js';
import { createPool } from '../pool/pool.js';
import { createServer } from '../serve/server.js';
import type { Streams } from './program.js';
import type { ServeCommandOptions } from './serve.js';
import { firstSignal, guarded } from './signals.js';

/** How long downloads under way may take after the first signal. */
const drainMs = 30_000;

/** A secret, without the line feed that files of them end with: no request has it. */
function secretIn(name: string): string | undefined {
  const given = process.env[name];
  const secret = given?.trim();
  if (given && !secret) throw new InputError(`${name}: expected a secret, but it is white space`); // a server without one is open to all
  return secret;
}

/** Serves until a signal; then it finishes the downloads under way. A second signal ends it at once. */
export async function runServe(
  inputs: readonly string[],
  { host, port, engine, maxShardSize, bucket, threads, bytesPerSecond }: ServeCommandOptions,
  { stderr }: Streams,
): Promise<void> {
  const [token, id, secret] = ['TOKEN', 'ACCESS_KEY', 'SECRET_KEY'].map((key) => secretIn(`NNINIT_SERVE_${key}`));
  if (Boolean(id) !== Boolean(secret)) {
    throw new InputError('expected NNINIT_SERVE_ACCESS_KEY and NNINIT_SERVE_SECRET_KEY together');
  }
  const pool = createPool({ threads });
  let release = () => {};
  try {
    const server = await createServer({
      ...{ inputs, engine, maxShardSize, bucket, pool },
      token: token || undefined,
      credentials: id && secret ? { accessKeyId: id, secretAccessKey: secret } : undefined,
      limits: { bytesPerSecond },
    });
    server.listen({ host, port });
    await once(server, 'listening').catch((cause: unknown) => {
      throw new InputError(`could not listen on ${host}:${port}: ${strerror(cause)}`, { cause });
    });
    const { address, port: actual } = server.address() as AddressInfo;
    stderr.write(`nninit: serving on http://${address.includes(':') ? `[${address}]` : address}:${actual}\n`);
    if (!token && host !== '127.0.0.1' && host !== 'localhost' && host !== '::1') {
      stderr.write('nninit: warning: whoever reaches this address can read; NNINIT_SERVE_TOKEN asks for a token\n');
    }
    const first = firstSignal();
    release = guarded(drainMs, 'nninit: interrupted\n');
    await first;
    const closed = once(server, 'close');
    server.close();
    server.closeIdleConnections();
    await Promise.race([closed, setTimeout(drainMs, undefined, { ref: false })]);
    server.closeAllConnections();
  } finally {
    release();
    await pool.close({ force: true });
  }
}
