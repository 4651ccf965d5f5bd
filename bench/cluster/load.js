// node bench/cluster/load.js [GIGABYTES] [CHECKPOINTS]: what the queue costs. The same work by four processes without a queue, and ordered from four workers, one thread each; orders are cut as they are where nobody says how, and once a job for each;
// bytes are made and thrown away, so that no disk has a say. Processor time is compared, of all processes and Redis: on a machine that others use too, only that
// means something, and of three rounds the one that took least. Of the large order also the time that it took, beside what simulate.js says of four workers that make as many bytes a second as those alone. Needs `npm run build` and a redis-server (Debian: redis-server, or redis-tools, where the same program has another name).
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { VirtualCheckpoint } from '../../build/modules/lib/checkpoint/virtual/virtual.js';
import { layOut } from '../../build/modules/lib/checkpoint/virtual/virtual-checkpoint.js';
import { shareOf } from '../../build/modules/lib/checkpoint/write/parts/shares.js';
import { loadPlan } from '../../build/modules/lib/checkpoint.js';
import { partsFor } from '../../build/modules/lib/cluster/cut.js';
import { orderCheckpoint, orderEnsemble } from '../../build/modules/lib/cluster/order.js';
import { layOrder, pack, unpack } from '../../build/modules/lib/cluster/order-data.js';
import { startPerforming } from '../../build/modules/lib/cluster/queue-worker.js';
import { simulate } from './simulate.js';

const redisProgram = ['redis-server', 'redis-check-rdb'].find(
  (name) => spawnSync(name, ['--version'], { argv0: 'redis-server' }).status === 0,
);
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
const self = fileURLToPath(import.meta.url);
const pieceBytes = 2 ** 22;
const count = 4;

/** Makes the bytes of parts, and keeps none. */
function intoNothing() {
  const make = async (virtual, { name }, begin, end) => {
    for (let at = begin; at < end; at += pieceBytes) {
      await virtual.read(name, at, Math.min(end, at + pieceBytes));
      await setTimeout(0); // the event loop goes on
    }
  };
  return {
    async part({ ordered, laid }, _, part) {
      const { plan, layout, seeds, isEnsemble } = ordered;
      if (!isEnsemble) {
        const virtual = VirtualCheckpoint.of(laid.set, laid.keys);
        for (const { file, begin, end } of shareOf(laid.set, part)) {
          await make(virtual, laid.set.files[file], begin, end);
        }
        return 0;
      }
      const cut = (i) => Math.floor((seeds.length * i) / part.count);
      for (const seed of seeds.slice(cut(part.index), cut(part.index + 1))) {
        const { set, keys } = layOut('load', plan, { ...layout, seed: BigInt(seed) });
        const virtual = VirtualCheckpoint.of(set, keys);
        for (const file of set.files) await make(virtual, file, 0, file.fileBytes);
      }
      return 0;
    },
    finish: async () => ({ complete: true, resumedBytes: 0 }),
    close: async () => {},
  };
}

const [role, ...args] = process.argv.slice(2);
if (role === 'worker') {
  await startPerforming({ redis: args[0], root: '/', threads: 1 }, intoNothing);
  process.on('message', () => process.send(cpuSeconds()));
  process.send('ready');
} else if (role === 'alone') {
  // A share of the work without a queue, in as many processes.
  process.on('message', async ({ packed, parts, from, to }) => {
    const order = layOrder('load', unpack(packed));
    const performer = intoNothing();
    const before = cpuSeconds();
    for (let index = from; index < to; index++) await performer.part(order, '', { index, count: parts });
    process.send(cpuSeconds() - before);
  });
  process.send('ready');
} else await main(Number(role ?? 100), Number(args[0] ?? 10_000));

function cpuSeconds() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

async function cpuOf(workers) {
  const told = workers.map((child) => once(child, 'message'));
  for (const child of workers) child.send('cpu');
  return (await Promise.all(told)).reduce((sum, [seconds]) => sum + seconds, 0);
}

async function cpuOfRedis(url) {
  const redis = new Redis(url);
  const text = await redis.info('cpu');
  redis.disconnect();
  return ['user', 'sys'].reduce(
    (sum, kind) => sum + Number(new RegExp(`used_cpu_${kind}:([\\d.]+)`).exec(text)?.[1]),
    0,
  );
}

