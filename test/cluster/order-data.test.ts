// What an order says of itself: whoever orders the same has the same order, and nobody else has.
import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { loadPlan, virtualCheckpoint } from '../../lib/checkpoint.js';
import { layOrder, type Ordered, orderId, otherVersion, pack, refusal, unpack } from '../../lib/cluster/order-data.js';
import { version } from '../../lib/core/version.js';
import { recipe } from './cluster.js';

const orderedOf = async (change: Partial<Ordered> = {}): Promise<Ordered> => ({
  plan: await loadPlan(recipe(4096) as never),
  ...{ layout: {}, seeds: ['0', '1'], isEnsemble: true, replaces: false },
  ...change,
});

test('orders of other seeds, plans, layouts and places are others, and the same one has the same name', async () => {
  const idOf = async (change: Partial<Ordered> = {}, output = '/out', count = 3) => {
    const ordered = await orderedOf(change);
    return orderId({ ...layOrder('test', ordered).facts, output }, count, ordered.replaces);
  };
  const ids = [
    await idOf(),
    await idOf({ seeds: ['0', '2'] }),
    await idOf({ seeds: ['1', '0'] }),
    await idOf({ seeds: ['0'] }),
    await idOf({ seeds: ['0'], isEnsemble: false }),
    await idOf({ seeds: ['1'], isEnsemble: false }),
    await idOf({ layout: { maxShardSize: '9kB' } }),
    await idOf({ layout: { engine: 'torch' } }),
    await idOf({ plan: await loadPlan(recipe(8192) as never) }),
    await idOf({ replaces: true }),
    await idOf({}, '/other'),
    await idOf({}, '/out', 4),
  ];
  expect(new Set(ids).size).toBe(ids.length);
  for (const id of ids) expect(id).toMatch(/^[0-9a-f]{24}$/);
  expect(await idOf()).toBe(ids[0]);
});

test('an order is laid out as the checkpoint of its seed, and its bytes are those of all', async () => {
  const ordered = await orderedOf();
  const { bytes, facts } = layOrder('test', ordered);
  const [file] = virtualCheckpoint(ordered.plan, { seed: 0 }).files;
  expect(bytes).toBe(2 * (file?.size ?? 0));
  const single = layOrder('test', { ...ordered, seeds: ['7'], isEnsemble: false });
  expect(single.facts).toEqual({ ...facts, digest: virtualCheckpoint(ordered.plan, { seed: 7 }).digest });
});

test('what was packed is what it was, and nothing else is an order', async () => {
  const ordered = await orderedOf();
  expect(unpack(pack(ordered))).toEqual(JSON.parse(JSON.stringify(ordered)));
  const packed = (value: unknown) => deflateSync(JSON.stringify(value)).toString('base64');
  for (const text of [
    'x',
    packed(null),
    packed({ ...ordered, seeds: [] }),
    packed({ ...ordered, seeds: ['-1'] }),
    packed({ ...ordered, more: 1 }),
  ]) {
    expect(() => unpack(text)).toThrow('a job holds no order of nninit');
  }
});

test('jobs of other versions, streams and bytes are refused, and those of the same are not', async () => {
  const { facts } = layOrder('test', await orderedOf());
  expect([otherVersion({ version }), otherVersion(null), otherVersion({ version: 7 })]).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(otherVersion({ version: '99.0.0' })).toBe(
    `it was ordered by nninit 99.0.0, and the worker is nninit ${version}`,
  );
  expect(refusal(facts, facts)).toBeUndefined();
  expect(refusal({ ...facts, streamVersion: 9 }, facts)).toContain('stream version 9, and the worker is');
  expect(refusal({ ...facts, digest: 'f'.repeat(64) }, facts)).toMatch(/and ffffffffffff was ordered/);
});
