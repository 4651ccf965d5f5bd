import { type Command, InvalidArgumentError, Option } from 'commander';
import { didYouMean } from '../core/check.js';
import type { CompareCommandOptions, PicturesOptions, ReportOptions } from './bench-results.js';
import type { RunCommandOptions } from './bench-run.js';
import { choiceOption } from './options.js';
import type { Streams } from './program.js';
import { benchSummary } from './summaries.js';

const benchHelp = `
Every trial runs in a process of its own, beside memset and memcpy of the same bytes; what it wrote is checked against a
recorded checksum. All are run three times, each time in another order. By default it takes some twenty seconds, and ends
with how near the common fills come to this machine's write bandwidth; the main suite (--full) takes about two minutes,
more with peers. Run nothing else meanwhile.

Examples:
  nninit bench                                     the common fills
  nninit bench --full --csv                        the main suite, for a spreadsheet
  nninit bench --fill normal --dtype float32 --log2 24 --threads 1,2,4
  nninit bench --filter '^(trunc_)?normal .* 1t'   of the main suite what matches
  nninit bench --full --python ~/venv/bin/python -o results.json
  nninit bench scaling -o scaling.json             1 to all threads, 1 Ki to 1 Gi elements
  nninit bench compare before.json after.json
  nninit bench pictures results.json scaling.json -o pictures

Exit codes: 0 done, 1 wrong bytes, a trial that failed, or (compare) a regression; 2 bad usage or bad input; 130 interrupted.
What was measured by then is printed, and written where -o says, in any case.`;

/** A list of whole numbers in a range, such as 1,2,4. */
function integers(min: number, max: number) {
  return (text: string): number[] =>
    text.split(',').map((part) => {
      const value = Number(part);
      if (/^\d+$/.test(part) && value >= min && value <= max) return value;
      throw new InvalidArgumentError(`Expected integers from ${min} to ${max}, separated by commas.`);
    });
}

function oneInteger(min: number, max: number) {
  return (text: string): number => {
    const [value, ...more] = integers(min, max)(text);
    if (value === undefined || more.length > 0) throw new InvalidArgumentError('Expected one integer.');
    return value;
  };
}

function nonNegative(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('Expected a number ≥ 0.');
}

function expression(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (cause) {
    throw new InvalidArgumentError(
      `Expected a regular expression (${cause instanceof Error ? cause.message : cause}).`,
    );
  }
}

const words = (text: string): string[] => text.split(',').map((word) => word.trim());

/** The options that a run of trials has. */
function withRunOptions(command: Command): Command {
  return command
    .option('--fill <names>', 'only these fills, separated by commas', words)
    .option('--dtype <names>', 'only these dtypes', words)
    .option('--log2 <n>', 'elements, as powers of two', integers(4, 30))
    .option('--threads <n>', 'thread counts, such as 1,2,4', integers(1, 1024))
    .addOption(choiceOption('--memory <kind>', 'only warm or only fresh memory', ['warm', 'fresh']))
    .addOption(choiceOption('--executor <kind>', 'only native threads, or only the pool', ['sync', 'pool']))
    .option(
      '--filter <regex>',
      'only trials whose name matches, such as "uniform bfloat16 2^26 2t warm sync"',
      expression,
    )
    .option('--seconds <s>', 'of each trial, at least', nonNegative, 1)
    .option('--rounds <n>', 'of each trial, at least', oneInteger(1, 200), 11)
    .option(
      '--passes <n>',
      'times all trials are run, in another order each; seconds and rounds are of all',
      oneInteger(1, 100),
      3,
    )
    .option('--target <name>', 'a SIMD target in place of the best, such as AVX2')
    .addOption(
      choiceOption('--affinity <kind>', 'put threads on cores (Linux): memory node after node, or on all in turn', [
        'none',
        'compact',
        'spread',
      ]).default('none'),
    )
    .option('-o, --output <file>', 'write the results as JSON')
    .option('--json', 'print the results as JSON instead of tables')
    .option('--csv', 'print them as CSV')
    .option('-q, --quiet', 'print no progress');
}

/** Adds `bench` and its commands. */
export function addBench(program: Command, streams: Streams): void {
  const bench = program
    .command('bench')
    .summary(benchSummary)
    .description('Measures fills beside memset, memcpy and other libraries, and checks every byte (docs/bench.md).')
    .addHelpText('after', benchHelp)
    .allowExcessArguments() // what is no command is told below
    .enablePositionalOptions(); // `bench compare`'s options are not `bench`'s
  withRunOptions(bench)
    .option('--full', 'the main suite, of which options that select take a part')
    .option(
      '--peers <names>',
      'torch, numpy, jax, tensorflow, tfjs, onnxruntime, loop; or none (default: with --full or --python all that are there)',
      words,
    )
    .option('--python <path>', 'the Python that has PyTorch, NumPy, JAX or TensorFlow')
    .action(async (options: RunCommandOptions, { args: [unknown] }: Command) => {
      if (unknown !== undefined) {
        const hint = didYouMean(
          unknown,
          bench.commands.map((each) => each.name()),
        );
        bench.error(`error: unknown command '${unknown}'${hint === undefined ? '' : ` (${hint})`}`);
      }
      const { runMain } = await import('./bench-run.js');
      await runMain(options, streams);
    });

  const scaling = bench
    .command('scaling')
    .summary('measure on 1 to all threads, from 1 Ki to 1 Gi elements')
    .description(
      'Measures on 1 to all threads and from 1 Ki to 1 Gi elements, and says where memory becomes the limit.',
    );
  withRunOptions(scaling).action(async (options: RunCommandOptions) => {
    const { runScaling } = await import('./bench-run.js');
    await runScaling(options, streams);
  });

  bench
    .command('compare')
    .summary('compare two results; exit 1 if the second is slower beyond the noise')
    .description('Prints how much longer b took than a, trial by trial, and what of it may be noise.')
    .argument('<a>', 'the earlier result, a JSON file')
    .argument('<b>', 'the later one')
    .option('--relative', "judge times in units of memset's: for different machines")
    .option('--tolerance <share>', 'the least difference that counts (default: 0.03)', nonNegative)
    .action(async (a: string, b: string, options: CompareCommandOptions) => {
      const { runCompare } = await import('./bench-results.js');
      await runCompare(a, b, options, streams);
    });

  bench
    .command('report')
    .summary('print the tables of a result')
    .description('Prints the tables of a result.')
    .argument('<file>', 'a result, a JSON file')
    .option('--markdown', 'as Markdown')
    .addOption(new Option('--csv', 'as CSV').conflicts('markdown'))
    .action(async (file: string, options: ReportOptions) => {
      const { runReport } = await import('./bench-results.js');
      await runReport(file, options, streams);
    });

  bench
    .command('pictures')
    .summary('draw results as SVG (needs the npm package echarts)')
    .description(
      'Draws bars beside other libraries, a roofline, and curves of scaling, as SVG, as far as the results have them.',
    )
    .argument('<files...>', 'results, JSON files')
    .requiredOption('-o, --output <dir>', 'the folder to write to; made if need be')
    .action(async (files: string[], options: PicturesOptions) => {
      const { runPictures } = await import('./bench-results.js');
      await runPictures(files, options, streams);
    });
}
