import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { type Dtype, dtypes } from '../dtype.js';
import { Generator } from '../generator.js';
import { version } from '../version.js';
import { add_bench } from './bench.js';
import { describe_error, exit_code_of, exit_codes } from './failure.js';
import type { GainsOptions } from './gains.js';
import type { GenerateOptions } from './generate.js';

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
  1  the work failed (disk full, folder read-only, …); what was begun is removed
  2  bad usage or bad input, or a checkpoint is there already; nothing was begun
  129, 130, 143  ended by SIGHUP, SIGINT, SIGTERM; what was begun is removed

Environment:
  NNINIT_THREADS  native threads, where --threads is not given (default: the cores)
  NNINIT_DEBUG=1  shows where an error came from`;

const generate_help = `
Writes DIR/model.safetensors, and for a config.json also DIR/config.json, which transformers'
from_pretrained(DIR) loads. The bytes depend on the input, the seed and the dtype alone. The files
appear under their names only when they are complete.

Examples:
  nninit generate gpt2/config.json -o out --seed 42
  nninit generate recipe.json -o out --dtype bfloat16 --threads 2 --json

Exit codes: 0 done, 1 the work failed, 2 bad usage or bad input, 128 + n ended by signal n`;

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

function program(streams: Streams): Command {
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
    .exitOverride();

  nninit
    .command('generate')
    .summary('write a checkpoint from a config.json or a recipe')
    .description('Writes a checkpoint from a Hugging Face config.json or a recipe (docs/recipes.md).')
    .argument('<input>', 'a config.json (GPT-2 so far), or a recipe in JSON')
    .requiredOption('-o, --output <dir>', 'the folder to write to; made if need be', parse_folder)
    .addOption(
      new Option('--seed <n>', 'from -2^63 to 2^64 - 1, decimal or 0x…').default(0n, '0').argParser(parse_seed),
    )
    .addOption(
      new Option(
        '--dtype <name>',
        "of all tensors; of a recipe's that name none (default: as the input says, or float32)",
      ).choices(Object.keys(dtypes)),
    )
    .option('--threads <n>', 'native threads, from 1 to 1024', parse_threads)
    .option('-f, --force', 'replace a checkpoint that is there already')
    .option('--json', 'print the summary as JSON, and no progress')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', generate_help)
    .action(async (input: string, options: GenerateOptions & { dtype?: Dtype }) => {
      const { run_generate } = await import('./generate.js');
      await run_generate(input, options, streams);
    });

  nninit
    .command('gains')
    .summary('print the gains of the nonlinearities')
    .description('Prints what calculate_gain returns for each nonlinearity, and where the value comes from.')
    .option('--json', 'print the table as JSON')
    .addHelpText('after', '\nThe value of leaky_relu is that of its default slope, 0.01.')
    .action(async (options: GainsOptions) => {
      const { run_gains } = await import('./gains.js');
      run_gains(options, streams);
    });

  add_bench(nninit, streams);

  return nninit;
}

function parse_seed(text: string): bigint {
  const expected = 'Expected an integer from -2^63 to 2^64 - 1, decimal or 0x….';
  if (!/^(-?\d+|0x[\da-f]+)$/i.test(text)) throw new InvalidArgumentError(expected);
  try {
    return new Generator({ seed: BigInt(text) }).initial_seed();
  } catch {
    throw new InvalidArgumentError(expected);
  }
}

/** An empty name is a shell variable that is not set, not the working directory. */
function parse_folder(text: string): string {
  if (text === '') throw new InvalidArgumentError("Expected a folder's name.");
  return text;
}

function parse_threads(text: string): number {
  const threads = Number(text);
  if (!/^\d+$/.test(text) || threads < 1 || threads > 1024) {
    throw new InvalidArgumentError('Expected an integer from 1 to 1024.');
  }
  return threads;
}
