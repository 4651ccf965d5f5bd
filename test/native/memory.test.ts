// What fills take of memory, and what happens where there is none: in processes of their own.
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';

const library = new URL('../../dist/lib/index.js', import.meta.url).href;

/** Runs a module, and returns what it prints. */
function run(code: string): unknown {
  const text = `import { init, empty, Generator, set_num_threads } from ${JSON.stringify(library)};\n${code}`;
  const args = ['--input-type=module', '--eval', text];
  const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  expect([status, signal, stderr]).toEqual([0, null, '']);
  return JSON.parse(stdout);
}

/** Sanitizers have memory of their own. */
const isMeasurable = process.platform === 'linux' && process.env.NNINIT_ADDON === undefined;
const isThere = isMeasurable && spawnSync('prlimit', ['--version']).status === 0;

describe.runIf(isThere)('a sparse fill that finds no memory', () => {
  test.each(['philox', 'torch'])(
    'is an error, and leaves the tensor as it was, in the engine torch the generator too: engine %s',
    (engine) => {
      const code = `
      import { spawnSync } from 'node:child_process';
      import { readFileSync } from 'node:fs';
      set_num_threads(1);
      const generator = new Generator({ engine: '${engine}', seed: 1 });
      init.sparse_(empty([9, 2]), 0.5, 1, generator);
      const w = empty([2 ** 25, 1]);
      w.data.fill(7);
      const state = JSON.stringify([...generator.get_state()]);
      const size = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024;
      // The fill needs 128 MiB and more.
      spawnSync('prlimit', ['--pid', String(process.pid), '--as=' + (size + 2 ** 26) + ':']);
      let message;
      try {
        init.sparse_(w, 0.5, 1, generator);
      } catch (error) {
        message = error.message;
      }
      spawnSync('prlimit', ['--pid', String(process.pid), '--as=unlimited:']);
      const untouched = w.data.every((value) => value === 7);
      const same = state === JSON.stringify([...generator.get_state()]);
      init.sparse_(empty([9, 2]), 0.5, 1, generator);
      console.log(JSON.stringify({ message, untouched, same }));`;
      expect(run(code)).toMatchObject({
        message: expect.stringMatching(/memory|alloc/i),
        untouched: true,
        same: engine === 'torch',
      });
    },
  );
});

test.runIf(isMeasurable).each([
  [2 ** 22, 1],
  [2 ** 20, 4],
])('a thin orthogonal matrix takes as much memory again: %i × %i', (rows, columns) => {
  const code = `
    set_num_threads(1);
    const generator = new Generator({ seed: 1 });
    init.orthogonal_(empty([64, 4]), 1, generator);
    const w = empty([${rows}, ${columns}]);
    w.data.fill(1);
    const before = process.resourceUsage().maxRSS;
    init.orthogonal_(w, 1, generator);
    console.log(JSON.stringify(process.resourceUsage().maxRSS - before));`;
  // Kilobytes; panels of 64 columns took 1 to 3 GB.
  expect(run(code)).toBeLessThan(3 * ((rows * columns * 4) / 1024));
});
