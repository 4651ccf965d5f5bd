// Objects of a store, by range requests; the SDK signs them. What comes is read as any server's answer is (http.ts).
import type { S3Client } from '@aws-sdk/client-s3';
import { show } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { strerror } from '../../core/strerror.js';
import { answerLimit, causeOfStatus, type Target } from './http.js';

export type Sdk = typeof import('@aws-sdk/client-s3');

export interface Client {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

/** A store that takes and sends nothing for so long is gone: the SDK would wait for ever. */
const usualIdleMs = 60_000;
const mostConnectMs = 10_000;

/**
 * A client of the store that the SDK's own variables and files name, with credentials by its own chain.
 *
 * @param endpoint of a store that is not Amazon's, such as MinIO: then the bucket is in the path. By default AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile's
 * @param idleMs how long a store may do nothing
 * @throws InputError if the SDK is not installed
 */
export async function openClient(endpoint?: string, idleMs = usualIdleMs): Promise<Client> {
  const sdk = await import('@aws-sdk/client-s3').catch((cause) => {
    const text =
      's3:// needs the npm package @aws-sdk/client-s3, which is not installed: npm install @aws-sdk/client-s3@3';
    throw new InputError(text, { cause });
  });
  const { config } = new sdk.S3Client({}); // what its variables and files say
  const variable = process.env.AWS_ENDPOINT_URL_S3 || process.env.AWS_ENDPOINT_URL;
  const configured = config.serviceConfiguredEndpoint ?? (() => variable); // AWS_IGNORE_CONFIGURED_ENDPOINT_URLS has its say
  const elsewhere = endpoint ?? (await configured());
  if (elsewhere !== undefined && !/^https?:\/\/[^/]/i.test(elsewhere)) {
    const what = (endpoint ?? variable) ? 'AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL' : "the profile's endpoint_url";
    throw new InputError(`s3://: expected http://host or https://host in ${what}, but received ${show(elsewhere)}`);
  }
  const region = () => config.region().catch(() => 'us-east-1');
  const place = elsewhere === undefined ? {} : { endpoint: elsewhere, forcePathStyle: true, region };
  const requestHandler = { connectionTimeout: mostConnectMs, socketTimeout: idleMs };
  return { sdk, client: new sdk.S3Client({ ...place, requestHandler }) };
}

/** One client for all that is read in the same environment: it keeps its connections and credentials. */
const clients = new Map<string, Promise<Client>>();
/** What may change while a process lives: keys above all, which expire, or were wrong the first time. */
const decisive = [
  ...['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL', 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', 'AWS_REGION', 'AWS_PROFILE'],
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN'],
  ...['AWS_CONFIG_FILE', 'AWS_SHARED_CREDENTIALS_FILE'],
];

async function sharedClient(): Promise<Client> {
  const key = JSON.stringify(decisive.map((name) => process.env[name]));
  const client = clients.get(key) ?? openClient();
  clients.set(key, client);
  return client.catch((cause) => {
    clients.delete(key);
    throw cause;
  });
}

/** An object as it is asked for. */
export async function targetOf(address: string): Promise<Target> {
  const [, Bucket, Key] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(address) ?? [];
  const refused = (why: string, cause?: unknown) =>
    new InputError(`could not read ${address}: ${why}`, { path: address, cause, code: 'ERR_NNINIT_READ' });
  if (!Bucket || !Key) throw refused('expected s3://bucket/key'); // a file of no bucket is taken for one
  const { sdk, client } = await sharedClient();
  return {
    shown: address,
    refused,
    async request(begin, end, signal) {
      try {
        const input = { Bucket, Key, Range: `bytes=${begin}-${end - 1}` };
        const how = { abortSignal: answerLimit(end - begin, signal) };
        const { Body, ContentRange, ETag } = await client.send(new sdk.GetObjectCommand(input), how);
        const headers = new Headers({
          ...(ETag && { etag: ETag }),
          ...(ContentRange && { 'content-range': ContentRange }),
        });
        return new Response(Body?.transformToWebStream() as ReadableStream, {
          status: ContentRange === undefined ? 200 : 206,
          headers,
        });
      } catch (cause) {
        signal?.throwIfAborted();
        const { name = 'unknown', $metadata } = cause as { name?: string; $metadata?: { httpStatusCode?: number } };
        const status = $metadata?.httpStatusCode;
        // An empty object has no range.
        if (status === 416) return new Response(null, { status, headers: { 'content-range': 'bytes */0' } });
        const why = status === undefined ? strerror(cause) : `the store answered ${status} ${name}`;
        throw refused(why, name === 'NoSuchBucket' ? undefined : causeOfStatus(status ?? 0, why));
      }
    },
  };
}
