// The read side of S3, path style: what the AWS SDKs, rclone, s3fs and Run:ai's streamer ask for. Keys are `org/name/revision/file`.
import type { Catalog, Entry, Summary } from './catalog.js';
import { type HubRequest, isFileOfHub, isGone } from './hub.js';
import { markup } from './markup.js';
import { Refusal } from './refusal.js';
import { sendContent, sendText } from './send.js';
import { isUntold } from './unseen.js';

const mostKeys = 1000;
const xml = 'application/xml';
const namespace = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"';
/** What may be asked for besides a bucket's list and an object's bytes, which must not stand for it. */
const otherParts = [
  ...['accelerate', 'acl', 'analytics', 'attributes', 'cors', 'encryption', 'intelligent-tiering', 'inventory'],
  ...['legal-hold', 'lifecycle', 'logging', 'metrics', 'notification', 'object-lock', 'ownershipControls', 'policy'],
  ...['policyStatus', 'publicAccessBlock', 'replication', 'requestPayment', 'retention', 'session', 'tagging'],
  ...['torrent', 'uploadId', 'uploads', 'versions', 'website'],
];

/** Whether a request says that it is signed, as S3's are. */
export function isSigned({ request, query }: HubRequest): boolean {
  return request.headers.authorization?.startsWith('AWS4-') === true || query.has('X-Amz-Signature');
}

/** Whether a request is S3's: for the bucket, or for the list of buckets, which shares its address with the page for people. */
export function isS3(asked: HubRequest, bucket: string): boolean {
  const { parts, query, request } = asked;
  if (parts.length > 0) return isOfBucket(parts, bucket);
  // Browsers and tools like curl say what they accept; the AWS SDKs and rclone do not.
  return isSigned(asked) || query.has('x-id') || request.headers.accept === undefined;
}

/** Whether a path is of the bucket; an org of the Hub's may have the same name. */
export const isOfBucket = (parts: readonly string[], bucket: string) => parts[0] === bucket && !isFileOfHub(parts);

/** Answers what is S3's; false for every other path. */
export async function answerS3(catalog: Catalog, bucket: string, asked: HubRequest): Promise<boolean> {
  if (!isS3(asked, bucket)) return false;
  const { request, response, parts, query } = asked;
  const [, ...key] = parts;
  const path = key.join('/');
  if (parts.length === 0) {
    const buckets = `<Buckets><Bucket><Name>${markup(bucket)}</Name><CreationDate>1970-01-01T00:00:00.000Z</CreationDate></Bucket></Buckets>`;
    const owner = '<Owner><ID>nninit</ID></Owner>';
    sendXml(asked, `<ListAllMyBucketsResult ${namespace}>${owner}${buckets}</ListAllMyBucketsResult>`);
  } else if (path === '' && query.has('versioning')) {
    sendXml(asked, `<VersioningConfiguration ${namespace}/>`);
  } else if (otherParts.some((each) => query.has(each))) {
    const what = 'Only lists of the bucket and objects are served.';
    throw new Refusal(501, what, { s3: 'NotImplemented' });
  } else if (path === '' && request.method === 'HEAD') {
    sendText(request, response, '', xml);
  } else if (path === '' && query.has('location')) {
    sendXml(asked, `<LocationConstraint ${namespace}/>`);
  } else if (path === '') {
    await list(catalog, bucket, asked);
  } else {
    await object(catalog, key, asked);
  }
  return true;
}

async function object(catalog: Catalog, key: readonly string[], asked: HubRequest): Promise<void> {
  const [org, name, revision = '', ...path] = key;
  const missing = () => new Refusal(404, 'The specified key does not exist.', { s3: 'NoSuchKey' });
  // A key with a slash behind it is another one, and by custom a folder's.
  if (path.length === 0 || asked.isFolder) throw missing();
  if ((asked.query.get('versionId') ?? 'null') !== 'null') {
    throw new Refusal(404, 'The specified version does not exist.', { s3: 'NoSuchVersion' });
  }
  const snapshot = await catalog.snapshot(`${org}/${name}`, revision, () => isGone(asked));
  const content = snapshot.contents.get(path.join('/'));
  if (content === undefined) throw missing();
  const part = asked.query.get('partNumber');
  if (part !== null && part !== '1') throw new Refusal(416, 'The object has one part.', { s3: 'InvalidPartNumber' });
  const headers = part === null ? {} : { 'x-amz-mp-parts-count': '1' };
  await sendContent(asked.request, asked.response, content, { ...asked.send, headers, etag: `"${content.oid}"` });
}

interface Listed {
  readonly key: string;
  readonly content: Entry;
}

/** Halves of surrogate pairs, and what comes before them in UTF-8 and behind them in UTF-16. */
const beyond = /[\ud800-\uffff]/;

