/** Writing to a store that breaks down, by a process that is killed. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadPlan, virtualCheckpoint } from '../../../../lib/checkpoint.js';
import { type Fault, S3Server } from './server.js';

const main = fileURLToPath(new URL('../../../../dist/lib/cli/main.js', import.meta.url));
const faults: readonly Fault[] = ['500', '503', 'reset', 'lost', 'cut'];
const victims = ['writer', 'writer', 'writer', 'store'] as const;

export interface KilledWrites {
  /** How often each was killed. */
  readonly kills: Readonly<Record<(typeof victims)[number], number>>;
  /** Requests that were answered otherwise than they should be. */
  readonly faults: number;
  readonly requests: number;
  /** Whole checkpoints that came of it, of so many bytes each. */
  readonly checkpoints: number;
  readonly bytes: number;
  readonly seconds: number;
  /** What was not as it must be. */
  readonly wrong: readonly string[];
}

/** Of about so many bytes, in shards of a fifth, with a tensor that is made whole. */
function recipeOf(bytes: number): object {
  const rows = Math.ceil(bytes / 40 / 1024);
  const tensors = Object.fromEntries(
    Array.from({ length: 10 }, (_, i) => [`w${i}`, { shape: [rows + i, 1024], init: 'kaiming_normal' }]),
  );
  return { tensors: { ...tensors, q: { shape: [512, 512], init: 'orthogonal' } } };
}

/**
 * Writes checkpoints of so many bytes, one after another, until so many processes were killed: the one that writes, which is run again with --resume, and the store,
 * which comes back with what it has. Of its answers `faulty`, a share, fail in each of the ways that stores do. Every byte is checked in the end, and that nothing else is left.
 */
export async function killWrites(
  root: string,
  { kills, bytes, pauseMs, faulty }: { kills: number; bytes: number; pauseMs: number; faulty: number },
): Promise<KilledWrites> {
  const recipe = join(root, 'recipe.json');
  writeFileSync(recipe, JSON.stringify(recipeOf(bytes)));
  const plan = await loadPlan(recipe);
  const maxShardSize = Math.ceil(bytes / 5);
  const expected = await contentOf(virtualCheckpoint(plan, { maxShardSize }));
  const server = await new S3Server().open();
  const { port } = new URL(server.endpoint);
  let failed = 0;
  server.fault = () => {
    if (Math.random() >= faulty) return 'none';
    failed += 1;
    return faults[Math.floor(Math.random() * faults.length)] ?? 'none';
  };
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret', AWS_REGION: 'us-east-1' };
  const args = ['generate', recipe, '-o', 's3://bucket/out', '--resume', '--quiet', '--max-shard-size'];
  const write = () =>
    spawn(process.execPath, [main, ...args, String(maxShardSize)], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env, AWS_ENDPOINT_URL_S3: server.endpoint },
    });
  const counts = { writer: 0, store: 0 };
  const done = () => counts.writer + counts.store >= kills;
  const wrong: string[] = [];
  let checkpoints = 0;
  const start = performance.now();
  try {
    while (!done()) {
      server.objects.clear();
      for (let isComplete = false; !isComplete && wrong.length === 0; ) {
        const writer = write();
        const ended = endOf(writer);
        while (writer.exitCode === null && writer.signalCode === null && !done()) {
          await Promise.race([ended, setTimeout(pauseMs * (0.2 + 1.6 * Math.random()))]);
          if (writer.exitCode !== null) break;
          const victim = victims[Math.floor(Math.random() * victims.length)] ?? 'writer';
          if (victim === 'store') {
            await server.close();
            await setTimeout(500 * Math.random());
            await server.open(Number(port));
          } else if (!writer.kill('SIGKILL')) continue;
          else await ended;
          counts[victim] += 1;
        }
        const { code, stderr } = await ended;
        isComplete = code === 0;
        if (code !== 0 && code !== null) wrong.push(stderr.trim());
        if (server.objects.has('out/model.safetensors.index.json')) wrong.push(...differences(server, expected));
      }
      if (wrong.length > 0) break;
      if (server.uploads.size > 0) wrong.push(`${server.uploads.size} uploads are left`);
      checkpoints += 1;
    }
  } finally {
    await server.close();
  }
  const seconds = (performance.now() - start) / 1000;
  return { kills: counts, faults: failed, requests: server.log.length, checkpoints, bytes: plan.bytes, seconds, wrong };
}

async function endOf(child: ChildProcess): Promise<{ readonly code: number | null; readonly stderr: string }> {
  let stderr = '';
  child.stderr?.on('data', (piece: Buffer) => {
    stderr += piece;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stderr };
}

/** Names and digests, as S3Server tells them. */
async function contentOf(virtual: ReturnType<typeof virtualCheckpoint>): Promise<Record<string, string>> {
  const content: Record<string, string> = {};
  for (const { name, size } of virtual.files) {
    const hash = createHash('sha256');
    for (let at = 0; at < size; at += 2 ** 24) hash.update(await virtual.read(name, at, Math.min(size, at + 2 ** 24)));
    content[name] = hash.digest('hex');
  }
  return content;
}

/** Where the index is, all of the checkpoint must be, and nothing else. */
function differences(server: S3Server, expected: Readonly<Record<string, string>>): string[] {
  const there = server.content('out/');
  const names = [...new Set([...Object.keys(there), ...Object.keys(expected)])];
  return names.filter((name) => there[name] !== expected[name]).map((name) => `${name} is not as it must be`);
}
