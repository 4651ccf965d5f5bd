import { Command, CommanderError } from 'commander';
import { InputError } from '../core/errors.js';
import { version } from '../core/version.js';
import { checkThreadsVariable, maxThreads } from '../native/addon.js';
import { addBench } from './bench.js';
import { describeError, exitCodeOf, exitCodes } from './failure.js';
import { addGains } from './gains.js';
import { addGenerate } from './generate.js';
import { addPlan } from './plan.js';
import { addVerify } from './verify.js';

/** What text is written to: a terminal, a pipe, or a test's list. */
export interface Output {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface Streams {
  readonly stdout: Output;
  readonly stderr: Output;
}

const generalHelp = `
Examples:
  nninit generate gpt2/config.json -o out --seed 42
  nninit help generate

Exit codes:
  0  done
  1  the work failed (disk full, folder read-only, …), or verify found a difference
  2  bad usage or bad input, or a checkpoint is there already; nothing was begun
  129, 130, 143  ended by SIGHUP, SIGINT, SIGTERM

What was begun is removed, or kept for --resume if something of it is complete; the error says which.

Environment:
  NNINIT_THREADS  native threads, 1 to ${maxThreads}, where --threads is not given (default: the cores)
  NNINIT_DEBUG=1  shows where an error came from`;

/**
 * Runs a command line.
 *
 * @param args without the names of node and the script
 * @returns the exit code
 */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  try {
    await program(streams).parseAsync(args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    // Commander has written its message already. Its own code is 1 for all mistakes, 0 for --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    streams.stderr.write(`${describeError(error, Boolean(process.env.NNINIT_DEBUG))}\n`);
    return exitCodeOf(error);
  }
}

/** For every command, so that a slip is told by the first one and not by the one that fills. */
function checkEnvironment(): void {
  try {
    checkThreadsVariable();
  } catch (cause) {
    throw new InputError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** All commands and their options; `run` reads arguments by it. */
export function program(streams: Streams): Command {
  const { stdout, stderr } = streams;
  const nninit = new Command('nninit')
    .description(
      "Initial weights of neural networks: torch.nn.init's functions, whole checkpoints, the same bytes every time.",
    )
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help on a command')
    .addHelpText('after', generalHelp)
    .showSuggestionAfterError()
    .enablePositionalOptions() // an option belongs to the command that it follows
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => stdout.columns ?? 100,
      getErrHelpWidth: () => stderr.columns ?? 100,
      outputError: (text, write) => write(text.replace(/^error: /, 'nninit: ')),
    })
    .exitOverride()
    .hook('preAction', checkEnvironment);

  addGenerate(nninit, streams);
  addPlan(nninit, streams);
  addVerify(nninit, streams);
  addGains(nninit, streams);
  addBench(nninit, streams);

  return nninit;
}
