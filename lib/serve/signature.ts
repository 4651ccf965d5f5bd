// AWS signature version 4, as far as a server of public data checks it: by header, or presigned in the address.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.js';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How far the clocks may be apart. */
const mostSkewMs = 15 * 60_000;

const hmac = (key: string | Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`);

/** What is signed where nobody says what of the body is: requests that read have none. */
const noBody = createHash('sha256').digest('hex');

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

interface Signed {
  readonly credential: string;
  readonly headers: string;
  readonly signature: string;
  readonly time: string;
  /** How long after that it may come. */
  readonly forMs: number;
}

/** @throws Refusal for a request that these credentials have not signed */
export function checkSignature(request: IncomingMessage, { accessKeyId, secretAccessKey }: Credentials): void {
  const denied = (message: string) => new Refusal(403, message, { s3: 'SignatureDoesNotMatch' });
  // What the client has signed: Express takes the place where a handler is mounted away from `url`.
  const url = urlOf((request as { originalUrl?: string }).originalUrl ?? request.url);
  if (url === undefined) throw new Refusal(400, 'expected an address', { s3: 'InvalidURI' });
  const signed = signedOf(request, url);
  if (signed === undefined) throw new Refusal(403, 'expected a signed request', { s3: 'AccessDenied' });
  const [id, date = '', region = '', service = '', end] = signed.credential.split('/');
  if (id !== accessKeyId || end !== 'aws4_request')
    throw new Refusal(403, 'unknown access key', { s3: 'InvalidAccessKeyId' });
  const [, year, month, day, hours, minutes, seconds] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(signed.time) ?? [];
  const age = Date.now() - Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:${seconds}Z`);
  if (!(age > -mostSkewMs && age < signed.forMs)) {
    throw new Refusal(403, 'the request is too old, or its clock is wrong', { s3: 'RequestTimeTooSkewed' });
  }
  const query = [...url.searchParams]
    .filter(([name]) => name !== 'X-Amz-Signature')
    .map(([name, value]) => [encode(name), encode(value)] as const)
    // By names first: `a=1` is before `a-b=1`.
    .sort(([a, x], [b, y]) => (a === b ? compare(x, y) : compare(a, b)))
    .map((pair) => pair.join('='));
  const headers = signed.headers.split(';');
  if (!headers.includes('host')) throw denied('expected the host to be signed');
  const values = headers.map(
    (name) =>
      `${name}:${String(request.headers[name] ?? '')
        .trim()
        .replace(/\s+/g, ' ')}\n`,
  );
  const body = url.searchParams.has('X-Amz-Signature')
    ? 'UNSIGNED-PAYLOAD'
    : String(request.headers['x-amz-content-sha256'] ?? noBody);
  const canonical = [request.method, url.pathname, query.join('&'), values.join(''), signed.headers, body].join('\n');
  const scope = `${date}/${region}/${service}/aws4_request`;
  const digest = createHash('sha256').update(canonical).digest('hex');
  const key = hmac(hmac(hmac(hmac(`AWS4${secretAccessKey}`, date), region), service), 'aws4_request');
  const expected = hmac(key, ['AWS4-HMAC-SHA256', signed.time, scope, digest].join('\n')).toString('hex');
  if (!isSame(expected, signed.signature)) throw denied('the signature is not that of this request');
}

/** What was asked for; undefined where that starts like the name of a host that makes no sense, as `//` does. */
function urlOf(address = '/'): URL | undefined {
  const base = 'http://localhost';
  return URL.canParse(address, base) ? new URL(address, base) : undefined;
}

function signedOf(request: IncomingMessage, { searchParams }: URL): Signed | undefined {
  const header = request.headers.authorization ?? '';
  const [, credential, headers, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^,\s]+),\s*SignedHeaders=([^,\s]+),\s*Signature=([0-9a-f]{64})$/.exec(header) ?? [];
  if (credential !== undefined && headers !== undefined && signature !== undefined) {
    return { credential, headers, signature, time: String(request.headers['x-amz-date'] ?? ''), forMs: mostSkewMs };
  }
  const get = (name: string) => searchParams.get(`X-Amz-${name}`);
  const [inQuery, signedHeaders, own] = [get('Credential'), get('SignedHeaders'), get('Signature')];
  if (inQuery === null || signedHeaders === null || own === null) return undefined;
  // As long as whoever gave it away has said, and no longer.
  const forMs = 1000 * Math.min(604_800, Number(get('Expires')) || 0);
  return { credential: inQuery, headers: signedHeaders, signature: own, time: get('Date') ?? '', forMs };
}

/** Compares in a time that does not tell how much is right. */
export function isSame(a: string, b: string): boolean {
  const [left, right] = [a, b].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(left as Buffer, right as Buffer);
}
