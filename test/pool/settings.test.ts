import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compiledFile, packageFile } from '../../lib/core/package-files.js';
import { createPool } from '../../lib/index.js';

/** What a program prints. */
function run(program: string, env: Record<string, string> = {}): string {
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    env: { ...process.env, NNINIT_THREADS: '', ...env },
  });
  expect(stderr).toBe('');
  return stdout.trim();
}

describe('niceness', () => {
  test.runIf(process.platform === 'linux').each([
    ['{}', '10'],
    ['{ niceness: 0 }', '0'],
    ['{ niceness: 19 }', '19'],
  ])('%s makes the threads stand back by %s', (options, expected) => {
    const index = JSON.stringify(compiledFile('lib/index'));
    const nices = run(`
      import { readdirSync, readFileSync } from 'node:fs';
      const { createPool, empty } = await import(${index});
      const nices = () => readdirSync('/proc/self/task')
        .map((id) => readFileSync('/proc/self/task/' + id + '/stat', 'latin1').split(') ').at(-1).split(' ')[16]);
      const before = nices();
      const pool = createPool({ threads: 2, ...${options} });
      await pool.init.normal_(empty([100_000]));
      const most = Math.max(...nices().map(Number));
      console.log(most - Math.max(...before.map(Number)));
      await pool.close();
    `);
    expect(nices).toBe(expected);
  });

  test.each([-1, 20, 1.5, '0'])('%j is refused', (niceness) => {
    const create = () => createPool({ niceness: niceness as number });
    expect(create).toThrow('createPool: expected an integer from 0 to 19 for niceness');
  });
});

test('threads: no more than are granted, unless they are asked for', () => {
  const threads = (env: Record<string, string>, set = '') =>
    run(
      `
      import { createRequire } from 'node:module';
      const addon = createRequire('/')(${JSON.stringify(process.env.NNINIT_ADDON ?? packageFile('build/Release/nninit.node'))});
      ${set}
      addon.limitThreads(1);
      console.log(addon.getNumThreads());
    `,
      env,
    );
  expect(threads({})).toBe('1');
  expect(threads({ NNINIT_THREADS: '3' })).toBe('3');
  expect(threads({}, 'addon.setNumThreads(5);')).toBe('5');
});
