// The part of the Hugging Face Hub's protocol that clients use to read models: huggingface_hub, transformers, @huggingface/hub, transformers.js.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isPlainObject } from '../core/check.js';
import { type Catalog, type Snapshot, totalOf } from './catalog.js';
import type { Content } from './content.js';
import { Refusal, repositoryNotFound } from './refusal.js';
import { type SendOptions, sendContent, sendJson } from './send.js';

/** What is asked for. */
export interface HubRequest {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The path's parts, decoded. */
  readonly parts: readonly string[];
  /** Whether the path ends with a slash. */
  readonly isFolder: boolean;
  readonly query: URLSearchParams;
  readonly send: Pick<SendOptions, 'requests' | 'bytesPerSecond' | 'onBytes'>;
  /** Told what is wrong with a part of what is asked for; the rest is answered. */
  readonly onError: (error: unknown) => void;
}

const mostBodyBytes = 1 << 20;

/** Whether a client has left before its answer. */
export const isGone = ({ request, response }: HubRequest) => response.destroyed || request.socket.destroyed;

/** Whether a path is that of a repository's file. */
export function isFileOfHub(parts: readonly string[]): boolean {
  const what = parts[2];
  return (what === 'resolve' || what === 'raw') && revisionIn(parts.slice(3))[1].length > 0;
}

/** The revision that parts of a path begin with, and those after it. `refs/heads/main` comes as one part with its slashes encoded. */
function revisionIn(parts: readonly string[]): [revision: string, path: readonly string[]] {
  const count = parts[0] === 'refs' ? 3 : 1;
  return [parts.length === 0 ? 'main' : parts.slice(0, count).join('/'), parts.slice(count)];
}

/** Answers what is the Hub's; false for every other path. */
export async function answerHub(catalog: Catalog, asked: HubRequest): Promise<boolean> {
  const { parts, request, response } = asked;
  if (parts[0] === 'api' && parts[1] === 'models') {
    await answerApi(catalog, asked, parts.slice(2));
    return true;
  }
  if (!isFileOfHub(parts)) return false;
  const [org, name, , ...rest] = parts;
  const [revision, path] = revisionIn(rest);
  const snapshot = await catalog.snapshot(`${org}/${name}`, revision, () => isGone(asked));
  const content = fileOf(snapshot, path.join('/'));
  const etag = `"${content.oid}"`;
  const headers = {
    'x-repo-commit': snapshot.commit,
    'x-linked-size': String(content.size),
    ...(content.isMade && { 'x-linked-etag': etag }),
    'content-disposition': `inline; filename="${content.name.replace(/[^\w.-]/g, '_')}"`,
  };
  await sendContent(request, response, content, { ...asked.send, headers, etag });
  return true;
}

async function answerApi(catalog: Catalog, asked: HubRequest, parts: readonly string[]): Promise<void> {
  const { request, response, query } = asked;
  if (parts.length === 0) {
    const search = (query.get('search') ?? '').toLowerCase();
    const author = query.get('author');
    const ids = (await catalog.repositories.list()).filter(
      (id) => id.toLowerCase().includes(search) && (author === null || id.startsWith(`${author}/`)),
    );
    sendJson(request, response, ids.map(listed));
    return;
  }
  const [org, name, what, ...rest] = parts;
  const [revision, path] = revisionIn(rest);
  const snapshotOf = (named: string) => catalog.snapshot(`${org}/${name}`, named, () => isGone(asked));
  if (what === undefined || what === 'revision') {
    sendJson(request, response, infoOf(await snapshotOf(revision)));
  } else if (what === 'tree') {
    sendTree(asked, await snapshotOf(revision), path.join('/'));
  } else if (what === 'paths-info') {
    const snapshot = await snapshotOf(revision);
    const paths = await pathsOf(request);
    const found = [...new Set(paths)].flatMap((each) => snapshot.contents.get(each) ?? []);
    sendJson(request, response, found.map(entryOf));
  } else if (what === 'refs') {
    const { commit } = await snapshotOf('main');
    const main = { name: 'main', ref: 'refs/heads/main', targetCommit: commit };
    sendJson(request, response, { branches: [main], converts: [], tags: [], pullRequests: [] });
  } else {
    // Of a name without an org, such as `gpt2`, the parts are others.
    if ((await catalog.repositories.find(`${org}/${name}`)) === undefined) throw repositoryNotFound();
    throw new Refusal(404, 'Not found', { hub: 'EntryNotFound' });
  }
}

