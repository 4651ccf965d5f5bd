// Limits under which Node itself just starts: the work is done, or one line says why not.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));
let root = '';
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'nninit-limits-'));
  chmodSync(root, 0o777);
  // As much as a pool of workers is started for.
  writeFileSync(
    join(root, 'recipe.json'),
    JSON.stringify({ tensors: { w: { shape: [2 ** 23 + 1], init: 'normal' } } }),
  );
  writeFileSync(
    join(root, 'reads.mjs'),
    "import { readFile } from 'node:fs/promises';\nawait readFile(import.meta.filename);\n",
  );
});
afterAll(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Root is not limited in its processes: another user is. */
const asNobody = ['setpriv', '--reuid=65534', '--clear-groups'];
const canBeNobody = () =>
  process.getuid?.() === 0 &&
  spawnSync('setpriv', [...asNobody.slice(1), process.execPath, main, '--version']).status === 0;

function under(limit: string, args: readonly string[], asOther: readonly string[] = []) {
  const [program = '', ...rest] = [...asOther, 'prlimit', limit, process.execPath, ...args];
  return spawnSync(program, rest, { encoding: 'utf8', timeout: 60_000 });
}

/** The least limit with which Node reads a file. */
function least(limit: (n: number) => string, from: number, asOther?: readonly string[]): number {
  for (let n = from; n < from + 60; n++) if (under(limit(n), [join(root, 'reads.mjs')], asOther).status === 0) return n;
  throw new Error('Node does not run under any of these limits');
}

const generate = (out: string) => [
  main,
  'generate',
  join(root, 'recipe.json'),
  '-o',
  join(root, out),
  '--seed',
  '3',
  '--quiet',
];
const written = (out: string) => readFileSync(join(root, out, 'model.safetensors'));

test.runIf(process.platform === 'linux' && canBeNobody())(
  'where ulimit -u leaves no thread for workers or helpers, a model is written without them',
  () => {
    expect(spawnSync(process.execPath, generate('free')).status).toBe(0);
    const limit = (n: number) => `--nproc=${n}`;
    const threads = least(limit, 8, asNobody);
    for (const more of [0, 1, 2]) {
      const { status, stderr } = under(limit(threads + more), generate(`u${more}`), asNobody);
      expect([more, status, stderr]).toEqual([more, 0, '']);
      expect(written(`u${more}`).equals(written('free'))).toBe(true);
    }
  },
  120_000,
);

test.runIf(process.platform === 'linux' && spawnSync('prlimit', ['--version']).status === 0)(
  'where ulimit -n leaves too few files, one line says so',
  () => {
    const limit = (n: number) => `--nofile=${n}`;
    const files = least(limit, 16);
    let refused = 0;
    for (const more of [1, 4, 8, 16]) {
      const { status, stderr } = under(limit(files + more), generate(`n${more}`));
      if (status === 0) continue;
      refused += 1;
      expect([more, status, stderr]).toEqual([
        more,
        1,
        expect.stringMatching(/^nninit: [^\n]*(EMFILE|too many open files)[^\n]*\n$/),
      ]);
    }
    expect(refused).toBeGreaterThan(0);
  },
  120_000,
);

test('under the permission model, with all that is needed allowed, a model is written', () => {
  const flag = Number(process.versions.node.split('.')[0]) >= 24 ? '--permission' : '--experimental-permission';
  const allowed = [flag, '--allow-fs-read=*', '--allow-fs-write=*', '--allow-worker', '--allow-addons'];
  const known = allowed.filter((each) => process.allowedNodeEnvironmentFlags.has(each.split('=')[0] ?? ''));
  const { status, stderr } = spawnSync(process.execPath, [...known, ...generate('permitted')], { encoding: 'utf8' });
  expect(stderr).not.toMatch(/^nninit:/m);
  expect(status).toBe(0);
  expect(written('permitted').length).toBeGreaterThan(2 ** 23);
});

test('an addon that does not load is one line with the cause and the remedy, and leaves nothing', () => {
  const wrong = join(root, 'wrong.node');
  writeFileSync(wrong, 'no addon');
  const env = { ...process.env, NNINIT_ADDON: wrong };
  const { status, stderr } = spawnSync(process.execPath, generate('unloaded'), { encoding: 'utf8', env });
  expect(status).toBe(1);
  expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
    /^nninit: the native addon does not load \(.*wrong\.node: .* → \S/,
  );
  expect(existsSync(join(root, 'unloaded'))).toBe(false);
});
