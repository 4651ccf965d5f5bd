import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { Redis } from 'ioredis';

/** In Debian's package redis-tools the same program has another name, and no service comes with it. */
const program = ['redis-server', 'redis-check-rdb'].find(
  (name) => spawnSync(name, ['--version'], { argv0: 'redis-server' }).status === 0,
);

export const hasRedis = program !== undefined;

/** For the title of what is skipped without it. */
export const unlessRedis = hasRedis ? '' : ' (skipped: neither redis-server nor redis-tools is installed)';

/** A Redis on a free port of loopback, which is stopped and started again as one likes. */
export class RedisServer {
  readonly folder = mkdtempSync(join(tmpdir(), 'nninit-redis-'));
  readonly port: number;
  readonly #options: readonly string[];
  readonly #scheme: string;
  readonly #password: string;
  #process: ChildProcess | undefined;

  private constructor(port: number, password: string, tls: boolean) {
    this.port = port;
    this.#password = password;
    this.#scheme = tls ? 'rediss' : 'redis';
    const ports = tls
      ? ['--port', '0', '--tls-port', String(port), ...certificate(this.folder)]
      : ['--port', String(port)];
    // It writes down each change, as a queue needs it. Only the process is killed here, so what the system has is enough: a Redis that waits for a disk which others
    // keep busy answers nobody meanwhile, and each job takes a dozen changes.
    const lasting = ['--appendonly', 'yes', '--appendfsync', 'no', '--save', ''];
    const own = ['--dir', this.folder, '--bind', '127.0.0.1'];
    this.#options = [...ports, ...own, ...lasting, ...(password === '' ? [] : ['--requirepass', password])];
  }

  static async start({ password = '', tls = false } = {}): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), password, tls);
    await server.start();
    return server;
  }

  /** With the password in it. */
  get url(): string {
    const user = this.#password === '' ? '' : `:${this.#password}@`;
    return `${this.#scheme}://${user}127.0.0.1:${this.port}`;
  }

  get caFile(): string {
    return join(this.folder, 'cert.pem');
  }

  async start(): Promise<void> {
    this.#process = spawn(program ?? '', this.#options, { stdio: 'ignore', argv0: 'redis-server' });
    for (let tries = 0; ; tries++) {
      if (await isListening(this.port)) return;
      if (tries === 200) throw new Error('redis-server does not start');
      await setTimeout(50);
    }
  }

  /** Leaves connections open and says nothing, until it goes on. */
  pause(): void {
    this.#process?.kill('SIGSTOP');
  }

  goOn(): void {
    this.#process?.kill('SIGCONT');
  }

  async kill(): Promise<void> {
    const gone = this.#process;
    if (gone === undefined || gone.exitCode !== null || gone.signalCode !== null) return;
    gone.kill('SIGKILL');
    await once(gone, 'exit');
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  client(): Redis {
    return new Redis(this.url, { maxRetriesPerRequest: null });
  }

  /** All keys with what is in them, to see what jobs carry. */
  async everything(): Promise<string> {
    const redis = this.client();
    try {
      const keys = await redis.keys('*');
      const dumps = await Promise.all(keys.map((key) => redis.dumpBuffer(key)));
      const fields = await Promise.all(keys.map((key) => redis.hgetall(key).catch(() => '')));
      return JSON.stringify([keys, dumps.map(String), fields]);
    } finally {
      redis.disconnect();
    }
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

async function isListening(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const answer = await Promise.race([
    once(socket, 'connect').then(() => true),
    once(socket, 'error').then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return answer;
}

/** One of its own for 127.0.0.1. */
function certificate(folder: string): string[] {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const how = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-days',
    '2',
    '-keyout',
    key,
    '-out',
    cert,
    ...subject,
  ];
  execFileSync('openssl', how, { stdio: 'ignore', timeout: 30_000 });
  return ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert, '--tls-auth-clients', 'no'];
}
