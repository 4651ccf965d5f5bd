import { access, constants, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { dtype_names, subject_names, type Trial } from '../../bench/harness/catalog.js';
import { type Affinity, usable_cores } from '../../bench/harness/machine.js';
import { parse_peers, peer_names } from '../../bench/harness/peers/index.js';
import { run_bench } from '../../bench/harness/run.js';
import type { Run } from '../../bench/harness/schema.js';
import { main_suite, type Selection, scaling_suite } from '../../bench/harness/suites.js';
import { noise_warning, report } from '../../bench/harness/table.js';
import { quoted } from '../core/check.js';
import { InputError, InterruptedError, stdout_name } from '../core/errors.js';
import { strerror } from '../core/strerror.js';
import { simd_targets } from '../native/addon.js';
import { scaling_report, write_text } from './bench-results.js';
import { counted } from './format.js';
import type { Streams } from './program.js';
import { with_signals } from './signals.js';

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

function selection_of({ fill, dtype, log2, threads, memory, executor }: RunCommandOptions): Selection {
  return {
    // init's own names are understood as well.
    fills:
      fill &&
      among(
        'fill',
        fill.map((name) => name.replace(/_$/, '')),
        subject_names,
      ),
    dtypes: dtype && among('dtype', dtype, dtype_names),
    log2,
    threads,
    memory,
    executor,
  };
}

/** The command that repeats a run; what is a place on this machine is left out. */
function command_of(name: string, options: RunCommandOptions): string {
  const { output: _, json: __, quiet: ___, python, ...rest } = options;
  const words = Object.entries(rest).flatMap(([key, value]) => {
    const default_value = { seconds: 1, rounds: 11, affinity: 'none' }[key];
    return value === undefined || value === default_value ? [] : [`--${key} ${String(value)}`];
  });
  return [name, ...words, ...(python === undefined ? [] : ['--python PATH'])].join(' ');
}

/** Runs a suite and hands over what was measured, also where trials failed or a signal came: hours may have gone into it. */
async function run_suite(
  suite: string,
  trials: readonly Trial[],
  options: RunCommandOptions,
  streams: Streams,
  text_of: (run: Run) => string,
): Promise<void> {
  const { seconds, rounds, affinity, target, python, quiet, output } = options;
  const { stderr } = streams;
  if (trials.length === 0) throw new InputError('bench: the options leave no trial to run');
  if (target !== undefined) among('target', [target], simd_targets());
  if (affinity !== 'none' && process.platform !== 'linux') throw new InputError('bench: --affinity needs Linux');
  if (output !== undefined) await check_writable(output);
  const names = options.peers ?? (suite === 'main' ? peer_names : []);
  const peers = parse_peers(names.filter((name) => name !== 'none'));
  await with_signals(async (signal) => {
    const run = await run_bench({
      suite,
      trials,
      command: command_of(suite === 'main' ? 'nninit bench' : `nninit bench ${suite}`, options),
      seconds,
      rounds,
      affinity,
      peers,
      python,
      target,
      signal,
      on_progress: (text, done, total) => {
        if (!quiet) stderr.write(`nninit: [${done + 1}/${total}] ${text}\n`);
      },
      on_note: (text) => {
        if (!quiet) stderr.write(`nninit: ${text}\n`);
      },
    });
    // Nothing measured: no reason to write over what an earlier run has.
    if (!signal.aborted || run.results.length > 0) await hand_over(run, text_of(run), options, streams);
    if (signal.aborted) throw interrupted(run, trials.length, signal);
    const [first] = run.failed ?? [];
    if (first !== undefined) {
      throw new Error(`${counted(run.failed?.length ?? 0, 'trial')} failed, the first: ${first.what}: ${first.why}`);
    }
  });
}

function interrupted({ results }: Run, trials: number, { reason }: AbortSignal): InterruptedError {
  const error = new InterruptedError(stdout_name, reason);
  error.message = `interrupted after ${results.length} of ${counted(trials, 'trial')}`;
  return error;
}

/** Prints a run and writes it, as asked. */
async function hand_over(run: Run, text: string, { output, json }: RunCommandOptions, streams: Streams): Promise<void> {
  const data = `${JSON.stringify(run, null, 2)}\n`;
  // First to the terminal: a disk that has become full costs the file only.
  streams.stdout.write(json ? data : text);
  const warning = noise_warning(run);
  if (json && warning !== undefined) streams.stderr.write(`nninit: warning: ${warning}\n`);
  if (output !== undefined) await write_text(output, data);
}

/** Refuses a file that cannot be written, before minutes go into what would be written to it. */
async function check_writable(path: string): Promise<void> {
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
export async function run_main(options: RunCommandOptions, streams: Streams): Promise<void> {
  const trials = main_suite(selection_of(options), usable_cores());
  await run_suite('main', trials, options, streams, (run) => report(run));
}

/** `nninit bench scaling`. */
export async function run_scaling(options: RunCommandOptions, streams: Streams): Promise<void> {
  const trials = scaling_suite(selection_of(options), usable_cores());
  await run_suite('scaling', trials, options, streams, scaling_report);
}
