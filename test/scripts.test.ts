// Scripts that take hours are not run here, but they must not say that all is well where nothing was tried.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { temporaryFolder } from './checkpoint/temporary.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = temporaryFolder();

/** A clone that has a script alone, what it calls as stubs, and of other programs those that are named. */
function run(script: string, args: readonly string[], stubs: Readonly<Record<string, string>>) {
  const bin = join(folder.path, 'bin');
  mkdirSync(bin, { recursive: true });
  for (const name of ['sh', 'dirname', 'mkdir', 'grep', 'cat', 'getconf']) {
    const { stdout } = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
    symlinkSync(stdout.trim(), join(bin, name));
  }
  for (const [name, text] of Object.entries({ 'scripts/setup': '', ...stubs })) {
    const path = join(folder.path, name);
    mkdirSync(join(path, '..'), { recursive: true });
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }
  cpSync(join(root, script), join(folder.path, script));
  const env = { PATH: bin };
  const { status, stdout, stderr } = spawnSync(join(folder.path, script), args, { env, encoding: 'utf8' });
  return { status, stdout, stderr };
}

describe.skipIf(process.platform === 'win32')('scripts/statistics', () => {
  const node = 'bin/node';

  test('a battery that has results of none of the numbers fails, and says where to look', () => {
    const { status, stdout } = run('scripts/statistics', ['words'], {
      [node]: 'echo "expected one of …" >&2; exit 2',
      'bin/dieharder': 'cat >/dev/null; exit 1',
    });
    expect(stdout).toBe('words: dieharder: no results, see build/statistics/words.dieharder\n');
    expect(status).toBe(1);
  });

  test('either battery is enough, and what it failed fails', () => {
    const passed = {
      [node]: 'echo numbers',
      'bin/RNG_test': 'cat >/dev/null; echo "  no anomalies in 217 test result(s)"',
    };
    expect(run('scripts/statistics', ['words', 'low'], passed)).toMatchObject({
      status: 0,
      stdout:
        'words: PractRand, 4GB: 1 passed, 0 weak, 0 failed\n' + 'low: PractRand, 4GB: 1 passed, 0 weak, 0 failed\n',
    });
  });

  test('a result that failed is told, and the exit code is 1', () => {
    const dieharder = 'cat >/dev/null; printf "a| PASSED\\nb| WEAK\\nc| FAILED\\nd| PASSED\\n"';
    expect(run('scripts/statistics', ['words'], { [node]: 'echo numbers', 'bin/dieharder': dieharder })).toMatchObject({
      status: 1,
      stdout: 'words: dieharder: 2 passed, 1 weak, 1 failed\n',
    });
  });

  test('without any there is nothing to be said', () => {
    const { status, stderr } = run('scripts/statistics', [], { [node]: '' });
    expect([status, stderr]).toEqual([1, 'neither dieharder nor RNG_test is here: apt-get install dieharder\n']);
  });
});

test.skipIf(process.platform === 'win32').each([
  ['scripts/kill-order', ['many'], 'kill-order: expected a number of kills, as in scripts/kill-order 200 20GB\n'],
  ['scripts/kill-order', ['0'], 'kill-order: expected a number of kills, as in scripts/kill-order 200 20GB\n'],
  ['scripts/kill-s3', ['-1'], 'kill-s3: expected a number of kills, as in scripts/kill-s3 200 2GB\n'],
  [
    'scripts/crash-matrix',
    ['all'],
    'crash-matrix: expected of how many errors one is tried, as in scripts/crash-matrix 5\n',
  ],
  ['scripts/fuzz', ['0'], 'fuzz: expected a number of minutes, as in scripts/fuzz 10\n'],
])('%s %j: a number that leaves nothing to be tried is refused', (script, args, says) => {
  const { status, stderr } = run(script, args, { 'bin/node': '' });
  expect([status, stderr]).toEqual([2, says]);
});

test('a pattern that means no constant is no run of mutants', () => {
  const args = [join(root, 'scripts/mutants/run.js'), 'nothing like it'];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect([status, stdout, stderr]).toEqual([2, '', 'mutants: no constant is meant by nothing like it\n']);
});

test('mutants were noticed by recorded paths alone', () => {
  const paths = new Set(Object.keys(JSON.parse(readFileSync(join(root, 'bench/paths.json'), 'utf8')) as object));
  const [, noticed = ''] =
    /## Noticed\n([\s\S]*?)\n## /.exec(readFileSync(join(root, 'docs/mutants.md'), 'utf8')) ?? [];
  const rows = noticed.split('\n').filter((line) => /^\| [\w/]+[\w.-]+\.(cc|h) \|/.test(line));
  expect(rows.length).toBeGreaterThan(100);
  expect(rows.filter((row) => !paths.has(row.split(' | ').at(-1)?.replace(/ \|$/, '') ?? ''))).toEqual([]);
});

test('what is compared on other systems is all bytes, of every kind of fill', () => {
  mkdirSync(join(folder.path, 'node_modules'), { recursive: true });
  symlinkSync(root, join(folder.path, 'node_modules', 'nninit'));
  cpSync(join(root, 'scripts/platforms/proof.js'), join(folder.path, 'proof.mjs'));
  const { status, stdout } = spawnSync(process.execPath, ['proof.mjs'], { cwd: folder.path, encoding: 'utf8' });
  expect(status).toBe(0);
  const { checksums } = JSON.parse(stdout) as { checksums: Record<string, string> };
  expect(Object.keys(checksums)).toEqual(expect.arrayContaining(['philox zeros float16', 'torch eye float64 pool']));
  expect(Object.entries(checksums).filter(([, sum]) => !/^[\da-f]{16}$/.test(sum))).toEqual([]);
});

test('all scripts of a shell are linted', () => {
  const glob = /\$\(grep -lE '([^']+)' ([^)]*?) 2>\/dev\/null\)/.exec(readFileSync(join(root, 'scripts/lint'), 'utf8'));
  const [, head = '', where = ''] = glob ?? [];
  const listed = spawnSync('sh', ['-c', `grep -lE '${head}' ${where} 2>/dev/null`], { cwd: root, encoding: 'utf8' });
  const found = readdirSync(join(root, 'scripts'), { withFileTypes: true })
    .filter(
      (entry) =>
        entry.isFile() &&
        /^#!.*\b(sh|bash)$/m.test(readFileSync(join(root, 'scripts', entry.name), 'utf8').split('\n', 1)[0] ?? ''),
    )
    .map(({ name }) => `scripts/${name}`);
  expect(found.length).toBeGreaterThan(15);
  expect(listed.stdout.split('\n')).toEqual(expect.arrayContaining([...found, '.ci/run', 'scripts/platforms/tools']));
});
