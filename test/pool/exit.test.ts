import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { compiledFile } from '../../lib/core/package-files.js';

const index = JSON.stringify(compiledFile('lib/index'));

/** Draws again until all of a million values are beyond five standard deviations: for hours. */
const endless = `pool.init.trunc_normal_(empty([1_000_000], { shared: true }), 0, 1, 5, 6, { generator: new Generator({ engine: 'torch' }) })`;

/** Runs a program with that under way. */
function run(end: string) {
  const program = `
    const { createPool, empty, Generator } = await import(${index});
    const pool = createPool({ threads: 2 });
    await pool.init.ones_(empty([100_000], { shared: true }));
    ${endless}.catch(() => console.log('settled'));
    ${endless};
    setTimeout(() => { ${end} }, 100);
  `;
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8', timeout: 20_000 });
}

describe('the process exits, whatever the threads are at', () => {
  test('by process.exit', () => {
    expect(run('process.exit(7)')).toMatchObject({ status: 7, signal: null, stdout: '' });
  });

  test('by an error that nobody catches', () => {
    const { status, signal, stderr } = run("throw new Error('mine')");
    expect({ status, signal }).toEqual({ status: 1, signal: null });
    expect(stderr).toContain('Error: mine');
  });
});
