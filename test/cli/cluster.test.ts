// The commands over a Redis of our own, in processes of their own.
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadPlan, virtualCheckpoint } from '../../lib/checkpoint.js';
import { contentOf, temporaryFolder } from '../checkpoint/temporary.js';
import { hasRedis, RedisServer, unlessRedis } from '../cluster/redis-server.js';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

/** Four parts of it are more than a MiB each: what takes a while here is starting processes and not the disk, which others may keep for a minute. */
const recipe = {
  tensors: {
    a: { shape: [1000, 1000], init: 'normal' },
    q: { shape: [300, 300], init: 'orthogonal' },
    b: { shape: [500, 1001], init: 'uniform' },
  },
};

describe.skipIf(!hasRedis)(`nninit worker and generate --redis${unlessRedis}`, () => {
  const folder = temporaryFolder();
  let servers: RedisServer[] = [];
  let started: ChildProcess[] = [];
  beforeEach(() => writeFileSync(join(folder.path, 'recipe.json'), JSON.stringify(recipe)));
  afterEach(async () => {
    for (const child of started) child.kill('SIGKILL');
    for (const server of servers) await server.stop();
    [servers, started] = [[], []];
  });

  const serve = async (options: Parameters<typeof RedisServer.start>[0] = {}) => {
    const server = await RedisServer.start(options);
    servers.push(server);
    return server;
  };
  const start = (args: readonly string[], env: object) => {
    const child = spawn(process.execPath, [main, ...args], { cwd: folder.path, env: { ...process.env, ...env } });
    started.push(child);
    const said = { stdout: '', stderr: '' };
    child.stdout.on('data', (piece: Buffer) => {
      said.stdout += piece;
    });
    child.stderr.on('data', (piece: Buffer) => {
      said.stderr += piece;
    });
    const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, ...said }));
    const says = async (text: string) => {
      while (!said.stderr.includes(text)) {
        const isOver = await Promise.race([ended, once(child.stderr, 'data').then(() => undefined)]);
        if (isOver !== undefined) throw new Error(`ended before it said ${text}: ${JSON.stringify(isOver)}`);
      }
    };
    return { child, ended, said, says };
  };
  const run = (args: readonly string[], env: object) => start(args, env).ended;
  /** What `generate` writes to a folder, as contentOf tells it; no process and no disk takes part. */
  const alone = async () => {
    const virtual = virtualCheckpoint(await loadPlan(recipe));
    const each = virtual.files.map(async ({ name }) => {
      const digest = createHash('sha256').update(await virtual.read(name));
      return [name, digest.digest('hex')] as const;
    });
    return Object.fromEntries(await Promise.all(each));
  };

  test('by TLS with a password in REDIS_URL; the worker ends with 0 after a signal', async () => {
    const server = await serve({ tls: true, password: 'hunter2' });
    const env = { REDIS_URL: server.url, NODE_EXTRA_CA_CERTS: server.caFile };
    const worker = start(['worker', '--redis', '--root', folder.path], env);
    await worker.says('waiting for orders');
    const order = ['generate', 'recipe.json', '-o', 'out', '--redis', '--parts', '4', '--json'];
    const { code, stdout, stderr } = await run(order, env);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toMatchObject({ parts: 4, complete: true, tensors: 3 });
    expect(contentOf(join(folder.path, 'out'))).toEqual(await alone());
    worker.child.kill('SIGTERM');
    expect(await worker.ended).toMatchObject({ code: 0 });
    expect(worker.said.stderr).toContain('part 3/4 of ');
    expect(worker.said.stderr + stdout).not.toContain('hunter2');
    const wrong = await run(order, { REDIS_URL: server.url, NODE_EXTRA_CA_CERTS: '' });
    expect(wrong).toMatchObject({ code: 2, stdout: '' });
    expect(wrong.stderr).toMatch(/could not reach rediss:\/\/127.*self-signed/);
  }, 60_000);

  test('--detach, --cancel, a signal while it waits, and --seeds', async () => {
    const { url: RedisUrl } = await serve();
    const order = ['generate', 'recipe.json', '-o', 'out', '--redis', '--parts', '3'];
    expect(await run([...order, '--detach'], { REDIS_URL: RedisUrl })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('3 parts ordered'),
    });
    expect(await run([...order, '--cancel'], { REDIS_URL: RedisUrl })).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('is cancelled'),
    });
    expect(await run([...order, '--cancel'], { REDIS_URL: RedisUrl })).toMatchObject({
      code: 2,
      stdout: '',
      stderr: expect.stringContaining('expected an order to cancel, but there is none'),
    });
    const waiting = start(order, { REDIS_URL: RedisUrl });
    await waiting.says('writing 3 tensors');
    waiting.child.kill('SIGINT');
    const { code, stderr } = await waiting.ended;
    expect([130, null]).toContain(code); // null where it was not quick enough
    expect(stderr).toContain('the order goes on');
    // Programs read all of it as one object.
    const asJson = start([...order, '--json'], { REDIS_URL: RedisUrl });
    await asJson.says('no worker has been at it'); // what is odd is told in any case
    asJson.child.kill('SIGINT');
    const ended = await asJson.ended;
    const lines = ended.stderr.split('\n').filter((line) => line !== '' && !line.startsWith('nninit: warning: '));
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      { error: expect.objectContaining({ code: 'ERR_NNINIT_INTERRUPTED' }) },
    ]);
    const worker = start(['worker', '--redis', '--quiet', '--threads', '1'], { REDIS_URL: RedisUrl });
    expect(await run([...order, '--quiet'], { REDIS_URL: RedisUrl })).toEqual({ code: 0, stdout: '', stderr: '' });
    const expected = await alone();
    expect(contentOf(join(folder.path, 'out'))).toEqual(expected);
    const late = await run([...order, '--cancel', '--json'], { REDIS_URL: RedisUrl });
    expect([late.code, JSON.parse(late.stdout)]).toMatchObject([0, { cancelled: false }]);
    const many = ['generate', 'recipe.json', '-o', 'many', '--redis', '--seeds', '0..1', '--parts', '2', '--quiet'];
    expect(await run(many, { REDIS_URL: RedisUrl })).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(contentOf(join(folder.path, 'many', 'seed-0'))).toEqual(expected);
    expect(worker.said.stderr).toBe('');
  }, 60_000);

  test('what a worker whose clock is hours ahead refuses is done by others', async () => {
    const { url: RedisUrl } = await serve();
    const clock = 'const%20now=Date.now;Date.now=()=>now()+1e7';
    const ahead = { REDIS_URL: RedisUrl, NODE_OPTIONS: `--import=data:text/javascript,${clock}` };
    const refusing = start(['worker', '--redis', '--root', join(folder.path, 'elsewhere')], ahead);
    await refusing.says('waiting for orders');
    const order = ['generate', 'recipe.json', '-o', 'out', '--redis', '--parts', '1', '--quiet'];
    const made = run(order, { REDIS_URL: RedisUrl });
    await refusing.says('refused: ');
    start(['worker', '--redis', '--root', folder.path], { REDIS_URL: RedisUrl });
    expect(await made).toMatchObject({ code: 0 });
    expect(contentOf(join(folder.path, 'out'))).toEqual(await alone());
  }, 60_000);

  test('what makes no sense', async () => {
    const said = async (...args: string[]) => {
      const { code, stderr } = await run(['generate', 'resnet18', '-o', 'out', ...args], { REDIS_URL: '' });
      return `${code} ${stderr}`;
    };
    expect(await said('--parts', '3')).toContain('2 nninit: expected --redis beside --parts');
    expect(await said('--cancel')).toContain('2 nninit: expected --redis beside --cancel');
    expect(await said('--redis')).toContain(
      '2 nninit: expected --redis redis://host:6379/0, or the address in REDIS_URL',
    );
    expect(await said('--redis', 'redis://h', '--part', '0/2')).toContain("cannot be used with option '--part");
    const hidden = await said('--redis', 'htp://:hunter2@host');
    expect(hidden).toContain("received 'htp…'");
    expect(hidden).not.toContain('hunter2');
    expect(await said('--redis', 'redis://:hunter2@127.0.0.1:1')).toMatch(
      /^2 nninit: could not reach redis:\/\/127.0.0.1:1: connect ECONNREFUSED/,
    );
  });
});
