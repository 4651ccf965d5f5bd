import { InputError } from '../../core/errors.js';
import { is_fillable } from '../../core/stored-dtype.js';
import type { Keys } from '../../plan/keys.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { config_name, type Document, digest_of, type FileSet, metadata_of, type OutputFile } from '../output-file.js';
import { layout } from './header.js';

const weights_name = 'model.safetensors';
export const index_name = 'model.safetensors.index.json';

/** 5 GB, as huggingface_hub counts: decimal. */
const default_shard_size = 5e9;

/** Shard numbers have five digits. */
const most_shards = 99_999;

/** A file of weights or an index that belongs to a checkpoint of safetensors files, of whatever layout. */
export const is_weights_name = (name: string): boolean =>
  name === index_name || /^model(-\d{5}-of-\d{5})?\.safetensors$/.test(name);

/**
 * Parts tensors into shards as huggingface_hub's split_state_dict_into_shards does: in their order, each shard as full as
 * `max_bytes` of tensors allow; a tensor that is larger gets a shard of its own, which comes before the one being filled.
 */
export function split_shards<T extends { readonly bytes: number }>(tensors: readonly T[], max_bytes: number): T[][] {
  const shards: T[][] = [];
  let current: T[] = [];
  let current_bytes = 0;
  for (const tensor of tensors) {
    if (tensor.bytes > max_bytes) {
      shards.push([tensor]);
      continue;
    }
    if (current_bytes + tensor.bytes > max_bytes) {
      shards.push(current);
      current = [];
      current_bytes = 0;
    }
    current.push(tensor);
    current_bytes += tensor.bytes;
  }
  if (current.length > 0 || shards.length === 0) shards.push(current);
  return shards;
}

/** `model.safetensors`, or `model-00001-of-000NN.safetensors` and so on. */
export function shard_name(shard: number, count: number): string {
  if (count === 1) return weights_name;
  const digits = (n: number) => String(n).padStart(5, '0');
  return `model-${digits(shard + 1)}-of-${digits(count)}.safetensors`;
}

/**
 * The files of a checkpoint in safetensors: one, or shards and an index, and the config.
 *
 * @throws InputError for more than 99,999 shards, or a header that readers would refuse
 */
export function safetensors_files(
  tensors: readonly ResolvedTensor[],
  { keys, max_shard_size = default_shard_size, config }: SafetensorsOptions,
): FileSet {
  const shards = split_shards(tensors, max_shard_size);
  if (shards.length > most_shards) {
    const given = `${max_shard_size} bytes a shard make ${shards.length}`;
    throw new InputError(`expected at most ${most_shards} shards, but ${given}: choose a larger --max-shard-size`);
  }
  const files = shards.map((shard, i): OutputFile => {
    const { head, tensors: placed, data_bytes, file_bytes } = safetensors_layout(shard, keys);
    return { name: shard_name(i, shards.length), head, tensors: placed, data_bytes, file_bytes };
  });
  const set = {
    format: 'safetensors' as const,
    files,
    config: config === undefined ? undefined : { name: config_name, text: config },
    index: files.length === 1 ? undefined : index_of(files),
    self_describing: true,
  };
  return { ...set, digest: digest_of(set, {}) };
}

export interface SafetensorsOptions {
  readonly keys: Keys;
  /** Bytes of tensors a shard; 5·10^9 by default. */
  readonly max_shard_size?: number | undefined;
  readonly config?: string | undefined;
}

/** One file's layout with nninit's metadata; the digest in it does not depend on the order of the plan. */
export function safetensors_layout(tensors: readonly ResolvedTensor[], keys: Keys) {
  const in_order = layout(tensors, {}).tensors;
  return layout(in_order, metadata_of(in_order, keys));
}

/**
 * The index as transformers writes it: keys sorted by code point, two spaces, ASCII, a newline at the end. `total_size` counts the
 * bytes of tensors, `total_parameters` elements of those that can be parameters: all but integers, booleans and the like.
 */
function index_of(files: readonly OutputFile[]): Document {
  const entries = files.flatMap(({ name: file, tensors }) => tensors.map(({ name }) => ({ name, file })));
  const sortable = entries.map((entry) => ({ ...entry, key: Buffer.from(entry.name) }));
  sortable.sort((a, b) => Buffer.compare(a.key, b.key)); // UTF-8 sorts as code points do
  const lines = sortable.map(({ name, file }) => `    ${ascii_json(name)}: ${ascii_json(file)}`);
  let size = 0;
  let parameters = 0;
  for (const { data_bytes, tensors } of files) {
    size += data_bytes;
    for (const { dtype, elements } of tensors) if (is_fillable(dtype)) parameters += elements;
  }
  const metadata = `    "total_parameters": ${parameters},\n    "total_size": ${size}\n`;
  // Joined by hand: an object would move keys such as "0" to the front.
  const text = `{\n  "metadata": {\n${metadata}  },\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`;
  return { name: index_name, text };
}

/** JSON in ASCII, as Python's json.dumps writes it by default. */
function ascii_json(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
