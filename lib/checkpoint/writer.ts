import { readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { version } from '../version.js';
import { type Chunk, cut, fill_chunk, type PlacedTensor } from './chunks.js';
import { InputError, InterruptedError } from './errors.js';
import { check_space, if_there, make_folder, PendingFile, remove_folders, step, sync_folder } from './files.js';
import type { ResolvedTensor } from './plan.js';
import { type Layout, layout } from './safetensors.js';

export interface WriteOptions {
  /** In [0, 2^64). */
  readonly seed: bigint;
  /** The text of config.json, where the model has one. */
  readonly config?: string | undefined;
  /** Native threads for the fills; by default the number of set_num_threads. */
  readonly threads?: number | undefined;
  /** Replaces a checkpoint that is there already. */
  readonly force?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the path when all checks are passed and the work begins. */
  readonly on_begin?: ((path: string) => Promise<void>) | undefined;
  /** Called with the bytes of tensors that have reached the file. */
  readonly on_progress?: ((written: number) => void) | undefined;
  /** Memory for one chunk, of which there are `chunks_in_flight`; rounded up to a multiple of 8. Changes no byte of the file. */
  readonly chunk_bytes?: number | undefined;
}

/** What was written. */
export interface Written {
  readonly path: string;
  readonly tensors: number;
  readonly parameters: number;
  /** Of the whole file. */
  readonly bytes: number;
}

export const weights_name = 'model.safetensors';
export const config_name = 'config.json';
const index_name = 'model.safetensors.index.json';

/** The engine and the version of its stream: part of what makes the bytes (docs/streams.md). */
export const engine = 'philox';
export const stream_version = 1;

/** One chunk is filled while the other is being written. From 1 to 32 MiB each no difference was measured. */
const chunks_in_flight = 2;
const default_chunk_bytes = 4 * 2 ** 20;

/**
 * Writes a model as `model.safetensors`, with its `config.json`, into a folder, which is made if need be.
 *
 * The file's bytes are a function of the tensors, the seed and nninit's version. Memory stays at a few chunks, or one tensor where that cannot
 * be cut (orthogonal, sparse). The files appear under their names only when all of them are complete and synced, the
 * weights last; after an error or an abort nothing is left of them.
 *
 * @throws InputError if the folder holds a checkpoint (unless `force`); WriteError with the system's `code`;
 *   InterruptedError after `signal`
 */
export async function write_checkpoint(
  folder: string,
  tensors: readonly ResolvedTensor[],
  options: WriteOptions,
): Promise<Written> {
  const plan = layout(tensors, {
    format: 'pt',
    'nninit.engine': engine,
    'nninit.seed': String(options.seed),
    'nninit.stream_version': String(stream_version),
    'nninit.version': version,
  });
  const config = await check_folder(folder, options);
  const made = await make_folder(folder);
  try {
    await write_files(folder, plan, config, options);
    for (const each of new Set([resolve(folder), ...made.map(dirname)])) await sync_folder(each);
  } catch (cause) {
    await remove_folders(made);
    throw cause;
  }
  const parameters = tensors.reduce((sum, { elements }) => sum + elements, 0);
  return { path: join(folder, weights_name), tensors: tensors.length, parameters, bytes: plan.file_bytes };
}

/** Looks for what must not be replaced. Returns the text of the config that is still to be written. */
async function check_folder(folder: string, { config, force }: WriteOptions): Promise<string | undefined> {
  const weights = join(folder, weights_name);
  const index = join(folder, index_name);
  const config_path = join(folder, config_name);
  const refuse = (path: string, text: string) => new InputError(text, { path, code: 'EEXIST' });
  if ((await step('look at', index, () => if_there(stat(index)))) !== undefined) {
    throw refuse(
      index,
      `${folder} holds a checkpoint in several files (${index_name}): remove it first, or choose another folder`,
    );
  }
  const there = await step('look at', weights, () => if_there(stat(weights)));
  if (there !== undefined && !there.isFile()) throw refuse(weights, `${weights} is no file: remove it first`);
  if (there !== undefined && !force) throw refuse(weights, `${weights} exists already; --force replaces it`);
  if (config === undefined) return undefined;
  const present = await step('read', config_path, () => if_there(readFile(config_path, 'utf8')));
  if (present === config) return undefined;
  if (!force && present !== undefined) {
    throw refuse(config_path, `${config_path} exists already and differs; --force replaces it`);
  }
  return config;
}

async function write_files(
  folder: string,
  plan: Layout<ResolvedTensor>,
  config: string | undefined,
  options: WriteOptions,
): Promise<void> {
  const weights_path = join(folder, weights_name);
  await check_space(folder, plan.file_bytes);
  const files: PendingFile[] = [];
  const create = async (path: string): Promise<PendingFile> => {
    const file = await PendingFile.create(path);
    files.push(file);
    return file;
  };
  try {
    const weights = await create(weights_path);
    await options.on_begin?.(weights_path);
    await weights.write(plan.head, 0);
    await write_data(weights, plan, options);
    await weights.finish();
    if (config !== undefined) {
      const file = await create(join(folder, config_name));
      await file.write(Buffer.from(config), 0);
      await file.finish();
    }
    refuse_if_aborted(options.signal, weights_path);
    await check_folder(folder, options); // someone else may have been quicker
    // The weights last: when they are there, so is everything.
    for (const file of files.toReversed()) await file.publish();
  } catch (cause) {
    for (const file of files) await file.discard();
    throw cause;
  }
}

/** Fills chunk after chunk into a few buffers, each while those before it are on their way to the file. */
async function write_data(file: PendingFile, plan: Layout<ResolvedTensor>, options: WriteOptions): Promise<void> {
  const { seed, threads = 0, signal, on_progress, chunk_bytes = default_chunk_bytes } = options;
  const size = Math.max(8, Math.ceil(Math.min(chunk_bytes, plan.data_bytes) / 8) * 8);
  const buffers: (ArrayBuffer | undefined)[] = new Array(chunks_in_flight).fill(undefined);
  const writes: Promise<void>[] = new Array(chunks_in_flight).fill(Promise.resolve());
  let written = 0;
  const write = async (chunk: Chunk, memory: ArrayBuffer): Promise<void> => {
    await file.write(new Uint8Array(memory, 0, chunk.bytes), plan.head.length + chunk.position);
    written += chunk.bytes;
    on_progress?.(written);
  };
  try {
    let slot = 0;
    for (const chunk of cut(plan.tensors as readonly PlacedTensor[], size)) {
      refuse_if_aborted(signal, file.path);
      let memory: ArrayBuffer;
      if (chunk.bytes > size) {
        await Promise.all(writes); // so that a large tensor is alone in memory
        memory = new ArrayBuffer(chunk.bytes);
      } else {
        await writes[slot];
        memory = buffers[slot] ??= new ArrayBuffer(size);
      }
      fill_chunk(chunk, memory, seed, threads);
      const writing = write(chunk, memory);
      writing.catch(() => {}); // it is looked at when its slot is needed again, or below
      writes[slot] = writing;
      slot = (slot + 1) % chunks_in_flight;
    }
    await Promise.all(writes);
  } finally {
    await Promise.allSettled(writes); // nothing may still be writing when the file is closed
  }
}

function refuse_if_aborted(signal: AbortSignal | undefined, path: string): void {
  if (signal?.aborted) throw new InterruptedError(path, signal.reason);
}
