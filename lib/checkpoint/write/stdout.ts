import { fstatSync, write } from 'node:fs';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { InputError, InterruptedError, stdout_name, WriteError } from '../../core/errors.js';
import { safetensors_layout } from '../../formats/safetensors/shards.js';
import type { Keys } from '../../plan/keys.js';
import type { ResolvedTensor } from '../../plan/plan.js';
import { cut, fill_chunk, type KeyedTensor } from '../virtual/chunks.js';
import { check_whole, whole_memory } from '../virtual/whole.js';

/** Takes bytes, in order, and resolves when their memory may be used again. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

export interface StreamOptions {
  readonly keys: Keys;
  /** Native threads for the fills; by default the number of set_num_threads. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of tensors that the sink has taken. */
  readonly on_progress?: ((written: number) => void) | undefined;
  /** Memory for one chunk, of which there are two; rounded up to a multiple of 8. Changes no byte. 4 MiB by default. */
  readonly chunk_bytes?: number | undefined;
}

/** What was written. */
export interface Streamed {
  readonly path: string;
  readonly format: 'safetensors';
  readonly files: 1;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
  readonly resumed_bytes: 0;
}

/**
 * Writes a model as one safetensors file, from its first byte to its last: the same bytes as write_checkpoint's model.safetensors.
 * Memory stays at two chunks, or one tensor where that cannot be cut; the sink sets the pace.
 *
 * @throws what the sink throws; InterruptedError after `signal`
 */
export async function stream_checkpoint(
  sink: Sink,
  tensors: readonly ResolvedTensor[],
  options: StreamOptions,
): Promise<Streamed> {
  const { keys, threads = 0, signal, on_progress, chunk_bytes = 4 * 2 ** 20 } = options;
  check_whole(tensors);
  const { head, tensors: placed, file_bytes, data_bytes } = safetensors_layout(tensors, keys);
  const keyed = placed.map((tensor): KeyedTensor => ({ ...tensor, key: keys.of(tensor) }));
  const size = Math.max(8, Math.ceil(Math.min(chunk_bytes, data_bytes) / 8) * 8);
  let [filling, writing] = [new ArrayBuffer(size), new ArrayBuffer(size)];
  let written = 0;
  let last = sink(head);
  last.catch(() => {}); // it is looked at below
  for (const chunk of cut(keyed, size)) {
    if (signal?.aborted) throw new InterruptedError(stdout_name, signal.reason);
    const large = chunk.bytes > size;
    if (large) await last; // so that a large tensor is alone in memory
    const memory = large ? whole_memory(chunk.segments[0]?.tensor.name ?? '', chunk.bytes) : filling;
    fill_chunk(chunk, memory, threads);
    await last;
    on_progress?.(written);
    last = sink(new Uint8Array(memory, 0, chunk.bytes));
    last.catch(() => {});
    written += chunk.bytes;
    if (large) await last;
    else [filling, writing] = [writing, filling];
  }
  await last;
  on_progress?.(written);
  const parameters = tensors.reduce((sum, { elements }) => sum + elements, 0);
  return {
    path: stdout_name,
    format: 'safetensors',
    files: 1,
    tensors: tensors.length,
    parameters,
    bytes: file_bytes,
    resumed_bytes: 0,
  };
}

/**
 * Standard output, or another stream, as a sink.
 *
 * @throws InputError for a terminal
 */
export function sink_of(stream: Writable & { readonly isTTY?: boolean; readonly fd?: number }): Sink {
  if (stream.isTTY) {
    const advice = 'send it to a file or a program: … -o - > model.safetensors';
    throw new InputError(`${stdout_name} is a terminal, which a model is not for: ${advice}`);
  }
  const { fd } = stream;
  // To a file Node's stream makes one system call a piece and does not look at how much that wrote.
  if (fd !== undefined && !is_pipe(fd)) return file_sink(fd);
  stream.on('error', () => {}); // each write says what is wrong with it
  return (bytes) =>
    new Promise((resolve, reject) => {
      stream.write(bytes, (cause) => (cause ? reject(new WriteError('write to', stdout_name, cause)) : resolve()));
    });
}

function is_pipe(fd: number): boolean {
  const info = fstatSync(fd);
  return info.isFIFO() || info.isSocket();
}

const write_some = promisify(write);

function file_sink(fd: number): Sink {
  return async (bytes) => {
    try {
      for (let done = 0; done < bytes.length; ) {
        // A single write takes less than 2^31 bytes.
        const { bytesWritten } = await write_some(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), null);
        if (bytesWritten === 0) throw new Error('the system takes no more bytes');
        done += bytesWritten;
      }
    } catch (cause) {
      throw new WriteError('write to', stdout_name, cause);
    }
  };
}
