// Orders and workers over a Redis of our own: what is written, and what becomes of it where something goes wrong.
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { describe, expect, test, vi } from 'vitest';
import { loadPlan, writeCheckpoint, writeEnsemble } from '../../lib/checkpoint.js';
import { queueName } from '../../lib/cluster/connection.js';
import { type OrderProgress, orderCheckpoint, startWorker } from '../../lib/cluster.js';
import { contentOf } from '../checkpoint/temporary.js';
import { cluster, recipe, small } from './cluster.js';
import { hasRedis, RedisServer, unlessRedis } from './redis-server.js';

describe.skipIf(!hasRedis)(`orders over Redis${unlessRedis}`, () => {
  const { folder, at, afterwards, worker, order, ensemble, expected, out } = cluster();

  test.each([
    ['one file', { parts: 5 }, {}],
    ['shards', { parts: 3, maxShardSize: '1MB' }, { maxShardSize: '1MB' }],
    ['npy', { parts: 2, format: 'npy' }, { format: 'npy' }],
    ['the engine torch', { parts: 4, engine: 'torch' }, { engine: 'torch' }],
  ])('several workers write what one process writes: %s', async (_, options, alone) => {
    const seen: OrderProgress[] = [];
    const made = await order('out', options);
    let waiting: Promise<unknown> = Promise.resolve();
    await new Promise<void>((resolve) => {
      const onProgress = (progress: OrderProgress) => {
        seen.push(progress);
        resolve();
      };
      waiting = made.wait({ onProgress });
    });
    await Promise.all([worker(), worker(), worker()]);
    expect(await waiting).toMatchObject({ complete: true, bytes: made.bytes, resumedBytes: 0 });
    const nothing = { bytes: 0, totalBytes: made.bytes, parts: 0, totalParts: options.parts, workers: 0 };
    expect(seen[0]).toEqual(nothing);
    for (const { bytes, parts, workers } of seen) {
      expect([bytes <= made.bytes, parts <= options.parts, workers <= 3]).toEqual([true, true, true]);
    }
    expect(out('out')).toEqual(await expected(alone));
  });

  test('an object of options may be changed for the next order at once', async () => {
    await worker();
    const plan = await loadPlan(small);
    const options = { redis: at.server.url, seed: 0 };
    const orders = [1, 2].map((seed) => {
      options.seed = seed;
      return orderCheckpoint(plan, join(folder.path, `out-${seed}`), options);
    });
    for (const made of await Promise.all(orders)) {
      afterwards(() => made.close());
      await made.wait();
    }
    for (const seed of [1, 2]) expect(out(`out-${seed}`)).toEqual(await expected({ seed }));
  });

  test.each([{}, { engine: 'torch', format: 'npy' }] as const)('an ensemble: %j', async (layout) => {
    await Promise.all([worker(), worker()]);
    const plan = await loadPlan(recipe(4096));
    const seeds = Array.from({ length: 9 }, (_, i) => i * 7);
    const path = join(folder.path, 'out');
    const made = await ensemble('out', seeds, { parts: 4, ...layout });
    const files = 9 * ('format' in layout ? 3 : 1);
    expect(await made.wait()).toMatchObject({ path, files, bytes: made.bytes, resumedBytes: 0 });
    const alone = await writeEnsemble(plan, join(folder.path, 'expected'), { seeds, ...layout });
    expect(alone.bytes).toBe(made.bytes);
    expect(readdirSync(path).sort()).toEqual(seeds.map((seed) => `seed-${seed}`).sort());
    for (const seed of seeds) expect(out(`out/seed-${seed}`)).toEqual(out(`expected/seed-${seed}`));
  });

  test('an order tells how many bytes of tensors were there before it', async () => {
    await worker();
    const plan = await loadPlan(small);
    await writeCheckpoint(plan, join(folder.path, 'out'), { seed: 42, part: { index: 1, count: 4 } });
    const { resumedBytes } = await (await order('out', { parts: 8 })).wait();
    expect(resumedBytes).toBe(2 ** 20); // a quarter of some 4 MiB
    const complete = await (await order('out', { parts: 3 })).wait();
    expect(complete.resumedBytes).toBe(plan.bytes);
    const seeds = [1, 2, 3];
    await (await ensemble('many', seeds.slice(1))).wait();
    const some = await (await ensemble('many', seeds, { parts: 2 })).wait();
    expect(some.resumedBytes).toBe(2 * (await loadPlan(recipe(4096))).bytes);
  });

  test('orders of the same at once are one, and a later one finds it complete', async () => {
    const made = await Promise.all([
      order('out', { parts: 6 }),
      order('out', { parts: 6 }),
      order('out', { parts: 6 }),
    ]);
    expect(new Set(made.map(({ id }) => id)).size).toBe(1);
    const messages: string[] = [];
    await worker({ onMessage: (text) => messages.push(text) });
    await Promise.all(made.map((each) => each.wait()));
    expect(messages.filter((text) => text.startsWith('part'))).toHaveLength(6);
    expect(out('out')).toEqual(await expected());
    expect(await (await order('out', { parts: 6 })).wait()).toMatchObject({ complete: true });
    expect(out('out')).toEqual(await expected());
  });

  test('two orders at once, and the one with the lower priority number first', async () => {
    const [later, sooner] = [
      await order('later', { parts: 3, priority: 20 }),
      await order('sooner', { parts: 3, priority: 2 }),
    ];
    const messages: string[] = [];
    await worker({ onMessage: (text) => messages.push(text) });
    await Promise.all([later.wait(), sooner.wait()]);
    const places = messages.filter((text) => text.startsWith('part')).map((text) => /\/(\w+) in/.exec(text)?.[1]);
    expect(places).toEqual(['sooner', 'sooner', 'sooner', 'later', 'later', 'later']);
    for (const name of ['later', 'sooner']) expect(out(name)).toEqual(await expected());
  });

  test('another checkpoint that is there is a reason to fail, and is replaced if told', async () => {
    await worker();
    const path = join(folder.path, 'out');
    await writeCheckpoint(await loadPlan(small), path, { seed: 1 });
    const before = contentOf(path);
    await expect((await order('out')).wait()).rejects.toThrow(/part 0: .*is there, from another plan, seed or version/);
    expect(contentOf(path)).toEqual(before);
    await (await order('out', { existing: 'replace', parts: 3 })).wait();
    expect(contentOf(path)).toEqual(await expected());
  });

  test('what the system refuses is tried again, and told', async () => {
    mkdirSync(join(folder.path, 'taken'), { recursive: true });
    const { writeFileSync } = await import('node:fs');
    writeFileSync(join(folder.path, 'taken', 'out'), ''); // a file where the folder is to be
    await worker();
    const messages: string[] = [];
    const waiting = (await order('taken/out')).wait({ onMessage: (text) => messages.push(text) });
    for (let tries = 0; messages.length === 0 && tries < 100; tries++) await setTimeout(50);
    rmSync(join(folder.path, 'taken', 'out'));
    expect(await waiting).toMatchObject({ complete: true });
    expect(messages[0]).toMatch(/^part 0\/1: .*(EEXIST|ENOTDIR|file|directory)/i);
    expect(out('taken/out')).toEqual(await expected());
  });

  test('cancelling ends parts that wait and those under way, and the same order goes on later', async () => {
    const large = recipe(2 ** 26); // 256 MiB: some parts are under way
    const made = await order('out', { parts: 64 }, large);
    const first = await worker({ threads: 1 });
    const waiting = made.wait({
      onProgress: ({ parts }) => {
        if (parts > 1) made.cancel().catch(() => {});
      },
    });
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_NNINIT_INTERRUPTED', resumable: true });
    await made.cancel();
    await first.close();
    const queue = new Queue(queueName, { connection: at.server.client() as never });
    expect(await queue.getJobCountByTypes('wait', 'active', 'prioritized', 'delayed', 'waiting-children')).toBe(0);
    await queue.disconnect();
    expect(readdirSync(join(folder.path, 'out'))).not.toContain('model.safetensors');
    await worker();
    await (await order('out', { parts: 64 }, large)).wait();
    expect(out('out')).toEqual(await expected({}, large));
  }, 60_000);

  test('a worker that is closed gives its part back at once', async () => {
    const large = recipe(2 ** 25);
    const made = await order('out', { parts: 1 }, large);
    const first = await worker({ threads: 1, lostAfterMs: 60_000 });
    const waiting = made.wait({ onProgress: ({ workers }) => workers > 0 && first.close() });
    await setTimeout(300);
    await first.close();
    await worker({ lostAfterMs: 60_000 });
    await waiting;
    expect(out('out')).toEqual(await expected({}, large));
  });

  test('a worker refuses what others have ordered by another version or plan, and places outside of its root', async () => {
    const path = join(folder.path, 'out');
    const redis = at.server.client();
    afterwards(async () => redis.disconnect());
    const messages: string[] = [];
    const made = await order('out');
    const elsewhere = await orderCheckpoint(await loadPlan(small), '/elsewhere/out', { redis: at.server.url });
    afterwards(() => elsewhere.close());
    const change = async (key: string, facts: object) => {
      const data = JSON.parse((await redis.hget(`bull:${queueName}:${key}`, 'data')) ?? '');
      await redis.hset(`bull:${queueName}:${key}`, 'data', JSON.stringify({ ...data, ...facts }));
    };
    await change(`${made.id}-0`, { streamVersion: 2 });
    const waiting = made.wait({ onMessage: (text) => messages.push(text) });
    const said: string[] = [];
    const first = await worker({ onMessage: (text) => said.push(text) });
    for (let tries = 0; messages.length === 0 && tries < 100; tries++) await setTimeout(50);
    await setTimeout(200);
    expect(messages[0]).toMatch(
      /^refused: it was ordered by nninit .*, stream version 2, and the worker is nninit .* 1$/,
    );
    expect(said.some((text) => text.startsWith('refused: /elsewhere/out is not in '))).toBe(true);
    await first.close();
    await change(`${made.id}-0`, { streamVersion: 1, digest: 'f'.repeat(64) });
    const second = await worker({ onMessage: (text) => said.push(text) });
    for (let tries = 0; messages.length === 1 && tries < 100; tries++) await setTimeout(50);
    expect(messages[1]).toMatch(/^refused: its plan makes [0-9a-f]{12} by the worker .* and ffffffffffff was ordered/);
    await second.close();
    expect(() => readdirSync(path)).toThrow('ENOENT');
    await made.cancel();
    await expect(waiting).rejects.toThrow('interrupted');
  });

  test('why an order is refused is told to whoever orders the same once more', async () => {
    await worker();
    const plan = await loadPlan(small);
    for (let turn = 0; turn < 2; turn++) {
      const elsewhere = await orderCheckpoint(plan, '/elsewhere/again', { redis: at.server.url, parts: 2 });
      afterwards(() => elsewhere.close());
      const stop = new AbortController();
      const messages: string[] = [];
      const onMessage = (text: string) => {
        messages.push(text);
        stop.abort('told');
      };
      const signal = AbortSignal.any([stop.signal, AbortSignal.timeout(20_000)]);
      await expect(elsewhere.wait({ onMessage, signal })).rejects.toThrow('interrupted');
      expect(messages).toEqual([expect.stringMatching(/^refused: \/elsewhere\/again is not in /)]);
      await elsewhere.cancel();
    }
  });

  test('jobs that are none of ours are failed, and workers go on', async () => {
    const queue = new Queue(queueName, { connection: at.server.client() as never });
    afterwards(() => queue.disconnect());
    const jobs = await Promise.all([
      queue.add('part', { output: '/etc', index: -1 }),
      queue.add('finish', { order: 'x' }),
      queue.add('rm', null),
    ]);
    await worker();
    await (await order('out')).wait();
    for (const { id } of jobs) expect(await queue.getJobState(id ?? '')).toBe('failed');
    expect(out('out')).toEqual(await expected());
  });

  test('Redis is killed and comes back, with what it knew or without', async () => {
    const large = recipe(2 ** 26);
    await Promise.all([worker(), worker()]);
    for (const forgets of [false, true]) {
      const messages: string[] = [];
      const name = `out-${forgets}`;
      const made = await order(name, { parts: 32 }, large);
      let [killed, back] = [false, Promise.resolve()];
      const restart = async () => {
        await at.server.kill();
        await setTimeout(300);
        if (forgets) rmSync(join(at.server.folder, 'appendonlydir'), { recursive: true, force: true });
        await at.server.start();
      };
      await made.wait({
        onMessage: (text) => messages.push(text),
        onProgress: ({ parts }) => {
          if (parts < 2 || killed) return;
          killed = true;
          back = restart();
        },
      });
      await back;
      expect(killed).toBe(true);
      expect(messages.some((text) => text.includes('is broken'))).toBe(true);
      expect(messages.some((text) => text.includes('ordered again'))).toBe(forgets);
      expect(out(name)).toEqual(await expected({}, large));
    }
  }, 90_000);

  test('a connection that breaks while answers are coming is asked again', async () => {
    const cut = Object.assign(new Error('Command aborted due to connection close'), { name: 'AbortError' });
    const { Queue } = await import('bullmq');
    const spy = vi.spyOn(Queue.prototype, 'getJobState').mockRejectedValueOnce(cut);
    const made = await order('out', { parts: 2 });
    await worker();
    spy.mockRejectedValueOnce(cut);
    expect(await made.wait()).toMatchObject({ complete: true });
    expect(spy.mock.calls.length).toBeGreaterThan(2);
    spy.mockRestore();
    expect(out('out')).toEqual(await expected());
  });

  test('options that make no sense', async () => {
    const plan = await loadPlan(small);
    const wrong = (options: object, path = '/x') => orderCheckpoint(plan, path, { redis: at.server.url, ...options });
    await expect(wrong({ parts: 0 })).rejects.toThrow('parts');
    await expect(wrong({ priority: 0 })).rejects.toThrow('priority');
    await expect(wrong({ existing: 'refuse' })).rejects.toThrow("'resume', 'replace'");
    await expect(wrong({ part: 1 })).rejects.toThrow("did you mean 'parts'?");
    await expect(wrong({}, 's3://bucket/x')).rejects.toThrow('needs a folder');
    await expect(wrong({}, 'http://host/x')).rejects.toThrow(
      "a folder to write to, or s3://bucket/prefix, but received 'http://host/x'",
    );
    await expect(wrong({ redis: 'http://:secret@host' })).rejects.toThrow("received 'http…'");
    await expect(wrong({ redis: 'redis://:secret@127.0.0.1:1' })).rejects.toThrow(
      'could not reach redis://127.0.0.1:1: connect ECONNREFUSED',
    );
    await expect(startWorker({ redis: at.server.url, lostAfterMs: 1 })).rejects.toThrow('lostAfterMs');
  });
});

test.skipIf(!hasRedis)(
  `passwords and TLS by the address, and nothing secret in jobs and messages${unlessRedis}`,
  async () => {
    const password = 'k9-s3cret';
    const server = await RedisServer.start({ password });
    const messages: string[] = [];
    try {
      const onMessage = (text: string) => messages.push(text);
      const worker = await startWorker({ redis: server.url, root: server.folder, onMessage });
      const order = await orderCheckpoint(await loadPlan(small), join(server.folder, 'out'), { redis: server.url });
      await order.wait({ onMessage });
      expect(await server.everything()).not.toContain(password);
      expect([worker.redis, ...messages].join()).not.toContain(password);
      await Promise.all([worker.close(), order.close()]);
      const wrong = startWorker({ redis: server.url.replace(password, 'wr0ng-one'), root: server.folder });
      const error = await wrong.catch((cause: unknown) => cause);
      expect(String(error)).toMatch(/could not reach redis:\/\/127.*WRONGPASS/);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('wr0ng-one');
    } finally {
      await server.stop();
    }
  },
);