async function children(...argv) {
  const all = Array.from({ length: count }, () =>
    spawn(process.execPath, [self, ...argv], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      env: { ...process.env, NNINIT_THREADS: '1' },
    }),
  );
  await Promise.all(all.map((child) => once(child, 'message')));
  return all;
}

async function alone(all, packed, parts) {
  const done = all.map((child) => once(child, 'message'));
  for (const [i, child] of all.entries()) {
    child.send({ packed, parts, from: Math.floor((parts * i) / count), to: Math.floor((parts * (i + 1)) / count) });
  }
  return (await Promise.all(done)).reduce((sum, [seconds]) => sum + seconds, 0);
}

async function main(gigabytes, jobs) {
  const folder = mkdtempSync(join(tmpdir(), 'nninit-load-'));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const redis = `redis://127.0.0.1:${port}`;
  const listening = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', ''];
  const server = spawn(redisProgram ?? 'redis-server', listening, { stdio: 'ignore', argv0: 'redis-server' });
  await setTimeout(1000);
  const workers = await children('worker', redis);
  const others = await children('alone');
  const rows = Math.ceil((gigabytes * 1e9) / 40 / 1024);
  const large = await loadPlan({
    tensors: Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`w${i}`, { shape: [rows, 1024], init: 'kaiming_normal' }]),
    ),
  });
  const small = (elements) => loadPlan({ tensors: { w: { shape: [elements / 64, 64], init: 'kaiming_normal' } } });
  const seeds = Array.from({ length: jobs }, (_, i) => String(i));
  const [tiny, usual] = [await small(2 ** 12), await small(2 ** 18)];
  const cases = [
    ['to begin with', usual, seeds.slice(0, 400), 100, true, 1], // what starting costs is no one's
    [`${jobs} checkpoints of 16 KiB`, tiny, seeds, partsFor(jobs * 2 ** 14, jobs), true, 3],
    [`${jobs} checkpoints of 1 MiB`, usual, seeds, partsFor(jobs * 2 ** 20, jobs), true, 3],
    [`${jobs} checkpoints of 1 MiB`, usual, seeds, jobs, true, 1],
    [`${gigabytes} GB`, large, ['0'], partsFor(gigabytes * 1e9, 1), false, 1],
  ];
  try {
    for (const [name, plan, numbers, parts, isEnsemble, rounds] of cases) {
      const packed = pack({ plan, layout: {}, seeds: numbers, isEnsemble, replaces: false });
      const used = async () => [await cpuOf(workers), await cpuOfRedis(redis), cpuSeconds()];
      const options = { redis, parts };
      let [without, by, aloneWall, wall, bytes] = [Infinity, [Infinity], 0, 0, 0];
      for (let round = 0; round < rounds; round++) {
        const began = performance.now();
        without = Math.min(without, await alone(others, packed, parts));
        aloneWall = (performance.now() - began) / 1000;
        const before = await used();
        const order = isEnsemble
          ? await orderEnsemble(plan, '/nowhere', { ...options, seeds: numbers.map(BigInt) })
          : await orderCheckpoint(plan, '/nowhere', options);
        const ordered = performance.now();
        await order.wait();
        wall = (performance.now() - ordered) / 1000;
        await order.close();
        const after = await used();
        const taken = after.map((seconds, i) => seconds - before[i]);
        if (sum(taken) < sum(by)) by = taken;
        bytes = order.bytes;
      }
      const more = sum(by) - without;
      const percent = ((100 * more) / without).toFixed(1);
      const [byWorkers, byRedis, byOrderer] = by.map((seconds) => seconds.toFixed(2));
      const parted = `workers ${byWorkers}, Redis ${byRedis}, who orders ${byOrderer}`;
      const each = `${((1000 * more) / parts).toFixed(2)} ms a job`;
      console.log(
        `${name}, ${parts} jobs: alone ${without.toFixed(2)} s of processor time; ${parted}: ${percent} % more, ${each}`,
      );
      if (isEnsemble) continue;
      const own = { bytes, partBytes: bytes / parts, workers: count, ownRate: bytes / aloneWall / count };
      const { seconds } = simulate({ ...own, storeRate: 1e15, meanLife: 1e12, finishSeconds: 0 });
      const walls = [aloneWall, wall, seconds].map((each) => each.toFixed(1));
      console.log(
        `  alone in ${walls[0]} s, by the queue in ${walls[1]} s, of which the simulation says ${walls[2]} s`,
      );
    }
  } finally {
    for (const child of [...workers, ...others]) child.kill();
    server.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}
