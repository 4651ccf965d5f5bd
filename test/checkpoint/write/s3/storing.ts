import { join } from 'node:path';
import { afterEach, beforeEach, vi } from 'vitest';
import { layOut } from '../../../../lib/checkpoint/virtual/virtual-checkpoint.js';
import { countsOf } from '../../../../lib/checkpoint/write/write.js';
import { loadPlan, writeCheckpoint } from '../../../../lib/checkpoint.js';
import { contentOf, temporaryFolder } from '../../temporary.js';
import { S3Server } from './server.js';

export const root = temporaryFolder();
export let server: S3Server;

beforeEach(async () => {
  server = await new S3Server().open();
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  vi.stubEnv('AWS_ENDPOINT_URL_S3', server.endpoint);
  vi.stubEnv('AWS_REGION', 'us-east-1');
  vi.stubEnv('AWS_MAX_ATTEMPTS', '2');
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await server.close();
});

/** Some 19 MB; with shards of 13 MB an index. */
export const recipe = {
  tensors: {
    a: { shape: [3000, 1000], dtype: 'float32', init: 'normal' },
    q: { shape: [600, 600], dtype: 'float32', init: 'orthogonal' },
    b: { shape: [700, 1001], dtype: 'float64', init: 'trunc_normal' },
  },
};
export const shards = { seed: 5, maxShardSize: '13MB' };
export const url = 's3://bucket/deep/out';

export async function laidOf(options: object) {
  const { tensors, ...laid } = layOut('test', await loadPlan(recipe), options);
  return { ...laid, ...countsOf(tensors) };
}

export async function folderOf(options: object): Promise<Record<string, string>> {
  const folder = join(root.path, 'folder');
  await writeCheckpoint(await loadPlan(recipe), folder, options);
  return contentOf(folder);
}
