import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type LoadedPlan,
  loadPlan,
  PoolClosedError,
  streamCheckpoint,
  verifyCheckpoint,
  virtualCheckpoint,
  writeCheckpoint,
  writeEnsemble,
} from '../../lib/checkpoint.js';
import { createPool, empty, init } from '../../lib/index.js';
import { Host } from '../../lib/pool/host.js';
import { tensorDifferences, tensorReport } from '../../lib/report.js';
import { bytes, generator, sleep } from './cases.js';

describe('close', () => {
  test('waits for running work', async () => {
    const own = createPool({ threads: 1 });
    const w = own.empty([3_000_000]);
    const running = own.init.normal_(w, { generator: generator() });
    const list = own.fill([{ tensor: empty([200_000]), initializer: 'ones' }]);
    await own.close();
    await running;
    expect(await list).toEqual({ tensors: 1, elements: 200_000, bytes: 800_000 });
    expect(bytes(w).equals(bytes(init.normal_(empty([3_000_000]), { generator: generator() })))).toBe(true);
    await own.close();
  });

  test('drops it by force, and nothing writes afterwards', async () => {
    const own = createPool({ threads: 2 });
    const w = own.empty([1200, 1200]);
    const running = [
      own.init.orthogonal_(w),
      own.init.normal_(empty([9_000_000])),
      own.fill([{ tensor: own.empty([40_000_000]), initializer: 'normal' }]),
    ].map((each) => each.catch((error: Error) => error.message));
    await sleep(3);
    await own.close({ force: true });
    expect(await Promise.all(running)).toEqual(Array(3).fill('the pool was closed by force'));
    const before = bytes(w);
    await sleep(20);
    expect(bytes(w).equals(before)).toBe(true);
  });

  test('await using closes', async () => {
    let kept: ReturnType<typeof createPool>;
    {
      await using own = createPool({ threads: 1 });
      kept = own;
      await own.init.ones_(empty([3]));
    }
    await expect(kept.init.ones_(empty([3]))).rejects.toThrow('ones_: the pool is closed');
  });
});

describe('ends no thread that has not loaded yet, which Node 20 takes the whole process down for', () => {
  test.each([0, 4])('beside %i tasks, which another thread is through with', async (tasks) => {
    const folder = mkdtempSync(join(tmpdir(), 'nninit-'));
    process.env.NNINIT_TEST_SLOW = folder;
    try {
      const host = new Host(2, () => undefined, 0, fileURLToPath(new URL('./slow.mjs', import.meta.url)));
      const running = Array.from({ length: tasks }, () => host.run({ kind: 'ping' }));
      const closed = host.close().then(() => existsSync(join(folder, 'loaded')));
      // The slow thread may go on when the pool is closed, which is wrong, or some time after the other has done its part.
      const first = tasks === 0 ? Promise.resolve() : Promise.race(running);
      await Promise.race([closed, first.then(() => sleep(300))]);
      writeFileSync(join(folder, 'go'), '');
      expect(await closed).toBe(true);
      await Promise.allSettled(running);
    } finally {
      delete process.env.NNINIT_TEST_SLOW;
      rmSync(folder, { recursive: true });
    }
  });
});

test('close waits for no thread that said what it had to say before anybody asked', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'nninit-'));
  process.env.NNINIT_TEST_LATER = folder;
  try {
    const host = new Host(1, () => undefined, 0, fileURLToPath(new URL('./later.mjs', import.meta.url)));
    await once(host.piscina, 'error');
    await once(host.piscina, 'error'); // of the one that was to replace it
    expect(host.piscina.threads).toHaveLength(0);
    await host.piscina.run({ kind: 'ping' }); // by a thread that Piscina starts for it
    await host.run({ kind: 'ping' });
    await host.close();
    expect(host.piscina.threads).toHaveLength(0);
  } finally {
    delete process.env.NNINIT_TEST_LATER;
    rmSync(folder, { recursive: true });
  }
});