/** Lists are in the order of UTF-8: clients compare them with their own lists name by name. */
function byBytes(a: string, b: string): number {
  if (beyond.test(a) || beyond.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Sorted so; most lists are, as JavaScript sorts them, in a quarter of the time. */
const sorted = (names: string[]): string[] =>
  names.some((name) => beyond.test(name)) ? names.sort(byBytes) : names.sort();

/** ListObjectsV2, and the first version as far as it is the same. */
async function list(catalog: Catalog, bucket: string, asked: HubRequest): Promise<void> {
  const { query } = asked;
  const prefix = query.get('prefix') ?? '';
  const delimiter = query.get('delimiter') ?? '';
  const isSecond = query.get('list-type') === '2';
  const after = query.get('continuation-token') ?? query.get('start-after') ?? query.get('marker') ?? '';
  const most = Number(query.get('max-keys') ?? mostKeys);
  if (!Number.isSafeInteger(most) || most < 0)
    throw new Refusal(400, 'expected max-keys to be a whole number', { s3: 'InvalidArgument' });
  const found = new Map<string, Listed | undefined>(); // undefined for a common prefix
  for (const each of await listed(catalog, prefix, asked)) {
    const cut = delimiter === '' ? -1 : each.key.indexOf(delimiter, prefix.length);
    const name = cut < 0 ? each.key : each.key.slice(0, cut + delimiter.length);
    if (byBytes(name, after) > 0) found.set(name, cut < 0 ? each : undefined);
  }
  const names = sorted([...found.keys()]);
  const shown = names.slice(0, Math.min(most, mostKeys));
  const isTruncated = shown.length < names.length && most > 0;
  const encode = query.get('encoding-type') === 'url' ? encodeURIComponent : markup;
  const last = shown.at(-1) ?? '';
  const entries = shown.map((name) => {
    const each = found.get(name);
    if (each === undefined) return `<CommonPrefixes><Prefix>${encode(name)}</Prefix></CommonPrefixes>`;
    const { oid, size, modified } = each.content;
    const facts = `<LastModified>${modified.toISOString()}</LastModified><ETag>&quot;${oid}&quot;</ETag><Size>${size}</Size>`;
    return `<Contents><Key>${encode(name)}</Key>${facts}<StorageClass>STANDARD</StorageClass></Contents>`;
  });
  const next = isSecond
    ? `<NextContinuationToken>${markup(last)}</NextContinuationToken>` // not encoded: nobody looks into it
    : `<NextMarker>${encode(last)}</NextMarker>`;
  const head = [
    `<Name>${markup(bucket)}</Name><Prefix>${encode(prefix)}</Prefix><MaxKeys>${most}</MaxKeys>`,
    isSecond ? `<KeyCount>${shown.length}</KeyCount>` : '<Marker/>',
    `<IsTruncated>${isTruncated}</IsTruncated>`,
    ...(delimiter === '' ? [] : [`<Delimiter>${encode(delimiter)}</Delimiter>`]),
    ...(query.get('encoding-type') === 'url' ? ['<EncodingType>url</EncodingType>'] : []),
    ...(isTruncated ? [next] : []),
  ];
  sendXml(asked, `<ListBucketResult ${namespace}>${head.join('')}${entries.join('')}</ListBucketResult>`);
}

/** The files under a prefix: of the revision that it names, or of `main` of each repository, since revisions have no end. */
async function listed(catalog: Catalog, prefix: string, asked: HubRequest): Promise<Listed[]> {
  return (await around(catalog, prefix, asked)).filter(({ key }) => key.startsWith(prefix));
}

/** Those files, and others beside them. */
async function around(catalog: Catalog, prefix: string, asked: HubRequest): Promise<Listed[]> {
  const summary = (id: string, revision: string) => catalog.summary(id, revision, () => isGone(asked));
  const [org, name, revision] = prefix.split('/');
  if (revision !== undefined && prefix.split('/').length > 3) {
    return keysOf(await summary(`${org}/${name}`, revision).catch(noneThere), revision);
  }
  const ids = (await catalog.repositories.list()).filter(
    (id) => `${id}/main/`.startsWith(prefix) || prefix.startsWith(`${id}/`),
  );
  const whole = revision === undefined || 'main'.startsWith(revision) ? 'main' : revision;
  const wanted = ids.map(async (id) =>
    keysOf(await summary(id, whole).catch((cause) => without(cause, prefix.startsWith(`${id}/`), asked)), whole),
  );
  return (await Promise.all(wanted)).flat();
}

/** What is not there has no keys. What cannot be told is no empty folder: who keeps a copy of it would remove its files. */
function noneThere(cause: unknown): undefined {
  if (!(cause instanceof Refusal)) throw cause;
}

/** The others are listed without one of which nothing can be told, unless that one is asked for. */
function without(cause: unknown, isAskedFor: boolean, asked: HubRequest): undefined {
  if (isAskedFor || isGone(asked) || isUntold(cause)) return noneThere(cause);
  if (!(cause instanceof Refusal)) asked.onError(cause);
}

function keysOf(snapshot: Summary | undefined, revision: string): Listed[] {
  if (snapshot === undefined) return [];
  const folder = `${snapshot.repository.id}/${revision}/`;
  return Array.from(snapshot.contents.values(), (content) => ({ key: folder + content.name, content }));
}

function sendXml({ request, response }: HubRequest, body: string): void {
  sendText(request, response, `<?xml version="1.0" encoding="UTF-8"?>\n${body}`, xml);
}

/** An error as S3 tells it. */
export function s3Error(refusal: Pick<Refusal, 's3' | 'message'>, resource: string): string {
  const { s3, message } = refusal;
  const parts = `<Code>${markup(s3)}</Code><Message>${markup(message)}</Message><Resource>${markup(resource)}</Resource>`;
  return `<?xml version="1.0" encoding="UTF-8"?>\n<Error>${parts}</Error>`;
}
