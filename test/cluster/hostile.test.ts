// What people and machines do to orders at the same time: other versions, other orders, a Redis that is none.
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test, vi } from 'vitest';
import { loadPlan } from '../../lib/checkpoint.js';
import { checkRedis, connect, queueName } from '../../lib/cluster/connection.js';
import type { Performer } from '../../lib/cluster/perform.js';
import { orderCheckpoint, orderEnsemble, startWorker } from '../../lib/cluster.js';
import { InputError, InterruptedError } from '../../lib/core/errors.js';
import { cluster, recipe, small } from './cluster.js';
import { hasRedis, RedisServer, unlessRedis } from './redis-server.js';

describe.skipIf(!hasRedis)(`orders and who meddles with them${unlessRedis}`, () => {
  const { folder, at, afterwards, worker, odd, order, ensemble, expected, out } = cluster();

  test('a worker of another version leaves alone what it does not understand', async () => {
    const made = await order('out', { parts: 2 });
    const redis = at.server.client();
    afterwards(async () => redis.disconnect());
    const keyOf = (name: string) => `bull:${queueName}:${name}`;
    const before = new Map<string, string>();
    for (const name of [made.id, `${made.id}-0`, `${made.id}-1`]) {
      const data = (await redis.hget(keyOf(name), 'data')) ?? '';
      before.set(name, data);
      const { output, version: _ } = JSON.parse(data);
      await redis.hset(keyOf(name), 'data', JSON.stringify({ output, version: '99.0.0', order: '?', stretch: [1, 2] }));
    }
    const messages: string[] = [];
    const waiting = made.wait({ onMessage: (text) => messages.push(text) });
    const old = await worker();
    while (messages.length === 0) await setTimeout(20);
    await setTimeout(200);
    expect(messages).toEqual([
      expect.stringMatching(/^refused: it was ordered by nninit 99\.0\.0, and the worker is nninit \d/),
    ]);
    await old.close();
    // To a worker of that version it is an order as any.
    for (const [name, data] of before) await redis.hset(keyOf(name), 'data', data);
    await worker();
    expect(await waiting).toMatchObject({ complete: true });
    expect(out('out')).toEqual(await expected());
  }, 30_000);

  test('a worker that Redis has lost sight of finishes, and whoever was given that waits for it', async () => {
    let turns = 0;
    const messages: string[] = [];
    await odd(
      (usual) => ({
        finish: async (...args) => {
          turns += 1;
          if (turns <= 2) throw new InputError(`another process is at ${args[1]}`, { path: args[1], code: 'EBUSY' });
          return usual.finish(...args);
        },
      }),
      (text) => messages.push(text),
    );
    const made = await order('out', { parts: 1 });
    expect(await made.wait()).toMatchObject({ complete: true });
    expect(messages.filter((text) => text.startsWith('finishing waits: '))).toHaveLength(1);
    const redis = at.server.client();
    expect(await redis.hget(`bull:${queueName}:${made.id}`, 'atm')).toBe('1'); // waiting is no attempt
    redis.disconnect();
    expect(out('out')).toEqual(await expected());
  }, 60_000);

  test('Redis is killed and comes back while an order is finished', async () => {
    let turns = 0;
    const slow = (usual: Performer): Partial<Performer> => ({
      finish: async (...args) => {
        turns += 1;
        if (turns === 1) {
          await at.server.kill();
          await setTimeout(1500); // longer than it takes to be lost
          await at.server.start();
          await setTimeout(1500);
        }
        return usual.finish(...args);
      },
    });
    await Promise.all([odd(slow), odd(slow)]);
    const made = await order('out', { parts: 2 });
    expect(await made.wait()).toMatchObject({ complete: true });
    expect(turns).toBeGreaterThan(0);
    expect(out('out')).toEqual(await expected());
    expect(await made.wait()).toMatchObject({ complete: true });
  }, 30_000);

  test('the same checkpoint by two orders of different parts at once, and two ensembles that share seeds', async () => {
    await Promise.all([worker(), worker(), worker()]);
    const [few, many] = await Promise.all([order('out', { parts: 3 }), order('out', { parts: 7 })]);
    expect(few.id).not.toBe(many.id);
    await Promise.all([few.wait(), many.wait()]);
    expect(out('out')).toEqual(await expected());
    const seeds = Array.from({ length: 40 }, (_, i) => i);
    const [lower, upper] = await Promise.all([
      ensemble('both', seeds.slice(0, 30), { parts: 5 }),
      ensemble('both', seeds.slice(10), { parts: 4 }),
    ]);
    await Promise.all([lower.wait(), upper.wait()]);
    expect(readdirSync(join(folder.path, 'both')).sort()).toEqual(seeds.map((seed) => `seed-${seed}`).sort());
    for (const seed of [0, 15, 39]) expect(out(`both/seed-${seed}`)).toEqual(await expected({ seed }, recipe(4096)));
  }, 30_000);

  test('other checkpoints for one folder at once: one is written whole, and the others say why they are not', async () => {
    await Promise.all([worker(), worker(), worker()]);
    const made = await Promise.all([1, 2, 3].map((seed) => order('out', { parts: 3, seed })));
    const ends = await Promise.allSettled(made.map((each) => each.wait()));
    const done = ends.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []));
    expect(done).toHaveLength(1);
    for (const end of ends) if (end.status === 'rejected') expect(String(end.reason)).toMatch(/out/);
    expect(out('out')).toEqual(await expected({ seed: done[0] }));
  }, 30_000);

  test('a relative folder is below the root of whoever writes, wherever that was started', async () => {
    await worker();
    const made = await orderCheckpoint(await loadPlan(small), 'below/out', { redis: at.server.url, seed: 42 });
    afterwards(() => made.close());
    expect(await made.wait()).toMatchObject({ path: join(folder.path, 'below', 'out', 'model.safetensors') });
    expect(out('below/out')).toEqual(await expected());
    expect(existsSync('below')).toBe(false);
  });

  test("what a worker's listener throws is no failure of an order", async () => {
    const warned = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const thrown = new Error('the log is full');
    await worker({
      onMessage: () => {
        throw thrown;
      },
    });
    const made = await order('out', { parts: 2 });
    const messages: string[] = [];
    expect(await made.wait({ onMessage: (text) => messages.push(text) })).toMatchObject({ complete: true });
    expect(messages).toEqual([]);
    expect(warned.mock.calls).toEqual([[thrown], [thrown], [thrown]]); // two parts, and the whole
    warned.mockRestore();
  });

  test('what a listener throws of a broken connection rejects its own waiting, and no other', async () => {
    const made = await order('out', { parts: 2 });
    const stopped = new AbortController();
    const thrown = new Error('the log is full');
    const waiting = made.wait({
      onMessage: () => {
        throw thrown;
      },
    });
    const broken = new Promise<string>((resolve) => {
      made.wait({ onMessage: resolve, signal: stopped.signal }).catch(() => {});
    });
    const failed = expect(waiting).rejects.toBe(thrown);
    await at.server.kill();
    await failed;
    expect(await broken).toMatch(/is broken .* and is made again$/);
    stopped.abort();
    await at.server.start();
  });

  test('all who wait for an order are told all that is said of it, and nothing twice', async () => {
    const elsewhere = await worker({ root: join(folder.path, 'elsewhere') });
    const made = await order('out', { parts: 2 });
    const told: string[][] = [[], [], []];
    const stop = new AbortController();
    const wait = (i: number, signal?: AbortSignal) =>
      made.wait({ onMessage: (text) => told[i]?.push(text), signal }).catch((cause: unknown) => cause);
    const first = wait(0, stop.signal);
    const second = wait(1);
    while (told.slice(0, 2).some((lines) => lines.length === 0)) await setTimeout(10);
    stop.abort();
    expect(await first).toBeInstanceOf(InterruptedError);
    const redis = at.server.client();
    afterwards(async () => redis.disconnect());
    await redis.rpush(`bull:${queueName}:${made.id}:logs`, 'one more');
    while ((told[1]?.length ?? 0) < 2) await setTimeout(10);
    await elsewhere.close();
    await worker();
    expect(await second).toMatchObject({ complete: true });
    expect(await wait(2)).toMatchObject({ complete: true });
    const refused = expect.stringMatching(/^refused: .* is not in /);
    expect(told).toEqual([[refused], [refused, 'one more'], []]);
  });

  test('an order of which much is said is told of to the end of its log, and again when it was made anew', async () => {
    const made = await order('out', { parts: 3 });
    const told: string[] = [];
    const waiting = made.wait({ onMessage: (text) => told.push(text) });
    const redis = at.server.client();
    afterwards(async () => redis.disconnect());
    const log = `bull:${queueName}:${made.id}:logs`;
    await redis.rpush(log, ...Array.from({ length: 998 }, (_, i) => `line ${i}`));
    while (told.length < 998) await setTimeout(10);
    const failed = new Set<number>();
    await odd(({ part }) => ({
      part: (laid, output, share, ...rest) => {
        if (failed.has(share.index)) return part(laid, output, share, ...rest);
        failed.add(share.index);
        throw new Error('the disk is tired');
      },
    }));
    while (failed.size < 3) await setTimeout(10);
    while (told.length < 1000) await setTimeout(10);
    expect(told.slice(998)).toEqual([
      expect.stringMatching(/^part [012]\/3: the disk is tired$/),
      'what more there is to say is said by the workers only',
    ]);
    expect(await redis.llen(log)).toBe(1000);
    await redis.multi().del(log).rpush(log, 'anew').exec();
    expect(await waiting).toMatchObject({ complete: true });
    expect(told.slice(1000)).toEqual(['anew']);
  });

  test('a Redis that refuses is told of, by whoever orders and by workers, which go on when it takes orders again', async () => {
    const redis = at.server.client();
    afterwards(async () => redis.disconnect());
    const made = await order('out', { parts: 2 });
    await redis.call('REPLICAOF', '127.0.0.1', '1');
    const said: string[] = [];
    await worker({ onMessage: (text) => said.push(text) });
    while (said.length === 0) await setTimeout(10);
    const asked = order('other').catch((cause: unknown) => cause);
    expect(await asked).toMatchObject({ name: 'InputError', code: 'ERR_NNINIT_REDIS' });
    const why = "READONLY You can't write against a read only replica.";
    expect(String(await asked)).toContain(`${at.server.url} refuses: ${why}`);
    await redis.call('REPLICAOF', 'NO', 'ONE');
    expect(await made.wait()).toMatchObject({ complete: true });
    expect(said.filter((text) => text.includes('refuses'))).toEqual([
      `${at.server.url} refuses, and is asked again: ${why}`,
    ]);
  }, 30_000);

  test('an order whose parts are done, and gone when it is finished, says so', async () => {
    await odd(() => ({ part: async () => 0 }));
    const made = await order('out', { parts: 2 });
    await expect(made.wait()).rejects.toThrow(
      'is not complete, though all parts were written: something else has been begun there since, or files were removed',
    );
  });

  test('what a part has done is told while it is under way', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    await odd(({ part }) => ({
      part: async (laid, output, share, signal, onProgress) => {
        onProgress(4096);
        await held;
        return part(laid, output, share, signal, onProgress);
      },
    }));
    const made = await order('out', { parts: 1 });
    const waiting = made.wait({
      onProgress: ({ bytes, parts, workers }) => {
        if (bytes === 4096 && parts === 0 && workers === 1) release(); // or the part has no end
      },
    });
    expect(await waiting).toMatchObject({ complete: true });
    expect(out('out')).toEqual(await expected());
  });

  test('an order that is closed says so', async () => {
    const made = await order('out');
    const waiting = expect(made.wait()).rejects.toThrow('wait: the order is closed');
    await made.close();
    await waiting;
    await expect(made.wait()).rejects.toThrow('wait: the order is closed');
    await expect(made.cancel()).rejects.toThrow('cancel: the order is closed');
  });

  test('a worker is closed though Redis keeps the connection and says nothing', async () => {
    const first = await worker();
    at.server.pause();
    try {
      await first.close();
    } finally {
      at.server.goOn();
    }
  });

  test('s3:// is no place for an order of many seeds, and none is no order', async () => {
    const plan = await loadPlan(small);
    const given = { redis: at.server.url, seeds: [1, 2] };
    await expect(orderEnsemble(plan, 's3://bucket/x', given)).rejects.toThrow('needs a folder');
    const none = orderEnsemble(plan, folder.path, { ...given, seeds: [] });
    await expect(none).rejects.toThrow('orderEnsemble: expected at least one seed for seeds, but received []');
    expect(existsSync('s3:')).toBe(false);
  });
});

