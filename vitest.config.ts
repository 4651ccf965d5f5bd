import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/global-setup.ts'],
    include: process.env.NNINIT_SLOW ? ['test/**/*.slow.test.ts'] : ['test/**/*.test.ts'],
    exclude: process.env.NNINIT_SLOW ? [] : ['test/**/*.slow.test.ts', '**/node_modules/**'],
    pool: 'forks',
    // One more than vitest would start: much of the time tests wait, for processes, clocks and disks.
    maxWorkers: availableParallelism(),
    testTimeout: process.env.NNINIT_SLOW ? 600_000 : 60_000,
    hookTimeout: 60_000,
  },
});
