import type { CompletedPart } from '@aws-sdk/client-s3';
import { InputError, InterruptedError, saysResumable, WriteError } from '../../../core/errors.js';
import { manifestName } from '../../../formats/raw/names.js';
import { get_num_threads } from '../../../native/addon.js';
import type { Pool } from '../../../pool/pool.js';
import { configNames, type Document } from '../../virtual/layout.js';
import { isWeightsName } from '../../virtual/shards.js';
import { streamFile } from '../../virtual/stream.js';
import { VirtualCheckpoint } from '../../virtual/virtual.js';
import { leastForWorkers, type RunOptions } from '../run.js';
import { poolForCall } from '../workers.js';
import { type Laid, lastOf, type Work, type Written, writtenOf } from '../write.js';
import { addressOf } from './address.js';
import { changed, checksumOf, type Seen, Store, type StoreOptions } from './store.js';
import { labelsOf, type StoreSurvey, surveyStore } from './survey.js';

export interface S3Options extends Pick<RunOptions, 'pool' | 'threads' | 'signal' | 'onProgress'>, StoreOptions {
  readonly force?: boolean | undefined;
  readonly resume?: boolean | undefined;
  /** Bytes of a part of an upload; 16 MiB by default, and more where 10,000 such parts are too few. */
  readonly partBytes?: number | undefined;
  readonly onBegin?: ((work: Work) => Promise<void>) | undefined;
}

const mostParts = 10_000;
const largestPart = 5 * 2 ** 30;
/** Parts under way at a time; each is a part's memory. */
const partsAtOnce = 4;

/** An object that is being written, of the parts that it is sent in. */
interface Upload {
  readonly name: string;
  readonly bytes: number;
  readonly partBytes: number;
  id: string;
  /** By their places; empty where one is not sent yet. */
  readonly parts: (CompletedPart | undefined)[];
}

/**
 * Writes a checkpoint to an object store. Files are sent in parts, each made as it is sent; nothing is kept. No object is made of its parts before those of all files are there; the
 * index, or the only file, comes last, and only if nobody has put one there meanwhile.
 */
export async function writeToS3(url: string, laid: Laid, options: S3Options): Promise<Written> {
  const { force = false, resume = false, threads = get_num_threads(), signal, endpoint, idleMs } = options;
  const { set } = laid;
  using _call = options.pool?.enter('writeCheckpoint');
  const store = await Store.open(addressOf(url), { endpoint, signal, idleMs });
  const bytes = set.files.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  const own = options.pool === undefined && bytes >= leastForWorkers ? poolForCall(threads) : undefined;
  try {
    return await new S3Run(store, laid, { ...options, force, resume, pool: options.pool ?? own }).write(url);
  } finally {
    store.close();
    await own?.close();
  }
}

class S3Run {
  readonly #store: Store;
  readonly #laid: Laid;
  readonly #options: S3Options & { readonly pool: Pool | undefined };
  readonly #virtual: VirtualCheckpoint;
  readonly #labels: ReadonlyMap<string, string>;
  readonly #uploads: Upload[] = [];
  /** Of another checkpoint, which a run that goes on would refuse. */
  #old = new Set<string>();
  /** Whether the store has something of this checkpoint besides the parts that are sent now. */
  #hasMore = false;
  #sent = 0;

  constructor(store: Store, laid: Laid, options: S3Options & { readonly pool: Pool | undefined }) {
    this.#store = store;
    this.#laid = laid;
    this.#labels = labelsOf(laid.set);
    this.#options = options;
    this.#virtual = VirtualCheckpoint.of(laid.set, laid.keys);
  }