test.skipIf(!hasRedis)(`TLS to a Redis without it, and none to one that wants it, are told${unlessRedis}`, async () => {
  const [plain, safe] = [await RedisServer.start(), await RedisServer.start({ tls: true })];
  try {
    for (const redis of [plain.url.replace('redis:', 'rediss:'), safe.url.replace('rediss:', 'redis:')]) {
      const error = await connect('orderCheckpoint', redis, () => {}, 2000).catch((cause: unknown) => cause);
      expect(error).toMatchObject({ code: 'ERR_NNINIT_REDIS' });
      expect(String(error)).toContain(`could not reach ${redis}: `);
      expect(String(error)).not.toMatch(/: $|unknown/);
    }
  } finally {
    await Promise.all([plain.stop(), safe.stop()]);
  }
});

test.skipIf(!hasRedis)(`a database that a Redis has not is no other one${unlessRedis}`, async () => {
  const server = await RedisServer.start();
  try {
    await expect(connect('orderCheckpoint', `${server.url}/99`, () => {})).rejects.toThrow(
      `could not reach ${server.url}/99: ERR DB index is out of range`,
    );
    const third = await connect('orderCheckpoint', `${server.url}/3`, () => {});
    expect(await third.redis.client('INFO')).toContain(' db=3 ');
    third.close();
  } finally {
    await server.stop();
  }
});

