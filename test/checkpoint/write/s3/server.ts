/** A small, strict server of S3's protocol, which keeps objects in memory and breaks down now and then. */
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { crc32 } from 'node:zlib';

/** 'lost' does the work, and the answer is lost; 'cut' breaks off in the middle of the answer; 'stall' never answers, 'stop' not to the end, 'endless' without one. */
export type Fault = 'none' | '500' | '501' | '503' | 'reset' | 'lost' | 'cut' | 'stall' | 'stop' | 'endless';

interface Upload {
  readonly key: string;
  readonly meta: Record<string, string>;
  readonly parts: Map<number, Buffer>;
}

const leastPart = 5 * 2 ** 20;
const bucket = 'bucket';

class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
  ) {
    super(code);
  }
}

const etagOf = (bytes: Uint8Array): string => `"${createHash('md5').update(bytes).digest('hex')}"`;

function sumOf(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString('base64');
}

export class S3Server {
  readonly objects = new Map<string, { readonly bytes: Buffer; readonly meta: Record<string, string> }>();
  readonly uploads = new Map<string, Upload>();
  /** Every request, as `PUT key` and the name of what is asked for. */
  readonly log: string[] = [];
  /** Of each, the session that it was signed for. */
  readonly sessions: unknown[] = [];
  /** The regions that requests were signed for. */
  readonly regions = new Set<string | undefined>();
  /** What is to go wrong with a request. */
  fault: (request: string) => Fault = () => 'none';
  /** What it answers in place of what it should. */
  lie: (request: string, answer: string | Buffer, headers: Record<string, string>) => string | Buffer = (_, answer) =>
    answer;
  /** Whether it lists uploads of a whole name alone, as MinIO does. */
  hidesUploads = false;
  /** Whether it knows the conditions If-Match and If-None-Match. */
  knowsConditions = true;
  /** Whether it is as Swift: no checksums, no conditions, and it refuses both. */
  isSwift = false;
  /** Whether it refuses to remove what is not there, as Google's does. */
  missesRemoved = false;
  endpoint = '';
  /** Bytes of an answer without end. */
  sent = 0;
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  /** @param port any that is free by default; that of before once it was closed, with all that it has */
  async open(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve));
    this.endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  /** The names of all objects, with digests of their bytes. */
  content(prefix: string): Record<string, string> {
    const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    const ours = [...this.objects].filter(([key]) => key.startsWith(prefix));
    return Object.fromEntries(
      ours.map(([key, { bytes }]) => [key.slice(prefix.length), digest(bytes)] as const).sort(),
    );
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', this.endpoint);
    const what = ['uploads', 'uploadId', 'list-type'].filter((name) => url.searchParams.has(name)).join();
    const line = `${request.method} ${url.pathname} ${what}`.trim();
    this.log.push(line);
    this.sessions.push(request.headers['x-amz-security-token']);
    this.regions.add(request.headers.authorization?.split('/')[2]);
    const fault = this.fault(line);
    if (fault === 'reset') return void request.socket.destroy();
    const pieces: Buffer[] = [];
    try {
      for await (const piece of request) pieces.push(piece as Buffer);
    } catch {
      return; // the client has gone
    }
    let status = 200;
    let body: string | Buffer = '';
    const headers: Record<string, string> = {};
    try {
      if (fault === '500') throw new Refusal(500, 'InternalError');
      if (fault === '501') throw new Refusal(501, 'NotImplemented');
      if (fault === '503') throw new Refusal(503, 'SlowDown');
      body = this.#serve(request, url, Buffer.concat(pieces), headers);
    } catch (cause) {
      if (!(cause instanceof Refusal)) throw cause;
      status = cause.status;
      body = `<Error><Code>${cause.code}</Code><Message>${cause.code}</Message></Error>`;
    }
    if (fault === 'lost') return void request.socket.destroy();
    if (fault === 'stall') return;
    if (fault === 'endless') return this.#sendWithoutEnd(response);
    body = this.lie(line, body, headers);
    if (headers['content-range'] !== undefined) status = 206;
    response.writeHead(status, { 'content-length': Buffer.byteLength(body), ...headers });
    if ((fault !== 'cut' && fault !== 'stop') || body.length === 0)
      return void response.end(request.method === 'HEAD' ? undefined : body);
    response.write(body.slice(0, body.length / 2), () => fault === 'cut' && request.socket.destroy());
  }

  #sendWithoutEnd(response: ServerResponse): void {
    const piece = Buffer.alloc(2 ** 20, ' ');
    const more = () => {
      if (response.destroyed || this.sent > 2 ** 30) return void response.destroy();
      this.sent += piece.length;
      response.write(piece, () => setImmediate(more));
    };
    more();
  }

  #serve(
    { method, headers: given }: IncomingMessage,
    url: URL,
    bytes: Buffer,
    headers: Record<string, string>,
  ): string | Buffer {
    if (!/^AWS4-HMAC-SHA256 Credential=key\//.test(given.authorization ?? '')) throw new Refusal(403, 'AccessDenied');
    if (!`${url.pathname}/`.startsWith(`/${bucket}/`)) throw new Refusal(404, 'NoSuchBucket');
    if (method === 'PUT') {
      if (given['content-length'] !== String(bytes.length)) throw new Refusal(411, 'MissingContentLength');
      if (given['x-amz-checksum-crc32'] !== sumOf(bytes)) throw new Refusal(400, 'BadDigest');
    }
    const key = decodeURIComponent(url.pathname.slice(bucket.length + 2));
    const query = url.searchParams;
    const meta = Object.fromEntries(
      Object.entries(given).flatMap(([name, value]) => (name.startsWith('x-amz-meta-') ? [[name, String(value)]] : [])),
    );
    if (key === '') return query.has('uploads') ? this.#listUploads(query) : this.#list(query);
    const id = query.get('uploadId');
    if (id !== null) return this.#serveUpload(method ?? '', key, id, query, bytes, given, headers);
    if (method === 'POST' && query.has('uploads')) {
      const upload = randomUUID();
      this.uploads.set(upload, { key, meta, parts: new Map() });
      return `<InitiateMultipartUploadResult><UploadId>${upload}</UploadId></InitiateMultipartUploadResult>`;
    }
    const there = this.objects.get(key);
    if (method === 'DELETE') {
      if (!this.objects.delete(key) && this.missesRemoved) throw new Refusal(404, 'NoSuchKey');
    } else if (method === 'PUT') {
      this.#refuseUnless(key, given);
      this.objects.set(key, { bytes, meta });
      headers.etag = etagOf(bytes);
    } else if (method === 'HEAD') {
      if (there === undefined) throw new Refusal(404, 'NotFound');
      Object.assign(headers, there.meta, { 'content-length': String(there.bytes.length), etag: etagOf(there.bytes) });
    } else if (method === 'GET') {
      if (there === undefined) throw new Refusal(404, 'NoSuchKey');
      if (given.range === undefined) return there.bytes;
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(given.range ?? '') ?? [];
      const { length } = there.bytes;
      if (Number(from) >= length) throw new Refusal(416, 'InvalidRange');
      const end = Math.min(length, Number(to) + 1);
      Object.assign(headers, { etag: etagOf(there.bytes), 'content-range': `bytes ${from}-${end - 1}/${length}` });
      return there.bytes.subarray(Number(from), end);
    } else throw new Refusal(405, 'MethodNotAllowed');
    return '';
  }

  #serveUpload(
    method: string,
    key: string,
    id: string,
    query: URLSearchParams,
    bytes: Buffer,
    given: IncomingHttpHeaders,
    headers: Record<string, string>,
  ) {
    const upload = this.uploads.get(id);
    if (upload?.key !== key) throw new Refusal(404, 'NoSuchUpload');
    const { parts, meta } = upload;
    if (method === 'DELETE') {
      this.uploads.delete(id);
      return '';
    }
    if (method === 'PUT') {
      const number = Number(query.get('partNumber'));
      if (!(number >= 1 && number <= 10_000)) throw new Refusal(400, 'InvalidArgument');
      parts.set(number, bytes);
      headers.etag = etagOf(bytes);
      if (!this.isSwift) headers['x-amz-checksum-crc32'] = sumOf(bytes);
      return '';
    }
    if (method === 'GET') {
      const after = Number(query.get('part-number-marker') ?? 0);
      const all = [...parts].sort(([a], [b]) => a - b).filter(([number]) => number > after);
      const page = all.slice(0, 2); // so that lists have pages
      const each = page.map(
        ([number, part]) =>
          `<Part><PartNumber>${number}</PartNumber><Size>${part.length}</Size><ETag>${etagOf(part)}</ETag>` +
          `${this.isSwift ? '' : `<ChecksumCRC32>${sumOf(part)}</ChecksumCRC32>`}</Part>`,
      );
      const more = `<IsTruncated>${all.length > 2}</IsTruncated><NextPartNumberMarker>${page.at(-1)?.[0] ?? 0}</NextPartNumberMarker>`;
      return `<ListPartsResult>${each.join('')}${more}</ListPartsResult>`;
    }
    const asked = [...String(bytes).matchAll(/<Part>.*?<\/Part>/gs)].map(([text]) => ({
      number: Number(/<PartNumber>(\d+)</.exec(text)?.[1]),
      sum: /<ChecksumCRC32>([^<]*)</.exec(text)?.[1],
    }));
    const found = asked.map(({ number }) => parts.get(number) ?? Buffer.alloc(0));
    if (this.isSwift && asked.some(({ sum }) => sum !== undefined)) throw new Refusal(400, 'MalformedXML');
    if (asked.length === 0) throw new Refusal(400, 'MalformedXML');
    if (asked.some(({ number }, i) => number <= (asked[i - 1]?.number ?? 0)))
      throw new Refusal(400, 'InvalidPartOrder');
    if (asked.some(({ sum, number }, i) => !parts.has(number) || (!this.isSwift && sum !== sumOf(found[i] ?? bytes))))
      throw new Refusal(400, 'InvalidPart');
    if (found.slice(0, -1).some((part) => part.length < leastPart)) throw new Refusal(400, 'EntityTooSmall');
    if (this.isSwift && given['if-none-match'] !== undefined) throw new Refusal(400, 'InvalidRequest');
    if (this.isSwift && given['if-match'] !== undefined) throw new Refusal(412, 'PreconditionFailed');
    this.#refuseUnless(key, given);
    this.objects.set(key, { bytes: Buffer.concat(found), meta });
    this.uploads.delete(id);
    return `<CompleteMultipartUploadResult><Key>${key}</Key></CompleteMultipartUploadResult>`;
  }

  #refuseUnless(key: string, given: IncomingHttpHeaders): void {
    const there = this.objects.get(key);
    const wanted = given['if-match'];
    if ((wanted ?? given['if-none-match']) !== undefined && (this.isSwift || !this.knowsConditions))
      throw new Refusal(501, 'NotImplemented');
    if (wanted !== undefined && there === undefined) throw new Refusal(404, 'NoSuchKey');
    if (wanted !== undefined && there !== undefined && etagOf(there.bytes) !== wanted)
      throw new Refusal(412, 'PreconditionFailed');
    if (given['if-none-match'] === '*' && there !== undefined) throw new Refusal(412, 'PreconditionFailed');
  }

  #list(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const after = query.get('continuation-token') ?? '';
    const keys = [...this.objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
    const page = keys.slice(0, 2);
    const more = keys.length > 2 ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    return `<ListBucketResult>${page.map((key) => `<Contents><Key>${key}</Key><ETag>${etagOf(this.objects.get(key)?.bytes as Buffer)}</ETag></Contents>`).join('')}${more}</ListBucketResult>`;
  }

  #listUploads(query: URLSearchParams): string {
    const prefix = query.get('prefix') ?? '';
    const isOurs = (key: string) => (this.hidesUploads ? key === prefix : key.startsWith(prefix));
    const ours = [...this.uploads].filter(([, { key }]) => isOurs(key));
    const each = ours.map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`);
    return `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${each.join('')}</ListMultipartUploadsResult>`;
  }
}