  async write(url: string): Promise<Written> {
    const { set } = this.#laid;
    const written = { ...writtenOf('', this.#laid), path: this.#store.path(lastOf('', set)) };
    const { force = false, resume = false } = this.#options;
    this.#hasMore = resume; // as far as is known
    try {
      const seen = await surveyStore(this.#store, url, set, { force, resume });
      this.#old = new Set(seen.old);
      this.#hasMore = seen.complete.size > 0 || seen.uploads.size > 0;
      const resumedBytes = await this.#begin(seen);
      const { tensors } = this.#laid;
      const work = { tensors, files: set.files.length, bytes: written.bytes, doneBytes: resumedBytes };
      await this.#options.onBegin?.({ path: written.path, ...work });
      await this.#send();
      await this.#publish(seen);
      return { ...written, resumedBytes };
    } catch (cause) {
      throw await this.#giveUp(cause);
    }
  }

  #labelOf(name: string): string {
    return this.#labels.get(name) ?? '';
  }

  /** Begins an upload for each file that is not there, or goes on with one. Returns the bytes that need not be sent. */
  async #begin({ complete, uploads }: StoreSurvey): Promise<number> {
    const { partBytes: wanted = 2 ** 24 } = this.#options;
    const { files, selfDescribing } = this.#laid.set;
    let done = 0;
    for (const { name, head, fileBytes: bytes } of files) {
      if (complete.has(name)) {
        done += bytes;
        continue;
      }
      const partBytes = Math.max(wanted, Math.ceil(bytes / mostParts / 2 ** 20) * 2 ** 20);
      if (partBytes > largestPart)
        throw new InputError(
          `${this.#store.path(name)} would be longer than 10,000 parts: choose a smaller maxShardSize`,
        );
      const [old, ...more] = uploads.get(name) ?? [];
      for (const id of more) await this.#store.abort(name, id);
      const begin = () => this.#store.begin(name, this.#labelOf(name));
      const upload: Upload = {
        name,
        bytes,
        partBytes,
        id: old ?? (await begin()),
        parts: Array.from<CompletedPart | undefined>({ length: Math.max(1, Math.ceil(bytes / partBytes)) }),
      };
      this.#uploads.push(upload);
      if (old === undefined) continue;
      const checked = await this.#check(upload);
      const ofHead = upload.parts.slice(0, Math.ceil(head.length / partBytes));
      if (selfDescribing && !ofHead.includes(undefined)) {
        done += checked;
        continue;
      }
      // Its object would be known as what another run has begun.
      await this.#store.abort(name, old);
      upload.parts.fill(undefined);
      upload.id = await begin();
    }
    return done;
  }

  /** Parts that are there, of whatever run, are made again and compared, which takes less time than to send them. Returns their bytes. */
  async #check(upload: Upload): Promise<number> {
    let done = 0;
    const memory = Buffer.allocUnsafe(longestOf(upload));
    for (const { PartNumber = 0, Size, ETag, ChecksumCRC32 } of await this.#store.parts(upload.name, upload.id)) {
      const [begin, end] = placeOf(upload, PartNumber);
      if (end - begin !== Size || end <= begin) continue;
      if (checksumOf(await this.#make(upload, PartNumber, memory)) !== ChecksumCRC32) continue;
      upload.parts[PartNumber - 1] = { PartNumber, ETag, ChecksumCRC32 };
      done += Size;
    }
    return done;
  }

  async #make(upload: Upload, number: number, memory: Buffer): Promise<Buffer> {
    const [begin, end] = placeOf(upload, number);
    const { pool, signal, threads } = this.#options;
    let at = 0;
    for await (const chunk of streamFile(this.#virtual, upload.name, {
      begin,
      end,
      pool,
      entered: true,
      signal,
      threads,
      reuse: true,
    })) {
      memory.set(chunk, at);
      at += chunk.length;
    }
    return memory.subarray(0, at);
  }

