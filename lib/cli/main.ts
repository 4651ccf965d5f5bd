#!/usr/bin/env node
import { run } from './program.js';

// `nninit gains | head -1` closes the pipe early: that is no error. Who streams a model listens too, and calls it one.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (process.stdout.listenerCount('error') > 1) return;
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

process.exitCode = await run(process.argv.slice(2), process);
