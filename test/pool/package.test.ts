import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));

const program = `
  import { createPool, empty, Generator, init } from 'nninit';
  const pool = createPool({ threads: 2 });
  const generator = () => new Generator({ seed: 5 });
  const a = init.normal_(empty([300_001]), { generator: generator() });
  const b = await pool.init.normal_(pool.empty([300_001]), { generator: generator() });
  const c = await pool.init.normal_(empty([300_001]), { generator: generator() });
  const bytes = ({ data }) => Buffer.from(data.buffer);
  console.log(bytes(a).equals(bytes(b)) && bytes(a).equals(bytes(c)) ? 'same' : 'different');
`;

/** Runs a program in a folder; rejects unless it ends by itself. */
async function node(folder: string, source: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const file = join(folder, 'program.mjs');
  writeFileSync(file, source);
  const options = { cwd: folder, env: { ...process.env, NODE_OPTIONS: '', ...env }, timeout: 20_000 };
  return (await run(process.execPath, [file], options)).stdout.trim();
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-pool-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A folder in which 'nninit' is what `make` puts at node_modules/nninit. */
async function project(name: string, make: (at: string) => unknown): Promise<string> {
  const at = join(folder, name);
  mkdirSync(join(at, 'node_modules'), { recursive: true });
  await make(join(at, 'node_modules', 'nninit'));
  return at;
}

describe('the worker is found, and the process ends though the pool was not closed', () => {
  test('from the built package', async () => {
    const at = await project('built', (to) => symlinkSync(root, to));
    expect(await node(at, program)).toBe('same');
  });

  test('from an installed tarball, with nothing beside it', async () => {
    const at = await project('tarball', async (to) => {
      await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
      const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? '';
      mkdirSync(to);
      await run('tar', ['-xzf', join(folder, tarball), '--strip-components=1', '-C', to]);
      // What the package's prebuilds/ would have.
      mkdirSync(join(to, 'build', 'Release'), { recursive: true });
      cpSync(join(root, 'build', 'Release', 'nninit.node'), join(to, 'build', 'Release', 'nninit.node'));
    });
    expect(await node(at, program)).toBe('same');
  });

  test('a missing worker is a clear error', async () => {
    const at = await project('missing', (to) => {
      mkdirSync(to);
      for (const name of ['dist', 'package.json']) cpSync(join(root, name), join(to, name), { recursive: true });
      symlinkSync(join(root, 'node_modules'), join(to, 'node_modules'));
      symlinkSync(join(root, 'build'), join(to, 'build'));
      rmSync(join(to, 'dist', 'lib', 'pool', 'worker.js'));
    });
    const source = `import { createPool } from 'nninit'; try { createPool(); } catch (e) { console.log(e.message); }`;
    expect(await node(at, source)).toMatch(
      /^nninit: the file .*worker\.js, which runs in a thread of its own, is missing \(install nninit again\)/,
    );
  });
});

describe('a process', () => {
  let at = '';
  beforeAll(async () => {
    at = await project('process', (to) => symlinkSync(root, to));
  });

  test('that only holds an idle pool ends', async () => {
    expect(await node(at, `import { createPool } from 'nninit'; createPool(); console.log('end');`)).toBe('end');
  });

  test('waits for the work it asked for', async () => {
    const source = `import { createPool } from 'nninit'; const pool = createPool();
      pool.init.orthogonal_(pool.empty([500, 500])).then(() => console.log('filled'));`;
    expect(await node(at, source)).toBe('filled');
  });

  test('may close a pool whose threads are about to start', async () => {
    const source = `import { createPool } from 'nninit';
      for (let i = 0; i < 20; i++) {
        const pool = createPool({ threads: 2 });
        await new Promise((resolve) => setTimeout(resolve, i * 3));
        await pool.close({ force: i % 2 === 1 });
      }
      console.log('closed');`;
    expect(await node(at, source)).toBe('closed');
  });

  test('gets past close', async () => {
    const source = `import { createPool } from 'nninit'; const pool = createPool();
      void pool.init.ones_(pool.empty([500, 500])); await pool.close(); console.log('closed');`;
    expect(await node(at, source)).toBe('closed');
  });
});
