// What the tests of runs that go on share: a plan of four files, and runs that are stopped.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type WriteOptions, write_checkpoint } from '../../../../lib/checkpoint/write/write.js';
import { philox_keys } from '../../../../lib/plan/keys.js';
import { type PlannedTensor, resolve_plan } from '../../../../lib/plan/plan.js';
import { content_of, temporary_folder } from '../../temporary.js';

/** A folder of its own for each test. */
export const root = temporary_folder();

export const planned: readonly PlannedTensor[] = [
  { name: 'a', shape: [100, 64], dtype: 'bfloat16', initializer: 'normal' },
  { name: 'b', shape: [64, 64], dtype: 'bfloat16', initializer: 'orthogonal' },
  { name: 'c', shape: [64, 65], dtype: 'float32', initializer: 'uniform' },
  { name: 'd', shape: [64, 64], dtype: 'float32', initializer: 'normal' },
];
/** Such that the plan takes four files. */
export const max_shard_size = 17000;

export const write = (folder: string, options: Partial<WriteOptions> = {}, tensors = planned) =>
  write_checkpoint(folder, resolve_plan({ tensors }), {
    keys: philox_keys(7n),
    max_shard_size,
    config: '{}',
    ...options,
  });

/** Writes until so many bytes are written, and stops. */
export async function stop_after(bytes: number, folder: string, options: Partial<WriteOptions> = {}): Promise<unknown> {
  const abort = new AbortController();
  const on_progress = (written: number) => written >= bytes && abort.abort('SIGTERM');
  return write(folder, { chunk_bytes: 512, journal_bytes: 1024, signal: abort.signal, on_progress, ...options }).then(
    () => 'finished',
    (cause: unknown) => cause,
  );
}

/** What a run without interruption writes. */
export async function expected(options: Partial<WriteOptions> = {}): Promise<Record<string, string>> {
  const folder = join(root.path, 'expected');
  await write(folder, options);
  const content = content_of(folder);
  rmSync(folder, { recursive: true });
  return content;
}