describe('close while a call of many tasks is under way', () => {
  const folder = mkdtempSync(join(tmpdir(), 'nninit-close-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  // 120 MB, so several tasks; what is made whole needs one task after another.
  let plan: LoadedPlan;
  beforeAll(async () => {
    plan = await loadPlan({
      tensors: {
        a: { shape: [3000, 5000], init: 'normal' },
        b: { shape: [3000, 4900], init: 'normal' },
        whole: { shape: [300, 300], init: 'orthogonal' },
      },
    });
  });

  async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  test('reads, streams, writes and iterables go on to their ends', async () => {
    const own = createPool({ threads: 2 });
    const virtual = virtualCheckpoint(plan, { seed: 1 });
    const { name, size } = virtual.files[0] as { name: string; size: number };
    const stream = streamCheckpoint(plan, { seed: 1, pool: own });
    const first = await stream.next();
    const out = join(folder, 'whole');
    async function* items() {
      for (let i = 0; i < 50; i++) yield { tensor: own.empty([40_000]), initializer: 'normal' as const };
    }
    const all = [
      virtual.read(name, 0, size, { pool: own }),
      writeCheckpoint(plan, out, { seed: 1, pool: own }),
    ] as const;
    const list = own.fill(items());
    const closed = own.close();
    for (const late of [
      () => virtual.read(name, 0, size, { pool: own }),
      () => writeCheckpoint(plan, join(folder, 'late'), { pool: own }),
      () => streamCheckpoint(plan, { pool: own }).next(),
      () => own.fill([]),
      () => own.init.ones_(empty([3])),
    ]) {
      await expect(late()).rejects.toMatchObject({ code: 'ERR_NNINIT_POOL_CLOSED' });
    }
    expect(readdirSync(folder)).not.toContain('late');
    const [read, written] = await Promise.all(all);
    expect(written).toMatchObject({ tensors: 3, resumedBytes: 0 });
    expect(await list).toMatchObject({ tensors: 50 });
    const rest = await collect(stream);
    await closed;
    const expected = await virtual.read(name, 0, size);
    expect(Buffer.from(read).equals(Buffer.from(expected))).toBe(true);
    expect(Buffer.concat([first.value as Uint8Array, rest]).equals(Buffer.from(expected))).toBe(true);
  });

  test('verifications, reports and ensembles go on to their ends, and later ones are refused', async () => {
    const own = createPool({ threads: 2 });
    const out = join(folder, 'looked-at');
    await writeCheckpoint(plan, out, { seed: 1 });
    const [members, late] = [join(folder, 'members'), join(folder, 'late-members')];
    const seeds = Array.from({ length: 12 }, (_, i) => i);
    const small = await loadPlan({ tensors: { a: { shape: [100, 100], init: 'normal' } } });
    const begin = (to: string) => [
      verifyCheckpoint(out, { pool: own }),
      tensorReport(plan, { pool: own }),
      tensorDifferences(plan, out, { pool: own, seeds: [1, 0] }),
      writeEnsemble(small, to, { pool: own, seeds }),
    ];
    const all = begin(members);
    const closed = own.close();
    for (const each of begin(late)) await expect(each).rejects.toMatchObject({ code: 'ERR_NNINIT_POOL_CLOSED' });
    const [verified, report, differences] = await Promise.all(all);
    expect(verified).toMatchObject({ ok: true, tensors: 3 });
    expect(report).toMatchObject({ tensors: [{}, {}, {}] });
    expect(differences).toMatchObject([{ differing: 0 }, { differing: 0 }, { differing: 0 }]);
    expect(readdirSync(members)).toHaveLength(seeds.length);
    expect(readdirSync(folder)).not.toContain('late-members');
    await closed;
    expect(own.statistics().threads).toBe(0);
  });

  test('a verification by a pool that is closed by force is told so', async () => {
    const own = createPool({ threads: 2 });
    const out = join(folder, 'forcibly');
    await writeCheckpoint(plan, out, { seed: 1 });
    const onProgress = () => void own.close({ force: true });
    const verifying = verifyCheckpoint(out, { pool: own, onProgress });
    await expect(verifying).rejects.toThrow('the pool was closed by force');
  });

  test('waits for a stream that is given up', async () => {
    const own = createPool({ threads: 1 });
    const stream = streamCheckpoint(plan, { pool: own });
    await stream.next();
    let closed = false;
    const closing = own.close().then(() => {
      closed = true;
    });
    await sleep(50);
    expect(closed).toBe(false);
    await stream.return();
    await closing;
  });

  test('by force: each rejects with an error of its own, and a stream that nobody takes holds nothing up', async () => {
    const own = createPool({ threads: 2 });
    const stream = streamCheckpoint(plan, { pool: own });
    await stream.next();
    const out = join(folder, 'forced');
    let begun = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const writing = writeCheckpoint(plan, out, { seed: 1, pool: own, onProgress: begun }).catch((error) => error);
    await started;
    await own.close({ force: true });
    const error = await writing;
    expect(error).toBeInstanceOf(PoolClosedError);
    expect(error).toMatchObject({ code: 'ERR_NNINIT_POOL_CLOSED', resumable: false });
    expect(readdirSync(folder)).not.toContain('forced');
    await expect(collect(stream)).rejects.toThrow(PoolClosedError);
  });

  test('by force, once something is worth keeping: the error says that it is resumable', async () => {
    const own = createPool({ threads: 2 });
    const out = join(folder, 'resumable');
    let shards = (): void => undefined;
    const some = new Promise<void>((resolve) => {
      shards = resolve;
    });
    const options = { seed: 1, maxShardSize: 62_000_000 };
    const onProgress = (): void => {
      if (readdirSync(out).some((name) => name.startsWith('model-00001'))) shards();
    };
    const writing = writeCheckpoint(plan, out, { ...options, pool: own, onProgress }).catch((error) => error);
    await Promise.race([some, writing]);
    await own.close({ force: true });
    const error = await writing;
    if (!(error instanceof PoolClosedError)) return expect(error).toMatchObject({ tensors: 3 }); // all was written before the pool closed
    expect(error.resumable).toBe(true);
    expect(await writeCheckpoint(plan, out, { ...options, existing: 'resume' })).toMatchObject({ tensors: 3 });
  });
});
