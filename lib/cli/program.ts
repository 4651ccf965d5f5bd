import { Command, CommanderError } from 'commander';
import { InputError } from '../core/errors.js';
import { version } from '../core/version.js';
import { check_threads_variable, max_threads } from '../native/addon.js';
import { add_bench } from './bench.js';
import { describe_error, exit_code_of, exit_codes } from './failure.js';
import { add_gains } from './gains.js';
import { add_generate } from './generate.js';
import { add_plan } from './plan.js';
import { add_verify } from './verify.js';

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

const general_help = `
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
  NNINIT_THREADS  native threads, 1 to ${max_threads}, where --threads is not given (default: the cores)
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
    return exit_codes.ok;
  } catch (error) {
    // Commander has written its message already. Its own code is 1 for all mistakes, 0 for --help and --version.
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit_codes.ok : exit_codes.usage;
    streams.stderr.write(`${describe_error(error, Boolean(process.env.NNINIT_DEBUG))}\n`);
    return exit_code_of(error);
  }
}

/** For every command, so that a slip is told by the first one and not by the one that fills. */
function check_environment(): void {
  try {
    check_threads_variable();
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
    .addHelpText('after', general_help)
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
    .hook('preAction', check_environment);

  add_generate(nninit, streams);
  add_plan(nninit, streams);
  add_verify(nninit, streams);
  add_gains(nninit, streams);
  add_bench(nninit, streams);

  return nninit;
}