test.each([
  [{ root: '' }, "a folder's name for root"],
  [{ onMessage: 'x' }, 'a function for onMessage'],
  [{ threads: 0 }, 'for threads'],
  [{ lostAfterMs: 999 }, 'for lostAfterMs'],
  [{ rooot: '/' }, "did you mean 'root'?"],
] as const)('a worker with the options %j is refused before Redis is asked', async (options, what) => {
  const starting = startWorker({ redis: 'redis://127.0.0.1:1', ...options } as never);
  await expect(starting).rejects.toThrow(what);
});

test.each(['redis://h/three', 'redis://h/1/2', 'redis://:100%@h', 'rediss://', 'redis://h:99999', 'h:6379'])(
  '%s is no address of a Redis',
  (url) => {
    const said = /^orderCheckpoint: expected an address such as .* for redis, but received '\w+…'/;
    expect(() => checkRedis('orderCheckpoint', url)).toThrow(said);
    expect(() => checkRedis('orderCheckpoint', url)).toThrow(RangeError);
  },
);

test.each(['hunter2@h:6379', 'hunter2', ':hunter2@h', 'user:hunter2@h'])(
  '%s is refused without a word of what may be its password',
  (url) => {
    expect(() => checkRedis('orderCheckpoint', url)).toThrow("for redis, but received '…' of type string");
  },
);

test('what takes connections and says nothing is not waited for', async () => {
  const silent = createServer(() => {}).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  try {
    await expect(connect('orderCheckpoint', `redis://127.0.0.1:${port}`, () => {}, 200)).rejects.toThrow(
      `could not reach redis://127.0.0.1:${port}: no answer within 0.2 s (by TLS, rediss://, or without?)`,
    );
  } finally {
    silent.close();
  }
});
