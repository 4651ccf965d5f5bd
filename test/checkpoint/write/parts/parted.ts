import { join } from 'node:path';
import { type Plan, writeCheckpoint } from '../../../../lib/checkpoint.js';
import { contentOf, temporaryFolder } from '../../temporary.js';

export const root = temporaryFolder();

/** Some 19 MB in two shards, one of 12 MB; with a tensor that is made whole. */
export const recipe = {
  tensors: {
    a: { shape: [3000, 1000], dtype: 'float32', init: 'normal' },
    q: { shape: [600, 600], dtype: 'float32', init: 'orthogonal' },
    b: { shape: [700, 1001], dtype: 'float64', init: 'trunc_normal' },
    c: { shape: [5], dtype: 'float32', init: 'zeros' },
  },
};

/** What a run without parts writes. */
export async function whole(plan: Plan, options = {}) {
  const folder = join(root.path, 'whole');
  await writeCheckpoint(plan, folder, options);
  return contentOf(folder);
}

/** For writeCheckpoint: one part of so many. */
export const at = (index: number, count: number) => ({ part: { index, count } });
