import { stdoutName, WriteError } from '../core/errors.js';
import { version } from '../core/version.js';
import { describeError, exitCodes } from './failure.js';
import { asksForJson } from './json.js';
import { writeFailure } from './say.js';

const args = process.argv.slice(2);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // Who streams a model listens too, and says it in its own way.
  if (process.stdout.listenerCount('error') > 1) return;
  // `nninit gains | head -1` closes the pipe early: that is no error.
  if (error.code === 'EPIPE') process.exit();
  const failure = new WriteError('write to', stdoutName, error);
  const message = describeError(failure, false);
  if (asksForJson(args)) writeFailure(process.stderr, failure, message);
  else process.stderr.write(`${message}\n`);
  process.exit(exitCodes.failure);
});

// Nobody reads the progress any more: no reason to leave a model unfinished.
process.stderr.on('error', () => {});

if (args.length === 1 && (args[0] === '--version' || args[0] === '-V')) {
  process.stdout.write(`${version}\n`); // scripts ask for it often: no command needs to be known
} else {
  const { run } = await import('./program.js');
  process.exitCode = await run(args, process);
  // What a signal has ended may still wait for a reader or a server.
  if (process.exitCode >= exitCodes.SIGHUP) process.exit();
}
