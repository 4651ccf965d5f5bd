import { checkOptions } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import type { Plan } from '../../plan/plan.js';
import { checkProgressing, type Progressing, progressing } from '../progressing.js';
import { streamFile } from '../virtual/stream.js';
import { VirtualCheckpoint } from '../virtual/virtual.js';
import { type LayoutOptions, layOut } from '../virtual/virtual-checkpoint.js';

export interface StreamCheckpointOptions extends Pick<LayoutOptions, 'seed' | 'engine'>, Progressing {}

/**
 * A model as one safetensors file, from its first byte to its last: the same bytes as writeCheckpoint's model.safetensors. They are made a few
 * megabytes ahead of whoever takes them, and no further. Each chunk is yours to keep.
 *
 *     for await (const bytes of streamCheckpoint(plan, { seed: 42, pool })) …
 *     Readable.from(streamCheckpoint(plan, { pool })).pipe(response);
 *
 * @param plan what loadPlan gave
 * @param options.seed an integer in [-2^63, 2^64), 0 by default
 * @param options.engine 'philox' (default) or 'torch'
 * @param options.pool worker threads that make the bytes; this thread makes them otherwise
 * @param options.signal stops: the next chunk rejects with its reason
 * @param options.onProgress called after each chunk with the bytes of the file that were taken
 * @throws InputError for a plan that makes no sense; TypeError and RangeError for options
 */
export function streamCheckpoint(
  plan: Plan,
  options?: StreamCheckpointOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fn = 'streamCheckpoint';
  const given = checkOptions(fn, options, ['seed', 'engine', ...progressing]);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const { set, keys } = layOut(fn, plan, { ...given, maxShardSize: Number.MAX_SAFE_INTEGER });
  const virtual = VirtualCheckpoint.of(set, keys);
  const [file] = virtual.files;
  if (file === undefined) throw new InputError(`${fn}: the plan has no file`);
  return follow(streamFile(virtual, file.name, { pool, signal }), file.size, onProgress);
}

async function* follow(
  chunks: AsyncGenerator<Uint8Array, void, undefined>,
  totalBytes: number,
  onProgress: Progressing['onProgress'],
): AsyncGenerator<Uint8Array, void, undefined> {
  let bytes = 0;
  for await (const chunk of chunks) {
    yield chunk;
    bytes += chunk.length;
    onProgress?.({ bytes, totalBytes });
  }
}
