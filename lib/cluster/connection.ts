import { setTimeout } from 'node:timers/promises';
import type * as BullMQ from 'bullmq';
import type { Redis } from 'ioredis';
import { rangeError, typeError } from '../core/check.js';
import { errorCode, InputError } from '../core/errors.js';
import { printable } from '../core/text.js';

/** All jobs are in one queue, so that one worker does parts and finishes checkpoints. */
export const queueName = 'nninit';

/** The first connection is there and Redis has answered within so long, or the call fails; one that breaks later is made again for as long as it takes. */
const connectMs = 10_000;

/** What BullMQ works with. */
export interface Connection {
  readonly bullmq: typeof BullMQ;
  readonly redis: Redis;
  /** The address without a name and a password. */
  readonly shown: string;
  close(): void;
}

/**
 * The address of a Redis, as it may be shown.
 *
 * @throws TypeError, RangeError, without what was given: it may hold a password
 */
export function checkRedis(fn: string, url: unknown): string {
  const what = "an address such as 'redis://host:6379/0', or 'rediss://…' for TLS,";
  if (typeof url !== 'string') throw typeError(fn, 'redis', what, url);
  const parsed = /^rediss?:\/\//.test(url) && URL.canParse(url) ? new URL(url) : undefined;
  const isRight = parsed?.hostname && /^\/?\d{0,9}$/.test(parsed.pathname) && isEscaped(parsed);
  // A scheme, or a host before its port: any other beginning may be a password's.
  const [begin = ''] = /^\w{1,10}(?=:\/\/|:\d{1,5}(?:\/|$))/.exec(url) ?? [];
  if (!isRight) throw rangeError(fn, 'redis', what, `${begin}…`);
  return `${parsed.protocol}//${parsed.host}${parsed.pathname.replace(/^\/$/, '')}`;
}

/** Whether name and password can be read: a percent sign stands for itself as %25. */
function isEscaped({ username, password }: URL): boolean {
  try {
    return decodeURIComponent(username + password) !== undefined;
  } catch {
    return false;
  }
}

/**
 * Connects to Redis. BullMQ and ioredis are loaded here, when somebody asks for them, and nowhere else.
 *
 * @param onTrouble told of a connection that breaks; it is made again
 * @throws InputError where the packages are not installed, or Redis cannot be reached or refuses
 */
export async function connect(
  fn: string,
  url: string,
  onTrouble: (text: string) => void,
  withinMs = connectMs,
): Promise<Connection> {
  const shown = checkRedis(fn, url);
  const [bullmq, ioredis] = await Promise.all([import('bullmq'), import('ioredis')]).catch((cause) => {
    const text = `${fn}: Redis needs the npm packages bullmq and ioredis, which are not installed: npm install bullmq@6 ioredis@5`;
    throw new InputError(text, { cause });
  });
  let isThere = false;
  const redis = new ioredis.Redis(url, {
    lazyConnect: true,
    connectTimeout: withinMs,
    maxRetriesPerRequest: null, // commands wait for the connection
    retryStrategy: (times) => (isThere ? Math.min(100 * 2 ** Math.min(times, 5), 2000) : null),
  });
  let failure: Error | undefined;
  redis.on('error', (error: Error) => {
    failure ??= error;
    if (isThere) onTrouble(`the connection to ${shown} is broken (${reasonFor(error)}), and is made again`);
  });
  // What takes connections and says nothing is no Redis, or one that is asked without TLS.
  const timer = globalThis.setTimeout(() => {
    failure ??= new Error(`no answer within ${withinMs / 1000} s (by TLS, rediss://, or without?)`);
    redis.disconnect();
  }, withinMs);
  try {
    await redis.connect();
    await redis.select(redis.options.db ?? 0); // which is an error where there is none: ioredis would go on with the first
  } catch (cause) {
    redis.disconnect();
    throw new InputError(`could not reach ${shown}: ${reasonFor(failure ?? cause)}`, {
      path: shown,
      code: 'ERR_NNINIT_REDIS',
    });
  } finally {
    clearTimeout(timer);
  }
  isThere = true;
  return { bullmq, redis, shown, close: () => redis.disconnect() };
}

/**
 * What a call throws for an error of Redis: that Redis refused a command, and why (it is read-only, full, …), without the command; anything else as it is.
 */
export function refusedBy(shown: string, cause: unknown): unknown {
  if (!isReply(cause)) return cause;
  return new InputError(`${shown} refuses: ${replyOf(cause)}`, { path: shown, code: 'ERR_NNINIT_REDIS' });
}

/** Whether an error is what Redis answered, in place of one of the connection or of BullMQ. */
export const isReply = (error: unknown): error is Error => error instanceof Error && error.name === 'ReplyError';

/** What Redis answered: of a transaction that it discarded, what it said of the command. */
export function replyOf(error: Error): string {
  const [first] = (error as { readonly previousErrors?: readonly unknown[] }).previousErrors ?? [];
  return reasonFor(first ?? error).replace(/ script: [0-9a-f]{40}, on @.*$/, ''); // of BullMQ, which of them is nobody's concern
}

/** Whether Redis answers: one whose machine is gone leaves connections open, and says nothing. */
export async function answers({ redis }: Connection, withinMs = 2000): Promise<boolean> {
  if (redis.status !== 'ready') return false;
  const waiting = new AbortController();
  const answer = redis.ping().then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([answer, setTimeout(withinMs, false, { signal: waiting.signal })]);
  } finally {
    waiting.abort();
  }
}

/** Errors of ioredis carry the command that was refused, and AUTH its password: only their text goes on. */
function reasonFor(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  return printable(error.message || errorCode(error) || error.name);
}

/** Why nothing more is to be done for an order, undefined if something is; and whether it is there at all. */
export async function standingOf(
  redis: Redis,
  key: string,
): Promise<{ readonly isThere: boolean; readonly stopped: string | undefined }> {
  const [name, progress] = await redis.hmget(key, 'name', 'progress');
  if (name === null) return { isThere: false, stopped: 'its order is gone' };
  const { stopped } = JSON.parse(progress || '{}') as { readonly stopped?: unknown };
  return { isThere: true, stopped: stopped === undefined ? undefined : String(stopped) };
}
