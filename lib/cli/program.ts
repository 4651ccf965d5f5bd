import { Command, CommanderError } from 'commander';
import { InputError } from '../core/errors.js';
import { version } from '../core/version.js';
import { checkThreadsVariable, maxThreads } from '../native/addon.js';
import { describeError, exitCodeOf, exitCodes } from './failure.js';
import { asksForJson } from './json.js';
import { printableLines, writeFailure } from './say.js';
import {
  benchSummary,
  completionSummary,
  finishSummary,
  gainsSummary,
  generateSummary,
  manSummary,
  modelsSummary,
  planSummary,
  reportSummary,
  serveSummary,
  verifySummary,
  workerSummary,
} from './summaries.js';

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
  NNINIT_GRACE_MS how long work may take to end in good order after a signal (default: 70)
  NNINIT_DEBUG=1  shows where an error came from`;

/**
 * Runs a command line.
 *
 * @param args without the names of node and the script
 * @returns the exit code
 */
export async function run(args: readonly string[], streams: Streams): Promise<number> {
  const json = asksForJson(args);
  try {
    refuseUnreadable(args);
    const asked = args[0] === 'help' ? args[1] : args[0];
    const nninit = await program(streams, asked, json);
    // Help on an unknown command is told as the command itself is, with the nearest one.
    const isUnknown = args[0] === 'help' && asked !== undefined && !commands.some(([name]) => name === asked);
    await nninit.parseAsync(isUnknown ? args.slice(1) : args, { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    // Commander has written its message already. Its own code is 1 for all mistakes, 0 for --help and --version.
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return exitCodes.ok;
      if (json) writeFailure(streams.stderr, error, usageError(error.message), exitCodes.usage);
      return exitCodes.usage;
    }
    const message = describeError(
      error,
      Boolean(process.env.NNINIT_DEBUG),
      args[0] === 'finish' ? 'nninit finish' : undefined,
    );
    if (json) writeFailure(streams.stderr, error, message);
    else streams.stderr.write(`${message}\n`);
    return exitCodeOf(error);
  }
}

/**
 * Node.js reads arguments as UTF-8 and puts U+FFFD in the place of bytes that are none: two folders' names may become the same one, and
 * it is neither of them.
 */
function refuseUnreadable(args: readonly string[]): void {
  const bad = args.find((arg) => arg.includes('\ufffd'));
  if (bad !== undefined) throw new InputError(`expected arguments in UTF-8, but received '${bad}'`);
}

/** For every command, so that a slip is told by the first one and not by the one that fills. */
function checkEnvironment(): void {
  try {
    checkThreadsVariable();
  } catch (cause) {
    throw new InputError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

/** Commander's words as ours: one line, with the hint that it puts on a second one. */
const usageError = (text: string): string =>
  text
    .replace(/^error: /, 'nninit: ')
    .replace(/\n\(Did you mean (.*)\?\)/, ' (did you mean $1?)')
    .trimEnd();

/** Makes the commands, with the options of one: `program` itself, for commands that tell of all others. */
export type MakeProgram = (streams: Streams, asked: string | undefined) => Promise<Command>;

/** Adds a command with its options to a program. */
type Add = (program: Command, streams: Streams, make: MakeProgram) => void;

/** All commands; a command's file is loaded when it is asked for, or help on it. */
const commands: readonly (readonly [name: string, summary: string, load: () => Promise<Add>])[] = [
  ['generate', generateSummary, async () => (await import('./generate.js')).addGenerate],
  ['finish', finishSummary, async () => (await import('./finish.js')).addFinish],
  ['worker', workerSummary, async () => (await import('./worker.js')).addWorker],
  ['plan', planSummary, async () => (await import('./plan.js')).addPlan],
  ['verify', verifySummary, async () => (await import('./verify.js')).addVerify],
  ['report', reportSummary, async () => (await import('./report.js')).addReport],
  ['serve', serveSummary, async () => (await import('./serve.js')).addServe],
  ['models', modelsSummary, async () => (await import('./models.js')).addModels],
  ['gains', gainsSummary, async () => (await import('./gains.js')).addGains],
  ['bench', benchSummary, async () => (await import('./bench.js')).addBench],
  ['completion', completionSummary, async () => (await import('./completion.js')).addCompletion],
  ['man', manSummary, async () => (await import('./man.js')).addMan],
];

/**
 * The commands, and the options of the one that is asked for; `run` reads arguments by it.
 *
 * @param asked the name of a command
 * @param json whether usage errors are left to the caller
 */
export async function program(streams: Streams, asked: string | undefined, json = false): Promise<Command> {
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
      outputError: (text, write) => {
        if (!json) write(printableLines(`${usageError(text)}\n`));
      },
    })
    .exitOverride()
    .hook('preAction', checkEnvironment);

  for (const [name, summary, load] of commands) {
    if (name === asked) (await load())(nninit, streams, program);
    else nninit.command(name).summary(summary);
  }
  return nninit;
}
