import { crc32 } from 'node:zlib';
import type { CompletedPart, Part, S3Client } from '@aws-sdk/client-s3';
import { InputError, WriteError } from '../../../core/errors.js';
import { openClient, type Sdk } from '../../../formats/source/s3.js';
import type { Address } from './address.js';
import { asked, notImplemented, otherBytes, type Send, statusOf, unmade } from './request.js';

/** Objects carry the digest of the checkpoint that they are of. */
const digestKey = 'nninit-digest';

const mostTextBytes = 2 ** 28;
/** No list is longer: of parts there are 10,000, and of names a million at most. */
const mostPages = 2000;

export interface StoreOptions {
  /** Of a store that is not Amazon's, such as MinIO: then the bucket is in the path. By default AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL, or the profile's. */
  readonly endpoint?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long a store may take and send nothing. */
  readonly idleMs?: number | undefined;
}

/** What stood under a name when it was looked at: its ETag, '' where the store tells none; undefined for nothing. */
export type Seen = string | undefined;

/** That nobody has put anything there since then. */
function conditionOf(seen: Seen): { readonly IfNoneMatch?: string; readonly IfMatch?: string } {
  if (seen === undefined) return { IfNoneMatch: '*' };
  return seen === '' ? {} : { IfMatch: seen };
}

/** What is asked of an object store. Credentials and region come by the SDK's own chain. */
export class Store {
  readonly #sdk: Sdk;
  readonly #client: S3Client;
  readonly #address: Address;
  readonly #signal: AbortSignal | undefined;

  private constructor(sdk: Sdk, client: S3Client, address: Address, signal: AbortSignal | undefined) {
    this.#sdk = sdk;
    this.#client = client;
    this.#address = address;
    this.#signal = signal;
  }

  /** @throws InputError if the SDK is not installed */
  static async open(address: Address, { endpoint, signal, idleMs }: StoreOptions): Promise<Store> {
    const { sdk, client } = await openClient(endpoint, idleMs);
    return new Store(sdk, client, address, signal);
  }

  close(): void {
    this.#client.destroy();
  }

  path(name: string): string {
    return `s3://${this.#address.bucket}/${this.#address.prefix}${name}`;
  }

