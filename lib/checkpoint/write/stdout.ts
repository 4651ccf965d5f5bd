import { fstatSync, write } from 'node:fs';
import type { Writable } from 'node:stream';
import { promisify } from 'node:util';
import { InputError, InterruptedError, stdoutName, WriteError } from '../../core/errors.js';
import { get_num_threads } from '../../native/addon.js';
import type { Plan } from '../../plan/plan.js';
import { unlessAborted } from '../../pool/operation.js';
import { streamFile } from '../virtual/stream.js';
import { VirtualCheckpoint } from '../virtual/virtual.js';
import { type LayoutOptions, layOut } from '../virtual/virtual-checkpoint.js';
import { poolForCall, takesLong } from './workers.js';

/** Takes bytes, in order, and resolves when their memory may be used again. */
export type Sink = (bytes: Uint8Array) => Promise<void>;

export interface SinkOptions extends Pick<LayoutOptions, 'seed' | 'engine'> {
  /** Native threads for the fills; by default the number of set_num_threads. */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of tensors that the sink has taken. */
  readonly onProgress?: ((written: number) => void) | undefined;
  /** Memory for one chunk, of which there are two; rounded up to a multiple of 8. Changes no byte. 4 MiB by default. */
  readonly chunkBytes?: number | undefined;
}

/** What was written. */
export interface Streamed {
  readonly path: string;
  readonly format: 'safetensors';
  readonly files: 1;
  readonly tensors: number;
  readonly parameters: number;
  readonly bytes: number;
  readonly resumedBytes: 0;
  readonly complete: true;
}

/**
 * Writes a model as one safetensors file, from its first byte to its last: the same bytes as writeTensors's model.safetensors.
 * Memory stays at two chunks, or one tensor where that cannot be cut; the sink sets the pace.
 *
 * @throws what the sink throws; InterruptedError after `signal`
 */
export async function writeToSink(
  sink: Sink,
  plan: Plan,
  { seed, engine, ...options }: SinkOptions,
): Promise<Streamed> {
  const { signal, onProgress } = options;
  const laid = layOut('streamCheckpoint', plan, { seed, engine, maxShardSize: Number.MAX_SAFE_INTEGER });
  const { tensors } = laid;
  const virtual = VirtualCheckpoint.of(laid.set, laid.keys);
  const file = virtual.file(virtual.files[0]?.name ?? '');
  let done = 0;
  // While this thread makes a large tensor in one piece, it hears of no signal.
  const pool = tensors.some(takesLong) ? poolForCall(options.threads ?? get_num_threads()) : undefined;
  const tell = onProgress && ((bytes: number) => onProgress(Math.max(0, bytes - file.head.length)));
  try {
    for await (const bytes of streamFile(virtual, file.name, { ...options, pool, reuse: true })) {
      await unlessAborted(sink(bytes), signal); // a reader that has stalled does not hold us up
      done += bytes.length;
      tell?.(done);
    }
  } catch (cause) {
    throw signal?.aborted ? new InterruptedError(stdoutName, signal.reason) : cause;
  } finally {
    await pool?.close();
  }
  const parameters = tensors.reduce((sum, { elements }) => sum + elements, 0);
  return {
    path: stdoutName,
    format: 'safetensors',
    files: 1,
    tensors: tensors.length,
    parameters,
    bytes: file.size,
    resumedBytes: 0,
    complete: true,
  };
}

/**
 * Standard output, or another stream, as a sink.
 *
 * @throws InputError for a terminal
 */
export function sinkOf(stream: Writable & { readonly isTTY?: boolean; readonly fd?: number }): Sink {
  if (stream.isTTY) {
    const advice = 'send it to a file or a program: … -o - > model.safetensors';
    throw new InputError(`${stdoutName} is a terminal, which a model is not for: ${advice}`);
  }
  const { fd } = stream;
  // To a file Node's stream makes one system call a piece and does not look at how much that wrote.
  if (fd !== undefined && !isPipe(fd)) return fileSink(fd);
  stream.on('error', () => {}); // each write says what is wrong with it
  return (bytes) =>
    new Promise((resolve, reject) => {
      stream.write(bytes, (cause) => (cause ? reject(new WriteError('write to', stdoutName, cause)) : resolve()));
    });
}

function isPipe(fd: number): boolean {
  const info = fstatSync(fd);
  return info.isFIFO() || info.isSocket();
}

const writeSome = promisify(write);

function fileSink(fd: number): Sink {
  return async (bytes) => {
    try {
      for (let done = 0; done < bytes.length; ) {
        // A single write takes less than 2^31 bytes.
        const { bytesWritten } = await writeSome(fd, bytes, done, Math.min(bytes.length - done, 2 ** 30), null);
        if (bytesWritten === 0) throw new Error('the system takes no more bytes');
        done += bytesWritten;
      }
    } catch (cause) {
      throw new WriteError('write to', stdoutName, cause);
    }
  };
}
