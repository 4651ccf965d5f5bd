import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';

test.each(['words', 'low', 'reversed', 'seeds', 'streams', 'names', 'normals'])(
  'the statistical battery is given %s without an end',
  async (kind) => {
    const file = new URL('../../bench/statistics/stream.js', import.meta.url).pathname;
    const child = spawn(process.execPath, [file, kind], { stdio: ['ignore', 'pipe', 'ignore'] });
    const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
    child.kill('SIGKILL');
    expect(new Set(chunk.subarray(0, 4096)).size).toBeGreaterThan(200);
  },
);