  /** The text of an object; undefined if there is none, or it is longer than any that is written. */
  async text(name: string): Promise<string | undefined> {
    try {
      return await this.#ask('read', name, async (how) => {
        const { Body } = await this.#client.send(new this.#sdk.GetObjectCommand(this.#at(name)), how);
        const pieces: Uint8Array[] = [];
        let bytes = 0;
        for await (const piece of (Body ?? []) as AsyncIterable<Uint8Array>) {
          bytes += piece.length; // which the store need not have told before
          if (bytes > mostTextBytes) return undefined;
          pieces.push(piece);
        }
        return Buffer.concat(pieces).toString();
      });
    } catch (cause) {
      if (statusOf(cause) === 404) return undefined;
      throw cause;
    }
  }

  /** All objects right below the prefix, by their names. */
  async objects(): Promise<Map<string, Seen>> {
    const { bucket: Bucket, prefix: Prefix } = this.#address;
    const found = new Map<string, Seen>();
    const ask = (from: object) =>
      this.#ask('list', '', (how) =>
        this.#client.send(new this.#sdk.ListObjectsV2Command({ Bucket, Prefix, Delimiter: '/', ...from }), how),
      );
    for await (const page of this.#pages('', ask, ({ IsTruncated, NextContinuationToken: token }) => ({
      more: IsTruncated ?? token !== undefined,
      from: token && { ContinuationToken: token },
    }))) {
      for (const { Key = '', ETag = '' } of page.Contents ?? []) found.set(Key.slice(Prefix.length), ETag);
    }
    return found;
  }

  /**
   * Uploads that are not complete: for each name, their numbers. None where a store cannot list them. MinIO tells them of a whole name alone: that some
   * were left shows in the first or the last of those that are expected.
   */
  async uploads(expected: readonly string[]): Promise<Map<string, string[]>> {
    const found = await this.#uploadsFrom('');
    const hidden = expected.filter((name) => found?.has(name) === false);
    const ends = new Set([hidden[0], hidden.at(-1)].filter((name) => name !== undefined));
    const all = new Map(found);
    const look = async (name: string): Promise<boolean> => {
      const ids = (await this.#uploadsFrom(name))?.get(name);
      if (ids !== undefined) all.set(name, ids);
      return ids !== undefined;
    };
    let isHiding = false;
    for (const name of ends) if (await look(name)) isHiding = true;
    if (isHiding) for (const name of hidden) if (!ends.has(name)) await look(name);
    return all;
  }

  /** Those whose names begin so; undefined where a store cannot list them. */
  async #uploadsFrom(start: string): Promise<Map<string, string[]> | undefined> {
    const { bucket: Bucket, prefix } = this.#address;
    const found = new Map<string, string[]>();
    const input = { Bucket, Prefix: prefix + start };
    const ask = (from: object) =>
      this.#ask('list', '', (how) =>
        this.#client.send(new this.#sdk.ListMultipartUploadsCommand({ ...input, ...from }), how),
      ).catch((cause) => {
        if (statusOf(cause) === notImplemented) return undefined;
        throw cause;
      });
    for await (const page of this.#pages('', ask, (each) => ({
      more: each?.IsTruncated,
      from: each?.NextKeyMarker && { KeyMarker: each.NextKeyMarker, UploadIdMarker: each.NextUploadIdMarker },
    }))) {
      if (page === undefined) return undefined;
      for (const { Key = '', UploadId = '' } of page.Uploads ?? []) {
        const name = Key.slice(prefix.length);
        found.set(name, [...(found.get(name) ?? []), UploadId]);
      }
    }
    return found;
  }

  /** Whether an object is there, of that many bytes and of the checkpoint with that digest. */
  async has(name: string, bytes: number, digest: string): Promise<boolean> {
    try {
      const input = this.#at(name);
      const { ContentLength, Metadata } = await this.#ask('look at', name, (how) =>
        this.#client.send(new this.#sdk.HeadObjectCommand(input), how),
      );
      return ContentLength === bytes && Metadata?.[digestKey] === digest;
    } catch (cause) {
      if (statusOf(cause) === 404) return false;
      throw cause;
    }
  }

  /** Begins an upload. Others of that name, which a request has begun whose answer was lost, are given up. */
  async begin(name: string, digest: string): Promise<string> {
    const input = { ...this.#at(name), ChecksumAlgorithm: 'CRC32', Metadata: { [digestKey]: digest } } as const;
    let turns = 0;
    const { UploadId, $metadata } = await this.#ask('begin', name, (how) => {
      turns += 1;
      return this.#client.send(new this.#sdk.CreateMultipartUploadCommand(input), how);
    }).catch(async (cause: unknown) => {
      if (turns > 1 || (turns > 0 && this.#signal?.aborted)) await this.#abortAll(name).catch(() => {});
      throw cause;
    });
    if (UploadId === undefined) throw new WriteError('begin', this.path(name), new Error('the store gave no UploadId'));
    if (turns > 1 || ($metadata.attempts ?? 1) > 1) {
      const others = ((await this.uploads([name])).get(name) ?? []).filter((id) => id !== UploadId);
      for (const id of others) await this.abort(name, id);
    }
    return UploadId;
  }

  async parts(name: string, upload: string): Promise<Part[]> {
    const parts: Part[] = [];
    const ask = (from: object) =>
      this.#ask('list the parts of', name, (how) =>
        this.#client.send(new this.#sdk.ListPartsCommand({ ...this.#at(name), UploadId: upload, ...from }), how),
      );
    for await (const page of this.#pages(name, ask, ({ IsTruncated, NextPartNumberMarker: marker }) => ({
      more: IsTruncated,
      from: marker && { PartNumberMarker: marker },
    }))) {
      parts.push(...(page.Parts ?? []));
    }
    return parts;
  }

  /** Sends a part; `make` makes it, again for each turn. What goes wrong with that is thrown as it is. */
  async send(name: string, upload: string, number: number, make: () => Promise<Uint8Array>): Promise<CompletedPart> {
    return this.#ask('send', name, async (how) => {
      const body = await make().catch(unmade);
      const sum = { ChecksumCRC32: checksumOf(body) };
      const input = { ...this.#at(name), UploadId: upload, PartNumber: number, Body: body, ...sum };
      const { ETag, ChecksumCRC32: told } = await this.#client.send(new this.#sdk.UploadPartCommand(input), how);
      if (told === undefined) return { ETag, PartNumber: number }; // which knows no checksums, and may refuse them at the end
      if (told !== sum.ChecksumCRC32) throw otherBytes();
      return { ETag, PartNumber: number, ...sum };
    });
  }

  /** Makes an object of its parts, if what was seen there is there still. */
  async complete(name: string, upload: string, parts: CompletedPart[], seen: Seen, is: () => Promise<boolean>) {
    const input = { ...this.#at(name), UploadId: upload, MultipartUpload: { Parts: parts } };
    const wasThere = await this.#unlessDone(name, seen, is, (how, condition) =>
      this.#client.send(new this.#sdk.CompleteMultipartUploadCommand({ ...input, ...condition }), how),
    );
    if (wasThere) await this.abort(name, upload); // another run with the same content may have put it there
  }

  /** Writes a small object in one piece, likewise. */
  async put(name: string, body: Uint8Array, digest: string, seen: Seen, is: () => Promise<boolean>): Promise<void> {
    const sum = { ChecksumCRC32: checksumOf(body), Metadata: { [digestKey]: digest } };
    const input = { ...this.#at(name), Body: body, ...sum };
    await this.#unlessDone(name, seen, is, (how, condition) =>
      this.#client.send(new this.#sdk.PutObjectCommand({ ...input, ...condition }), how),
    );
  }

  async remove(name: string): Promise<void> {
    const input = this.#at(name);
    try {
      await this.#ask('remove', name, (how) => this.#client.send(new this.#sdk.DeleteObjectCommand(input), how));
    } catch (cause) {
      if (statusOf(cause) !== 404) throw cause; // else it is gone: some stores say so, also where the first answer was lost
    }
  }

  /** Gives up an upload, with all its parts. Where it is the `last` that is done, it is also done after the signal, and with the SDK's attempts alone. */
  async abort(name: string, upload: string, last = false): Promise<void> {
    const input = { ...this.#at(name), UploadId: upload };
    const send = () => this.#client.send(new this.#sdk.AbortMultipartUploadCommand(input));
    try {
      await (last ? send() : this.#ask('give up', name, send));
    } catch (cause) {
      if (statusOf(cause) !== 404) throw cause; // else it was given up, and that answer was lost
    }
  }

  /** Gives up what requests may have begun that were not answered, also after the signal. */
  async #abortAll(name: string): Promise<void> {
    const { Bucket, Key } = this.#at(name);
    const list = new this.#sdk.ListMultipartUploadsCommand({ Bucket, Prefix: Key });
    const { Uploads = [] } = await this.#client.send(list);
    for (const each of Uploads) if (each.Key === Key) await this.abort(name, each.UploadId ?? '', true);
  }

  /** Page after page. That more follows is believed where the store says from where, which is never where it was before, and not without end. */
  async *#pages<Page>(
    name: string,
    ask: (from: object) => Promise<Page>,
    next: (page: Page) => { readonly more: boolean | undefined; readonly from: object | '' | undefined },
  ): AsyncGenerator<Page> {
    const places = new Set<string>();
    for (let from = {}; ; ) {
      const page = await ask(from);
      yield page;
      const after = next(page);
      if (!after.more) return;
      const place = JSON.stringify(after.from || undefined);
      if (!after.from || places.has(place) || places.size === mostPages) {
        const why =
          places.size === mostPages
            ? 'the store has a list without end'
            : 'the store says that more follows, and not from where';
        throw new WriteError('list', this.path(name), new Error(why));
      }
      places.add(place);
      from = after.from;
    }
  }

  #at(name: string) {
    return { Bucket: this.#address.bucket, Key: this.#address.prefix + name };
  }

  /**
   * A request whose answer was lost has done its work: when it is made again, the store says that something is there, or no upload any more. Returns whether
   * it said so.
   */
  async #unlessDone(
    name: string,
    seen: Seen,
    is: () => Promise<boolean>,
    send: (how: Parameters<Send<unknown>>[0], condition: object) => Promise<unknown>,
  ): Promise<boolean> {
    try {
      await this.#ask('write', name, (how) => send(how, conditionOf(seen))).catch(async (cause) => {
        if (!(await this.#isVoid(name, seen, cause))) throw cause;
        return this.#ask('write', name, (how) => send(how, {}));
      });
      return false;
    } catch (cause) {
      const status = statusOf(cause) ?? 0;
      if (![404, 409, 412].includes(status) || !(await is()))
        throw status === 412 ? changed(this.path(name), cause) : cause;
      return true;
    }
  }

  /** Whether a condition has no meaning to a store: it knows no such, of which Swift says so, or compares other ETags than it lists, such as those in quotes. */
  async #isVoid(name: string, seen: Seen, cause: unknown): Promise<boolean> {
    const status = statusOf(cause);
    if (status === notImplemented) return true;
    const mayBe = status === 412 ? seen !== undefined : (cause as WriteError).code === 'InvalidRequest';
    return mayBe && (await this.objects()).get(name) === seen;
  }

  #ask<T>(action: string, name: string, send: Send<T>): Promise<T> {
    return asked(action, this.path(name), send, this.#signal);
  }
}

/** CRC-32 as the protocol has it: base64 of the big-endian number. */
export function checksumOf(bytes: Uint8Array): string {
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(bytes));
  return sum.toString('base64');
}

/** The error for what another run has put there. */
export function changed(path: string, cause?: unknown): InputError {
  return new InputError(`${path} has appeared meanwhile; existing: 'replace' replaces it`, {
    path,
    code: 'EEXIST',
    cause,
  });
}
