/** An order whose workers, Redis and ordering processes are killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadPlan, verifyCheckpoint, virtualCheckpoint } from '../../lib/checkpoint.js';
import { RedisServer } from './redis-server.js';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
const victims = ['worker', 'worker', 'worker', 'Redis', 'orderer'] as const;
type Victim = (typeof victims)[number];

export interface KilledOrders {
  /** How often each was killed. */
  readonly kills: Readonly<Record<Victim, number>>;
  /** Whole checkpoints that came of it, of so many bytes each. */
  readonly checkpoints: number;
  readonly bytes: number;
  readonly seconds: number;
  /** What was not as it must be. */
  readonly wrong: readonly string[];
}

/** Of about so many bytes, in shards of a fifth, with a tensor that is made whole. */
export function recipeOf(bytes: number): object {
  const rows = Math.ceil(bytes / 40 / 1024);
  const tensors = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`w${i}`, { shape: [rows + i, 1024], init: 'kaiming_normal' }]),
  );
  return { tensors: { ...tensors, q: { shape: [512, 512], init: 'orthogonal' } } };
}

/** A process that is started again whenever it ends, until it is told to stop. */
class Kept {
  readonly #start: () => ChildProcess;
  readonly #until: (code: number | null, stderr: string) => boolean;
  #child: ChildProcess | undefined;
  #stopped = false;
  readonly ended: Promise<void>;

  constructor(args: readonly string[], env: object, until: (code: number | null, stderr: string) => boolean) {
    this.#start = () =>
      spawn(process.execPath, [main, ...args], {
        stdio: ['ignore', 'ignore', 'pipe'],
        env: { ...process.env, ...env },
      });
    this.#until = until;
    this.ended = this.#keep();
  }

  async #keep(): Promise<void> {
    while (!this.#stopped) {
      const child = this.#start();
      this.#child = child;
      let stderr = '';
      child.stderr?.on('data', (piece: Buffer) => {
        stderr += piece;
      });
      const [code] = (await once(child, 'close')) as [number | null];
      if (this.#until(code, stderr)) return;
      await setTimeout(50); // Redis may be away
    }
  }

  kill(): boolean {
    return this.#child?.kill('SIGKILL') ?? false;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#child?.kill('SIGKILL');
    await this.ended;
  }
}

/**
 * Orders checkpoints of so many bytes, one after another, until so many processes were killed: four workers, of which each is started again; the process
 * that orders, which is run again; and Redis, which comes back with what it has written down. Every byte is checked in the end, and that nothing else is left.
 */
export async function killOrders(root: string, kills: number, bytes: number, pauseMs: number): Promise<KilledOrders> {
  const recipe = join(root, 'recipe.json');
  writeFileSync(recipe, JSON.stringify(recipeOf(bytes)));
  const plan = await loadPlan(recipe);
  const shards = ['--max-shard-size', String(Math.ceil(bytes / 5))];
  const { files } = virtualCheckpoint(plan, { maxShardSize: Math.ceil(bytes / 5) });
  const server = await RedisServer.start();
  const env = { REDIS_URL: server.url };
  const folder = join(root, 'out');
  const counts = { worker: 0, Redis: 0, orderer: 0 };
  const wrong: string[] = [];
  let checkpoints = 0;
  const start = performance.now();
  const worker = ['worker', '--redis', '--root', root, '--threads', '1', '--lost-after', '1', '--quiet'];
  const workers = Array.from({ length: 4 }, () => new Kept(worker, env, () => false));
  const done = () => Object.values(counts).reduce((sum, n) => sum + n, 0) >= kills;
  try {
    while (!done()) {
      rmSync(folder, { recursive: true, force: true });
      let isComplete = false;
      const order = ['generate', recipe, '-o', folder, '--redis', '--parts', '24', '--quiet', ...shards];
      const orderer = new Kept(order, env, (code, stderr) => {
        isComplete = code === 0;
        // Killed, or Redis is away; whatever else is said is a fault.
        const isWrong = code !== null && code !== 0 && !stderr.includes('could not reach');
        if (isWrong) wrong.push(stderr.trim());
        return isComplete || isWrong;
      });
      while (!isComplete && wrong.length === 0 && !done()) {
        await Promise.race([orderer.ended, setTimeout(pauseMs * (0.2 + 1.6 * Math.random()))]);
        if (isComplete || wrong.length > 0) break;
        const victim = victims[Math.floor(Math.random() * victims.length)] ?? 'worker';
        const isKilled =
          victim === 'Redis' || (victim === 'worker' ? workers[Math.floor(Math.random() * 4)] : orderer)?.kill();
        if (victim === 'Redis') {
          await server.kill();
          await setTimeout(200 * Math.random());
          await server.start();
        }
        if (isKilled) counts[victim] += 1;
      }
      await orderer.ended;
      if (wrong.length > 0) break;
      checkpoints += 1;
      wrong.push(...(await differences(folder, files, plan)));
    }
    const left = await unfinishedJobs(server);
    if (left > 0) wrong.push(`${left} jobs are left`);
  } finally {
    await Promise.all(workers.map((each) => each.stop()));
    await server.stop();
  }
  return { kills: counts, checkpoints, bytes: plan.bytes, seconds: (performance.now() - start) / 1000, wrong };
}

type Files = ReturnType<typeof virtualCheckpoint>['files'];

async function differences(
  folder: string,
  files: Files,
  plan: Awaited<ReturnType<typeof loadPlan>>,
): Promise<string[]> {
  const there = readdirSync(folder).map((name) => `${name} ${statSync(join(folder, name)).size}`);
  const meant = files.map(({ name, size }) => `${name} ${size}`);
  if (there.sort().join() !== meant.sort().join()) return [`expected ${meant.join()}, but there is ${there.join()}`];
  const report = await verifyCheckpoint(folder, { plan });
  return report.ok ? [] : [JSON.stringify(report.differences.slice(0, 3))];
}

/** Of an order that is done: its own job is kept for an hour, and no other. */
async function unfinishedJobs(server: RedisServer): Promise<number> {
  const redis = server.client();
  try {
    const states = ['wait', 'active', 'prioritized', 'delayed', 'waiting-children', 'failed'];
    const count = async (state: string) => {
      const key = `bull:nninit:${state}`;
      return ['wait', 'active'].includes(state) ? redis.llen(key) : redis.zcard(key);
    };
    const counts = await Promise.all(states.map(count));
    return counts.reduce((sum, n) => sum + n, 0);
  } finally {
    redis.disconnect();
  }
}
