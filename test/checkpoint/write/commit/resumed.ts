// What the tests of runs that go on share: a plan of four files, and runs that are stopped.
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type WriteOptions, writeTensors } from '../../../../lib/checkpoint/write/write.js';
import { philoxKeys } from '../../../../lib/plan/keys.js';
import { type PlannedTensor, resolvePlan } from '../../../../lib/plan/plan.js';
import { contentOf, temporaryFolder } from '../../temporary.js';

/** A folder of its own for each test. */
export const root = temporaryFolder();

export const planned: readonly PlannedTensor[] = [
  { name: 'a', shape: [100, 64], dtype: 'bfloat16', initializer: 'normal' },
  { name: 'b', shape: [64, 64], dtype: 'bfloat16', initializer: 'orthogonal' },
  { name: 'c', shape: [64, 65], dtype: 'float32', initializer: 'uniform' },
  { name: 'd', shape: [64, 64], dtype: 'float32', initializer: 'normal' },
];
/** Such that the plan takes four files. */
export const maxShardSize = 17000;

const shardBytes = [12_800, 8192, 16_640, 16_384];

/** The bytes of tensors of complete shards, with their names or waiting for the others: which are there first, the system decides. */
export const completeBytes = (folder: string, complete = /-0000(\d)-of-00004\.safetensors(?:\.done)?$/): number =>
  readdirSync(folder).reduce((sum, name) => sum + (shardBytes[Number(complete.exec(name)?.[1]) - 1] ?? 0), 0);

export const write = (folder: string, options: Partial<WriteOptions> = {}, tensors = planned) =>
  writeTensors(folder, resolvePlan({ tensors }), {
    keys: philoxKeys(7n),
    maxShardSize,
    config: '{}',
    ...options,
  });

/** Writes until so many bytes are written, and stops. */
export async function stopAfter(bytes: number, folder: string, options: Partial<WriteOptions> = {}): Promise<unknown> {
  const abort = new AbortController();
  const onProgress = (written: number) => written >= bytes && abort.abort('SIGTERM');
  return write(folder, { chunkBytes: 512, journalBytes: 1024, signal: abort.signal, onProgress, ...options }).then(
    () => 'finished',
    (cause: unknown) => cause,
  );
}

/** What a run without interruption writes. */
export async function expected(options: Partial<WriteOptions> = {}): Promise<Record<string, string>> {
  const folder = join(root.path, 'expected');
  await write(folder, options);
  const content = contentOf(folder);
  rmSync(folder, { recursive: true });
  return content;
}