const listed = (id: string) => ({
  id,
  modelId: id,
  private: false,
  gated: false,
  downloads: 0,
  likes: 0,
  tags: ['nninit'],
});

/** A model's page as data: the files, and how many parameters there are of each dtype. */
function infoOf({ repository, commit, parameters, contents }: Snapshot) {
  return {
    ...listed(repository.id),
    _id: commit.slice(0, 24),
    sha: commit,
    disabled: false,
    lastModified: repository.modified.toISOString(),
    createdAt: repository.modified.toISOString(),
    siblings: Array.from(contents.values(), ({ name, size, oid }) => ({ rfilename: name, size, blobId: oid })),
    safetensors: { parameters, total: totalOf(parameters) },
  };
}

const entryOf = ({ name, size, oid }: Content) => ({ type: 'file', oid, size, path: name });

function sendTree({ request, response, query }: HubRequest, { contents, commit }: Snapshot, path: string): void {
  if (path !== '') throw entryNotFound(path, commit);
  const entries = Array.from(contents.values(), entryOf);
  // Clients of the Hub ask for no limit, and cannot follow a link that is relative: they get all at once, as with a model's page.
  const limit = Number(query.get('limit') ?? Math.max(1, entries.length));
  const begin = Number(query.get('cursor') ?? 0);
  if (!Number.isSafeInteger(limit) || limit < 1 || !Number.isSafeInteger(begin) || begin < 0) {
    throw new Refusal(400, 'expected limit and cursor to be whole numbers');
  }
  const end = begin + limit;
  const next = new URLSearchParams(query);
  next.set('cursor', String(end));
  // Relative: how this server is called from outside is not known here.
  const link = end < entries.length ? { link: `<?${next}>; rel="next"` } : {};
  sendJson(request, response, entries.slice(begin, end), link as Record<string, string>);
}

function fileOf({ contents, commit }: Snapshot, path: string): Content {
  const content = contents.get(path);
  if (content === undefined) throw entryNotFound(path, commit);
  return content;
}

function entryNotFound(path: string, commit: string): Refusal {
  return new Refusal(404, `${path} does not exist`, {
    hub: 'EntryNotFound',
    s3: 'NoSuchKey',
    headers: { 'x-repo-commit': commit },
  });
}

/** `paths` of a form or of JSON. */
async function pathsOf(request: IncomingMessage): Promise<string[]> {
  // A parser of bodies that comes first, as Express has them, leaves nothing to read. One that the body is not for may leave an empty object all the same.
  if (request.readableDidRead) {
    const { body: parsed } = request as { body?: unknown };
    if (isPlainObject(parsed)) return pathsIn(parsed);
    if (typeof parsed === 'string' || parsed instanceof Uint8Array) return pathsOfText(request, Buffer.from(parsed));
    throw new Error("something before the handler has read the request's body, and left no `body` at the request");
  }
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes <= mostBodyBytes) chunks.push(chunk as Buffer); // who still sends would not see an answer
  }
  if (bytes > mostBodyBytes) throw new Refusal(413, `expected at most ${mostBodyBytes} bytes`);
  return pathsOfText(request, Buffer.concat(chunks));
}

function pathsOfText(request: IncomingMessage, bytes: Buffer): string[] {
  const text = bytes.toString();
  if (!request.headers['content-type']?.toLowerCase().includes('json'))
    return new URLSearchParams(text).getAll('paths');
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new Refusal(400, 'expected JSON');
  }
  return pathsIn(body);
}

function pathsIn(body: unknown): string[] {
  const paths = (body as { paths?: unknown } | null)?.paths;
  const list = Array.isArray(paths) ? paths : [paths];
  return list.filter((each) => typeof each === 'string');
}
