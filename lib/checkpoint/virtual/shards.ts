import { InputError } from '../../core/errors.js';
import { isFillable } from '../../core/stored-dtype.js';
import { layout } from '../../formats/safetensors/header.js';
import type { Keys } from '../../plan/keys.js';
import type { PlanSource, ResolvedTensor } from '../../plan/plan.js';
import {
  adapterNames,
  carriedText,
  configDocument,
  type Document,
  digestOf,
  type FileSet,
  metadataOf,
  type OutputFile,
} from './layout.js';

/** What files' names begin with: `model.safetensors`. */
export const usualBase = 'model';

export const indexNameOf = (base: string): string => `${base}.safetensors.index.json`;

/** 5 GB, as huggingface_hub counts: decimal. */
const defaultShardSize = 5e9;

/** Shard numbers have five digits. */
const mostShards = 99_999;

/** A file of weights or an index that belongs to a checkpoint of safetensors files, of whatever layout. */
export const isWeightsName = (name: string, base: string): boolean =>
  name === indexNameOf(base) ||
  (name.startsWith(base) && /^(-\d{5}-of-\d{5})?\.safetensors$/.test(name.slice(base.length)));

/** The same of any name. */
export const isAnyWeightsName = (name: string): boolean => /^[^.].*\.safetensors(\.index\.json)?$/.test(name);

/** Weights that a config may describe, of those whose names are given: an adapter's describes no model's. */
export const sharersOf = (config: string, names: readonly string[]): string[] =>
  names.filter((name) => config !== adapterNames.config || !isWeightsName(name, usualBase));

interface ShardedTensor {
  readonly name?: string | undefined;
  readonly bytes: number;
  readonly partOf?: { readonly tensor: string } | undefined;
}

/**
 * Parts of one tensor of the model's lie in one shard, at the place of the first: transformers cuts it once for each of the matrices stacked in it
 * (`w1`, `w3`), and what is then cut by experts shares memory.
 */
function byStorage<T extends ShardedTensor>(tensors: readonly T[]): Iterable<readonly T[]> {
  const groups = new Map<unknown, T[]>();
  for (const tensor of tensors) {
    const { name = '', partOf } = tensor;
    const storage = partOf === undefined ? tensor : `${partOf.tensor} ${name.replace(/^.*\.\d+\./, '')}`;
    const group = groups.get(storage);
    if (group === undefined) groups.set(storage, [tensor]);
    else group.push(tensor);
  }
  return groups.values();
}

/**
 * Parts tensors into shards as huggingface_hub's split_state_dict_into_shards does: in their order, each shard as full as
 * `maxBytes` of tensors allow; a tensor that is larger gets a shard of its own, which comes before the one being filled.
 */
export function splitShards<T extends ShardedTensor>(tensors: readonly T[], maxBytes: number): T[][] {
  const shards: T[][] = [];
  let current: T[] = [];
  let currentBytes = 0;
  for (const together of byStorage(tensors)) {
    const bytes = together.reduce((sum, tensor) => sum + tensor.bytes, 0);
    if (bytes > maxBytes) {
      shards.push([...together]);
      continue;
    }
    if (currentBytes + bytes > maxBytes) {
      shards.push(current);
      current = [];
      currentBytes = 0;
    }
    for (const tensor of together) current.push(tensor);
    currentBytes += bytes;
  }
  if (current.length > 0 || shards.length === 0) shards.push(current);
  return shards;
}

/** `model.safetensors`, or `model-00001-of-000NN.safetensors` and so on. */
export function shardName(shard: number, count: number, base = usualBase): string {
  if (count === 1) return `${base}.safetensors`;
  const digits = (n: number) => String(n).padStart(5, '0');
  return `${base}-${digits(shard + 1)}-of-${digits(count)}.safetensors`;
}

/**
 * The files of a checkpoint in safetensors: one, or shards and an index, and the config.
 *
 * @throws InputError for more than 99,999 shards, or a header that readers would refuse
 */
export function safetensorsFiles(
  tensors: readonly ResolvedTensor[],
  { keys, base = usualBase, maxShardSize: given, config, source, adapter }: SafetensorsOptions,
): FileSet {
  const maxShardSize = given ?? (adapter ? Number.MAX_SAFE_INTEGER : defaultShardSize); // PEFT reads no shards
  const shards = splitShards(tensors, maxShardSize);
  if (shards.length > mostShards) {
    const made = `${maxShardSize} bytes a shard make ${shards.length}`;
    throw new InputError(`expected at most ${mostShards} shards, but ${made}: choose a larger maxShardSize`);
  }
  const carried = carriedText(source, shards.length);
  const files = shards.map((shard, i): OutputFile => {
    const { head, tensors: placed, dataBytes, fileBytes } = safetensorsLayout(shard, keys, carried);
    return { name: shardName(i, shards.length, base), head, tensors: placed, dataBytes, fileBytes };
  });
  const set = {
    format: 'safetensors' as const,
    base,
    files,
    config: configDocument(config, adapter),
    index: files.length === 1 ? undefined : indexOf(files, base),
    metadata: {},
    selfDescribing: true,
  };
  return { ...set, digest: digestOf(set) };
}

export interface SafetensorsOptions {
  readonly keys: Keys;
  /** Whether the config is an adapter's. */
  readonly adapter?: true | undefined;
  /** What the files' names begin with; 'model' by default. */
  readonly base?: string | undefined;
  /** Bytes of tensors a shard; 5·10^9 by default, of an adapter as many as there are. */
  readonly maxShardSize?: number | undefined;
  readonly config?: string | undefined;
  /** What makes the plan again. */
  readonly source?: PlanSource | undefined;
}

/** One file's layout with nninit's metadata; the digest in it does not depend on the order of the plan. */
export function safetensorsLayout(tensors: readonly ResolvedTensor[], keys: Keys, carried?: string) {
  const inOrder = layout(tensors, {}).tensors;
  return layout(inOrder, metadataOf(inOrder, keys, carried));
}

/**
 * The index as transformers writes it: keys sorted by code point, two spaces, ASCII, a newline at the end. `total_size` counts the
 * bytes of tensors, `total_parameters` elements of parameters: all but buffers, and what cannot be one, integers, booleans and the like.
 */
function indexOf(files: readonly OutputFile[], base: string): Document {
  const entries = files.flatMap(({ name: file, tensors }) => tensors.map(({ name }) => ({ name, file })));
  const sortable = entries.map((entry) => ({ ...entry, key: Buffer.from(entry.name) }));
  sortable.sort((a, b) => Buffer.compare(a.key, b.key)); // UTF-8 sorts as code points do
  const lines = sortable.map(({ name, file }) => `    ${asciiJson(name)}: ${asciiJson(file)}`);
  let size = 0;
  let parameters = 0;
  for (const { dataBytes, tensors } of files) {
    size += dataBytes;
    for (const { dtype, elements, buffer } of tensors) if (isFillable(dtype) && buffer !== true) parameters += elements;
  }
  const metadata = `    "total_parameters": ${parameters},\n    "total_size": ${size}\n`;
  // Joined by hand: an object would move keys such as "0" to the front.
  const text = `{\n  "metadata": {\n${metadata}  },\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`;
  return { name: indexNameOf(base), text };
}

/** JSON in ASCII, as Python's json.dumps writes it by default. */
function asciiJson(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
