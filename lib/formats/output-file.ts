import { createHash, type Hash } from 'node:crypto';
import type { PlacedTensor } from '../checkpoint/virtual/chunks.js';
import { version } from '../core/version.js';
import { isTorchKey, type Key } from '../native/addon.js';
import { type Keys, streamVersions } from '../plan/keys.js';
import type { ResolvedTensor } from '../plan/plan.js';
import type { Format } from './format.js';

export const configName = 'config.json';

/** A file of tensors: a head, and the tensors one after another. */
export interface OutputFile {
  /** Within the folder. */
  readonly name: string;
  readonly head: Uint8Array;
  /** In the order of the file; `offset` counts from the end of the head. */
  readonly tensors: readonly PlacedTensor[];
  readonly dataBytes: number;
  readonly fileBytes: number;
}

/** A file of text. */
export interface Document {
  readonly name: string;
  readonly text: string;
}

/** All files of a checkpoint, before any of them is written. */
export interface FileSet {
  readonly format: Format;
  readonly files: readonly OutputFile[];
  /** config.json, where the model has one. */
  readonly config: Document | undefined;
  /** The index or the manifest: what is written last, and says that all is there. A single safetensors file has none. */
  readonly index: Document | undefined;
  /** Whether a file's head tells its content, seed and plan included. */
  readonly selfDescribing: boolean;
  /** SHA-256 in hex of all that the files are made of: equal digests, equal bytes. */
  readonly digest: string;
}

/** What every file or manifest says of its making, keys sorted. */
export function metadataOf(tensors: readonly ResolvedTensor[], keys: Keys): Record<string, string> {
  return {
    format: 'pt',
    'nninit.engine': keys.engine,
    'nninit.plan': planDigest(tensors, keys),
    'nninit.seed': String(keys.seed),
    'nninit.stream_version': String(streamVersions[keys.engine]),
    'nninit.version': version,
  };
}

/**
 * 128 bits of SHA-256, in hex, over what the tensors are filled with: names, dtypes, shapes, resolved fills, streams, slices, … So
 * two files with the same names and shapes but other initializers are told apart by their heads.
 */
function planDigest(tensors: readonly ResolvedTensor[], keys: Keys): string {
  const hash = createHash('sha256');
  for (const tensor of tensors) {
    const { name, dtype, shape, fill, stream, slice, zeroRow, partOf } = tensor;
    const facts = [name, dtype, shape, fill, stream, slice ?? null, zeroRow ?? null, partOf ?? null];
    hash.update(JSON.stringify(facts, plainBigint)).update('\n');
    updateWithKey(hash, keys.of(tensor));
  }
  return hash.digest('hex').slice(0, 32);
}

/** In the engine torch a tensor's values depend on the draws before it, and its key is what became of them. */
function updateWithKey(hash: Hash, key: Key): void {
  if (!isTorchKey(key)) return;
  hash.update(key.state).update(`${key.total} ${key.offset ?? 0}\n`);
}

function plainBigint(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}

/** The digest of a set of files. */
export function digestOf(set: Omit<FileSet, 'digest'>, metadata: Readonly<Record<string, string>>): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([set.format, metadata, set.config ?? null, set.index ?? null]));
  for (const { name, head, fileBytes } of set.files) {
    hash.update(JSON.stringify([name, head.length, fileBytes])).update(head);
  }
  return hash.digest('hex');
}
