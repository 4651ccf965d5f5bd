import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { dtypeNames, subjectNames, type Trial } from '../../bench/harness/catalog.js';
import { csvOf } from '../../bench/harness/csv.js';
import { type Affinity, usableCores } from '../../bench/harness/machine.js';
import { parsePeers, peerNames } from '../../bench/harness/peers/index.js';
import { runBench } from '../../bench/harness/run.js';
import type { BenchRun } from '../../bench/harness/schema.js';
import { mainSuite, quickSuite, type Selection, scalingSuite } from '../../bench/harness/suites.js';
import { noiseWarning, report } from '../../bench/harness/tables.js';
import { quoted } from '../core/check.js';
import { InputError, InterruptedError, stdoutName } from '../core/errors.js';
import { strerror } from '../core/strerror.js';
import { counted } from '../core/text.js';
import { simdTargets } from '../native/addon.js';
import { scalingReport, writeText } from './bench-results.js';
import type { Streams } from './program.js';
import { printableLines, warn } from './say.js';
import { withSignals } from './signals.js';

/** The options of `nninit bench` and `nninit bench scaling`, parsed. */
export interface RunCommandOptions {
  readonly fill?: readonly string[];
  readonly dtype?: readonly string[];
  readonly log2?: readonly number[];
  readonly threads?: readonly number[];
  readonly memory?: Trial['memory'];
  readonly executor?: Trial['executor'];
  readonly seconds: number;
  readonly rounds: number;
  readonly target?: string;
  readonly affinity: Affinity;
  readonly output?: string;
  readonly json?: true;
  readonly csv?: true;
  readonly full?: true;
  readonly filter?: RegExp;
  readonly passes: number;
  readonly quiet?: true;
  readonly peers?: readonly string[];
  readonly python?: string;
}

/** Names that are all in a list. */
function among<const T extends string>(option: string, names: readonly string[], known: readonly T[]): T[] {
  return names.map((name) => {
    if ((known as readonly string[]).includes(name)) return name as T;
    throw new InputError(`bench: expected ${quoted(known)} for --${option}, but received '${name}' of type string`);
  });
}

function selectionOf({ fill, dtype, log2, threads, memory, executor, filter }: RunCommandOptions): Selection {
  return {
    // init's own names are understood as well.
    fills:
      fill &&
      among(
        'fill',
        fill.map((name) => name.replace(/_$/, '')),
        subjectNames,
      ),
    dtypes: dtype && among('dtype', dtype, dtypeNames),
    log2,
    threads,
    memory,
    executor,
    filter,
  };
}

/** The command that repeats a run; what is a place on this machine is left out. */
function commandOf(name: string, options: RunCommandOptions): string {
  const { output: _, json: __, csv: ___, quiet: ____, python, ...rest } = options;
  const words = Object.entries(rest).flatMap(([key, value]) => {
    const defaultValue = { seconds: 1, rounds: 11, passes: 3, affinity: 'none' }[key];
    if (value === undefined || value === defaultValue) return [];
    if (value === true) return [`--${key}`];
    return [`--${key} ${value instanceof RegExp ? `'${value.source}'` : String(value)}`];
  });
  return [name, ...words, ...(python === undefined ? [] : ['--python PATH'])].join(' ');
}

/** How long that may take after a signal. */
const handOverMs = 5000;

/** Runs a suite and hands over what was measured, also where trials failed or a signal came: hours may have gone into it. */
async function runSuite(
  suite: string,
  trials: readonly Trial[],
  options: RunCommandOptions,
  streams: Streams,
  textOf: (run: BenchRun) => string,
): Promise<void> {
  const { seconds, rounds, passes, affinity, target, python, quiet, output } = options;
  const { stderr } = streams;
  if (trials.length === 0) throw new InputError('bench: the options leave no trial to run');
  if (target !== undefined) among('target', [target], simdTargets());
  if (affinity !== 'none' && process.platform !== 'linux') throw new InputError('bench: --affinity needs Linux');
  if (output !== undefined) await checkWritable(output);
  if (options.json && options.csv) throw new InputError('bench: expected at most one of --json and --csv');
  const names = options.peers ?? (suite === 'main' || python !== undefined ? peerNames : []);
  const peers = parsePeers(names.filter((name) => name !== 'none'));
  const start = performance.now();
  await withSignals(
    async (signal) => {
      const run = await runBench({
        suite,
        trials,
        command: commandOf(suite === 'scaling' ? 'nninit bench scaling' : 'nninit bench', options),
        seconds,
        rounds,
        passes,
        affinity,
        peers,
        python,
        target,
        signal,
        onProgress: (text, done, total) => {
          const left = ((performance.now() - start) / 1000) * (total / done - 1);
          const about = done === 0 ? '' : ` (about ${Math.ceil(left)} s left)`;
          if (!quiet) stderr.write(`nninit: [${done + 1}/${total}] ${text}${about}\n`);
        },
        onNote: (text) => {
          if (!quiet) stderr.write(`nninit: ${text}\n`);
        },
      });
      // Nothing measured: no reason to write over what an earlier run has.
      if (!signal.aborted || run.results.length > 0) await handOver(run, textOf(run), options, streams);
      if (signal.aborted) throw interrupted(run, trials.length, signal);
      const [first] = run.failed ?? [];
      if (first !== undefined) {
        throw new Error(`${counted(run.failed?.length ?? 0, 'trial')} failed, the first: ${first.what}: ${first.why}`);
      }
    },
    { least: handOverMs, json: options.json },
  );
}

function interrupted({ results }: BenchRun, trials: number, { reason }: AbortSignal): InterruptedError {
  return new InterruptedError(stdoutName, reason, `after ${results.length} of ${counted(trials, 'trial')}`);
}

/** Prints a run and writes it, as asked. */
async function handOver(
  run: BenchRun,
  text: string,
  { output, json, csv }: RunCommandOptions,
  streams: Streams,
): Promise<void> {
  const data = `${JSON.stringify(run, null, 2)}\n`;
  try {
    // First to the file: where nobody reads what is printed, the process ends there.
    if (output !== undefined) await writeText(output, data);
  } finally {
    // A disk that has become full costs the file only.
    streams.stdout.write(json ? data : csv ? csvOf(run) : printableLines(text));
    const warning = noiseWarning(run);
    if ((json || csv) && warning !== undefined) warn(streams.stderr, warning);
  }
}

/** Refuses a file that cannot be written, before minutes go into what would be written to it. */
async function checkWritable(path: string): Promise<void> {
  try {
    const found = await stat(path).catch(() => undefined);
    if (found?.isDirectory()) throw new InputError(`could not write ${path}: it is a folder`, { path });
    await access(found === undefined ? dirname(path) : path, constants.W_OK);
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    throw new InputError(`could not write ${path}: ${strerror(cause)}`, { path, cause });
  }
}

/** `nninit bench`. */
export async function runMain(options: RunCommandOptions, streams: Streams): Promise<void> {
  const selection = selectionOf(options);
  const isQuick = !options.full && Object.values(selection).every((each) => each === undefined);
  const trials = isQuick ? quickSuite(usableCores()) : mainSuite(selection, usableCores());
  await runSuite(isQuick ? 'quick' : 'main', trials, options, streams, (run) => report(run));
}

/** `nninit bench scaling`. */
export async function runScaling(options: RunCommandOptions, streams: Streams): Promise<void> {
  const trials = scalingSuite(selectionOf(options), usableCores());
  await runSuite('scaling', trials, options, streams, scalingReport);
}
