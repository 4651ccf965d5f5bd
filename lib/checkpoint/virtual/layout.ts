import { createHash, type Hash } from 'node:crypto';
import { jsonText } from '../../core/json.js';
import { version } from '../../core/version.js';
import type { Format } from '../../formats/names.js';
import { isTorchKey, type Key } from '../../native/addon.js';
import { drawnFor, type Keys, streamVersions } from '../../plan/keys.js';
import type { PlanSource, ResolvedTensor } from '../../plan/plan.js';
import type { PlacedTensor } from './range.js';

export const configName = 'config.json';

/** The files of an adapter as PEFT names them. */
export const adapterNames = { base: 'adapter_model', config: 'adapter_config.json' } as const;

/** Of a model and of an adapter: files that describe weights. */
export const configNames: readonly string[] = [configName, adapterNames.config];

/** The config of a plan as a file. */
export function configDocument(text: string | undefined, adapter?: true): Document | undefined {
  return text === undefined ? undefined : { name: adapter ? adapterNames.config : configName, text };
}

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
  /** What the names of safetensors files begin with. */
  readonly base: string;
  readonly files: readonly OutputFile[];
  /** config.json, where the model has one, or adapter_config.json. */
  readonly config: Document | undefined;
  /** The index or the manifest: what is written last, and says that all is there. A single safetensors file has none. */
  readonly index: Document | undefined;
  /** What the digest is made of besides: nothing where the heads of the files tell it. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether a file's head tells its content, seed and plan included. */
  readonly selfDescribing: boolean;
  /** SHA-256 in hex of all that the files are made of: equal digests, equal bytes. */
  readonly digest: string;
}

/** What makes a plan again is carried in each file unless it is longer than this: a recipe of very many tensors. */
const longestSource = 2 ** 20;

/** Nor if all copies together are longer than this: heads are held in memory. */
const longestCopies = 2 ** 26;

/** What makes a plan again, as each of so many files carries it. */
export function carriedText(source: PlanSource | undefined, files: number): string | undefined {
  const text = source === undefined ? '' : jsonText(source, 'plan');
  return text !== '' && text.length <= Math.min(longestSource, longestCopies / files) ? text : undefined;
}

/** What every file or manifest says of its making, keys sorted. */
export function metadataOf(
  tensors: readonly ResolvedTensor[],
  keys: Keys,
  carried: string | undefined,
): Record<string, string> {
  return {
    format: 'pt',
    'nninit.engine': keys.engine,
    'nninit.plan': planDigest(tensors, keys),
    'nninit.seed': String(keys.seed),
    ...(carried !== undefined && { 'nninit.source': carried }),
    'nninit.stream_version': String(streamVersions[keys.engine]),
    'nninit.version': version,
  };
}

/**
 * 128 bits of SHA-256, in hex, over what the tensors are filled with: names, dtypes, shapes, resolved fills, streams, slices, … So
 * two files with the same names and shapes but other initializers are told apart by their heads.
 */
export function planDigest(tensors: readonly ResolvedTensor[], keys: Keys): string {
  const hash = createHash('sha256');
  for (const tensor of tensors) {
    const { name, dtype, shape, fill, stream, slice, zeroRow, partOf, codes, steps, norms } = tensor;
    const facts: unknown[] = [name, dtype, shape, fill, stream, slice ?? null, zeroRow ?? null, partOf ?? null];
    if (codes !== undefined || steps !== undefined) facts.push(codes ?? null, steps ?? null);
    if (norms !== undefined) facts.push(norms);
    hash.update(JSON.stringify(facts, plainBigint)).update('\n');
    for (const drawn of drawnFor(tensor, keys)) updateWithKey(hash, keys.of(drawn));
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
export function digestOf(set: Omit<FileSet, 'digest'>): string {
  const hash = createHash('sha256');
  hash.update(JSON.stringify([set.format, set.metadata, set.config ?? null, set.index ?? null]));
  for (const { name, head, fileBytes } of set.files) {
    hash.update(JSON.stringify([name, head.length, fileBytes])).update(head);
  }
  return hash.digest('hex');
}
