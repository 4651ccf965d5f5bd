#!/usr/bin/env node
import { stdoutName, WriteError } from '../core/errors.js';
import { describeError, exitCodes } from './failure.js';
import { run } from './program.js';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Who streams a model listens too, and says it in its own way.
  if (process.stdout.listenerCount('error') > 1) return;
  // `nninit gains | head -1` closes the pipe early: that is no error.
  if (error.code === 'EPIPE') process.exit();
  process.stderr.write(`${describeError(new WriteError('write to', stdoutName, error), false)}\n`);
  process.exit(exitCodes.failure);
});

// Nobody reads the progress any more: no reason to leave a model unfinished.
process.stderr.on('error', () => {});

process.exitCode = await run(process.argv.slice(2), process);