  async #send(): Promise<void> {
    const left = this.#uploads.flatMap((upload) =>
      upload.parts.flatMap((part, i) => (part === undefined ? [{ upload, number: i + 1 }] : [])),
    );
    const largest = Math.max(0, ...left.map(({ upload }) => longestOf(upload)));
    let next = 0;
    let failure: { readonly cause: unknown } | undefined;
    const work = async () => {
      const memory = Buffer.allocUnsafe(largest);
      for (let each = left[next++]; each !== undefined && failure === undefined; each = left[next++]) {
        const { upload, number } = each;
        const make = () => this.#make(upload, number, memory);
        upload.parts[number - 1] = await this.#store.send(upload.name, upload.id, number, make);
        const [begin, end] = placeOf(upload, number);
        this.#sent += end - begin;
        this.#options.onProgress?.(this.#sent);
      }
    };
    const fail = (cause: unknown) => {
      failure ??= { cause };
    };
    await Promise.all(Array.from({ length: partsAtOnce }, () => work().catch(fail)));
    if (failure !== undefined) throw failure.cause;
  }

  /** Where another checkpoint is replaced, what tells that it is complete goes first: its weights are not seen with another config, or none. */
  async #publish({ objects, config: hasConfig, index: hasIndex, stale }: StoreSurvey): Promise<void> {
    const { config, files, index, digest } = this.#laid.set;
    const changesConfig = (config !== undefined && !hasConfig) || stale.some((name) => configNames.includes(name));
    const whole = index?.name ?? (changesConfig ? files[0]?.name : undefined);
    const there = await this.#unchanged(objects, stale);
    const first = this.#options.force && whole !== undefined && there.has(whole) ? [whole] : [];
    for (const name of inOrder([...first, ...stale])) {
      await this.#store.remove(name);
      there.delete(name);
      this.#old.delete(name);
    }
    const put = async ({ name, text }: Document) => {
      await this.#store.put(name, Buffer.from(text), digest, there.get(name), () => this.#isOurs(name));
      this.#old.delete(name);
    };
    if (config !== undefined && !hasConfig) await put(config);
    for (const { name, id, parts } of this.#uploads) {
      const all = parts.filter((part) => part !== undefined);
      await this.#store.complete(name, id, all, there.get(name), () => this.#isOurs(name));
      this.#old.delete(name);
      this.#hasMore = true;
    }
    this.#uploads.length = 0;
    if (index !== undefined && !hasIndex) await put(index);
  }

  /**
   * What is there, before anything is put there, replaced or removed.
   *
   * @throws InputError (EEXIST) where another run has put a checkpoint there, of whatever layout, or parts of one: two would lie beside each other
   */
  async #unchanged(seen: StoreSurvey['objects'], stale: readonly string[]): Promise<Map<string, Seen>> {
    const { base, config, files, index } = this.#laid.set;
    const concerned = new Set([...files.map(({ name }) => name), config?.name, index?.name, ...stale, manifestName]);
    const there = await this.#store.objects();
    for (const [name, etag] of there) {
      const isConcerned = concerned.has(name) || isWeightsName(name, base);
      if (isConcerned && etag !== seen.get(name) && !(await this.#isOurs(name))) throw changed(this.#store.path(name));
    }
    return there;
  }

  /** Whether an object is of this very checkpoint: another run may write the same. */
  async #isOurs(wanted: string): Promise<boolean> {
    const { config, files, index, digest } = this.#laid.set;
    const file = files.find(({ name }) => name === wanted);
    if (file !== undefined) return this.#store.has(wanted, file.fileBytes, this.#labelOf(wanted));
    if (wanted === config?.name) return (await this.#store.text(wanted)) === config.text; // the same for every seed
    return wanted === index?.name && this.#store.has(wanted, Buffer.byteLength(index.text), digest);
  }

  /** Keeps what another run can go on with, or else gives all uploads up. Returns the error to be told. */
  async #giveUp(reason: unknown): Promise<unknown> {
    const cause = (await this.#isTakenOver(reason)) ? this.#takenOver(reason) : reason;
    const isWorth = this.#hasMore || this.#uploads.some(({ parts }) => parts.some((part) => part !== undefined));
    const isStopped = this.#options.signal?.aborted && !saysResumable(cause);
    const told = isStopped ? new InterruptedError(this.#store.path(''), this.#options.signal?.reason) : cause;
    // Errors of callbacks too leave what was sent; what is in the way of these very objects does not.
    let isKept = isWorth && this.#old.size === 0 && !(cause instanceof InputError);
    if (!isKept) {
      for (const { name, id } of this.#uploads) {
        await this.#store.abort(name, id, true).catch(() => {
          isKept = this.#old.size === 0; // where the store is away, they stay
        });
      }
    }
    if (isKept && saysResumable(told)) told.resumable = true;
    return told;
  }

  /** Whether an upload is gone, and not because another run with the same content has completed it. */
  async #isTakenOver(cause: unknown): Promise<boolean> {
    if (!(cause instanceof WriteError) || cause.code !== 'NoSuchUpload') return false;
    return !(await this.#isOurs(cause.path.slice(this.#store.path('').length)).catch(() => true));
  }

  #takenOver(cause: unknown): InputError {
    const path = this.#store.path('');
    const text = `what was sent to ${path} is given up: another run has begun there anew, or a rule of the bucket has removed it`;
    return new InputError(text, { path, code: 'EBUSY', cause });
  }
}

/**
 * What is to be removed, so that a run that ends meanwhile leaves what tells the next one whose the rest is: a manifest goes after the files that it tells of,
 * and a config before the last of its weights, but not while all of them are there.
 */
function inOrder(names: readonly string[]): string[] {
  const configs = names.filter((name) => configNames.includes(name));
  const weights = names.filter((name) => name !== manifestName && !configs.includes(name));
  if (names.includes(manifestName)) weights.push(manifestName);
  weights.splice(Math.max(1, weights.length - 1), 0, ...configs);
  return weights;
}

/** Bytes [begin, end) of a file that a part has; parts count from 1. */
function placeOf({ bytes, partBytes }: Upload, number: number): [begin: number, end: number] {
  return [(number - 1) * partBytes, Math.min(bytes, number * partBytes)];
}

/** The most bytes of one of its parts. */
const longestOf = ({ bytes, partBytes }: Upload): number => Math.min(bytes, partBytes);
