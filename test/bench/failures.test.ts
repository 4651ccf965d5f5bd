import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Crew } from '../../bench/harness/crew.js';
import { operations } from '../../bench/harness/crew-work.js';
import { runSchema } from '../../bench/harness/schema.js';
import { kindCodes } from '../../lib/core/fill.js';
import { bench } from './support.js';

const quick = ['--seconds', '0', '--rounds', '3', '--memory', 'warm', '--executor', 'sync', '--threads', '1'];

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nninit-failures-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());

const resultsIn = (path: string) => runSchema.parse(JSON.parse(readFileSync(path, 'utf8')));

/** The addon, but for one bit of every uniform fill. */
function brokenAddon(): string {
  const real = process.env.NNINIT_ADDON ?? fileURLToPath(new URL('../../build/Release/nninit.node', import.meta.url));
  const path = join(folder, 'broken.cjs');
  writeFileSync(
    path,
    `const real = require(${JSON.stringify(real)});
     let asked;
     module.exports = { ...real, request: (numbers) => (asked = real.request(numbers)), fill(data, ...rest) {
       const kind = asked[1];
       const done = real.fill(data, ...rest);
       if (kind === ${kindCodes.uniform}) new Uint8Array(data.buffer, data.byteOffset + data.byteLength - 1)[0] ^= 1;
       return done;
     } };`,
  );
  return path;
}

test('a kernel that is wrong in one bit fails the run, and costs no other result', { timeout: 60_000 }, async () => {
  vi.stubEnv('NNINIT_ADDON', brokenAddon());
  const file = join(folder, 'wrong.json');
  const args = ['--fill', 'constant,uniform,normal', '--dtype', 'float32', '--log2', '10', '--peers', 'none'];
  const { code, stdout, stderr } = await bench(...args, ...quick, '-q', '-o', file);
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^nninit: 1 trial failed, the first: uniform float32 2\^10 1t warm sync: wrote the wrong bytes/,
  );
  expect(stdout).toMatch(/^FAILED {4}uniform float32 2\^10 1t warm sync: wrote the wrong bytes/m);
  const { results, failed } = resultsIn(file);
  expect(results.map(({ trial }) => trial.fill)).toEqual(['constant', 'normal']);
  expect(failed).toMatchObject([{ what: 'uniform float32 2^10 1t warm sync' }]);
});

const mainFile = fileURLToPath(new URL('../../dist/lib/cli/main.js', import.meta.url));

describe('the file for results', () => {
  const one = ['--fill', 'constant', '--dtype', 'float32', '--log2', '10', '--peers', 'none', ...quick, '-q'];

  test('is refused before anything is measured', async () => {
    const nowhere = await bench(...one, '-o', join(folder, 'nowhere', 'x.json'));
    expect([nowhere.code, nowhere.stdout]).toEqual([2, '']);
    expect(nowhere.stderr).toMatch(/could not write .*x\.json: .*ENOENT/);
    expect(await bench(...one, '-o', folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('is a folder'),
    });
  });

  test.skipIf(process.platform === 'win32')(
    'is written where nobody reads what is printed',
    { timeout: 60_000 },
    async () => {
      const file = join(folder, 'unread.json');
      const stdio = ['ignore', 'pipe', 'ignore'] as const;
      const child = spawn(process.execPath, [mainFile, 'bench', ...one, '-o', file], { stdio: [...stdio] });
      child.stdout?.destroy();
      await once(child, 'close');
      expect(resultsIn(file).results).toHaveLength(1);
    },
  );

  test.runIf(existsSync('/dev/full'))(
    'that fails at the end leaves what was printed',
    { timeout: 30_000 },
    async () => {
      const { code, stdout, stderr } = await bench(...one, '-o', '/dev/full');
      expect([code, stdout]).toEqual([1, expect.stringContaining('constant_ 2^10')]);
      expect(stderr).toContain('could not write /dev/full: no space left on device');
    },
  );
});

/** `nninit bench …` in a process of its own. `onProgress` gets what it says meanwhile. */
function spawned(args: readonly string[], onProgress: (text: string, pid: number) => void = () => {}) {
  const { NNINIT_GRACE_MS: _, ...env } = process.env; // what was measured has a time of its own to be handed over
  const child = spawn(process.execPath, [mainFile, 'bench', ...args], { stdio: ['ignore', 'ignore', 'pipe'], env });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
    onProgress(stderr, child.pid ?? 0);
  });
  return new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

test('a signal ends the trial that runs, and keeps those that are done', { timeout: 60_000 }, async () => {
  const file = join(folder, 'interrupted.json');
  const args = ['scaling', '--fill', 'normal', '--log2', '10,12', '--threads', '1', '--seconds', '0', '-o', file];
  let sent = false;
  const { code, stderr } = await spawned([...args, '--rounds', '200', '--passes', '1'], (text, pid) => {
    if (sent || !text.includes('[2/2]')) return;
    sent = true;
    process.kill(pid, 'SIGINT');
  });
  expect([code, stderr]).toEqual([130, expect.stringContaining('nninit: interrupted after 1 of 2 trials\n')]);
  const first = /\[1\/2\] normal float32 2\^(\d+)/.exec(stderr)?.[1];
  expect(resultsIn(file).results.map(({ trial }) => String(trial.log2))).toEqual([first]);
});

test('a Python that cannot be started does not keep the command from ending', { timeout: 60_000 }, async () => {
  const args = ['--fill', 'constant', '--dtype', 'float32', '--log2', '10', '--peers', 'torch', '--python', folder];
  const { code, stderr } = await spawned([...args, ...quick]);
  expect([code, stderr]).toEqual([0, expect.stringMatching(/nninit: torch: .*could not start .*EACCES/)]);
});

test('a crew does as it is told, roused or asleep', { timeout: 30_000 }, async () => {
  const done: string[] = [];
  const spies = (['fill', 'copy'] as const).map((name) => {
    const real = Buffer.prototype[name] as (this: Buffer, ...args: unknown[]) => Buffer & number;
    return vi.spyOn(Buffer.prototype, name).mockImplementation(function (this: Buffer, ...args: unknown[]) {
      done.push(`${name} ${this.length}`);
      return real.apply(this, args);
    });
  });
  const crew = await Crew.start([4096, 8192, 8192], { withMemory: true, withSource: true });
  try {
    done.length = 0;
    for (const operation of ['memset', 'rouse', 'memset', 'memcpy', 'rest', 'memcpy', 'fresh', 'collect'] as const) {
      crew.run(operation);
    }
    // This thread's part; the others' memory is theirs alone, and they go by the order of the operations.
    expect(done).toEqual(['fill 4096', 'fill 4096', 'copy 4096', 'copy 4096', 'fill 4096']);
    expect(Object.values(operations)).toEqual(Object.keys(operations).map((_, i) => i));
  } finally {
    for (const spy of spies) spy.mockRestore();
    await crew.close();
  }
});
