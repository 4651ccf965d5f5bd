import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { dtype_names, id_of, subject_names, type Trial } from '../bench/catalog.js';
import { compare, compare_table, differences } from '../bench/compare.js';
import type { Affinity } from '../bench/machine.js';
import { parse_peers, peer_names } from '../bench/peers/index.js';
import { run_bench } from '../bench/run.js';
import { scaling_table, scalings, verdicts } from '../bench/scaling.js';
import { type Run, run_schema } from '../bench/schema.js';
import { main_suite, type Selection, scaling_suite } from '../bench/suites.js';
import { header, noise_line, report, skipped_lines, text_table } from '../bench/table.js';
import { quoted } from '../check.js';
import { InputError } from '../checkpoint/errors.js';
import { parse_with } from '../checkpoint/problems.js';
import { strerror } from '../checkpoint/strerror.js';
import { simd_targets } from '../native.js';
import { counted } from './format.js';
import type { Streams } from './program.js';

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

export interface CompareCommandOptions {
  readonly relative?: true;
  readonly tolerance?: number;
}

export interface ReportOptions {
  readonly markdown?: boolean;
}

export interface PicturesOptions {
  readonly output: string;
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

async function run_suite(
  suite: string,
  trials: readonly Trial[],
  options: RunCommandOptions,
  { stderr }: Streams,
): Promise<Run> {
  const { seconds, rounds, affinity, target, python, quiet } = options;
  if (trials.length === 0) throw new InputError('bench: the options leave no trial to run');
  if (target !== undefined) among('target', [target], simd_targets());
  const names = options.peers ?? (suite === 'main' ? peer_names : []);
  const peers = parse_peers(names.filter((name) => name !== 'none'));
  return await run_bench({
    suite,
    trials,
    command: command_of(suite === 'main' ? 'nninit bench' : `nninit bench ${suite}`, options),
    seconds,
    rounds,
    affinity,
    peers,
    python,
    target,
    on_progress: (text, done, total) => {
      if (!quiet) stderr.write(`nninit: [${done + 1}/${total}] ${text}\n`);
    },
  });
}

/** Prints a run or writes it, as asked. */
async function hand_over(run: Run, text: string, { output, json }: RunCommandOptions, streams: Streams): Promise<void> {
  const data = `${JSON.stringify(run, null, 2)}\n`;
  if (output !== undefined) await write_text(output, data);
  streams.stdout.write(json ? data : text);
}

async function write_text(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new Error(`could not write ${path}: ${strerror(cause)}`, { cause });
  }
}

/** `nninit bench`. */
export async function run_main(options: RunCommandOptions, streams: Streams): Promise<void> {
  const trials = main_suite(selection_of(options), availableParallelism());
  const run = await run_suite('main', trials, options, streams);
  await hand_over(run, report(run), options, streams);
}

/** `nninit bench scaling`. */
export async function run_scaling(options: RunCommandOptions, streams: Streams): Promise<void> {
  const trials = scaling_suite(selection_of(options), availableParallelism());
  const run = await run_suite('scaling', trials, options, streams);
  await hand_over(run, scaling_report(run), options, streams);
}

function scaling_report(run: Run): string {
  const all = scalings(run);
  const words = verdicts(all).map((line) => `${line}\n`);
  return [header(run) + noise_line(run) + skipped_lines(run), text_table(scaling_table(all)), words.join('')].join(
    '\n',
  );
}

/** Reads and checks a result file. */
export async function read_run(path: string): Promise<Run> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause });
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${path}: expected a result of \`nninit bench\`, but it is no JSON`, { path, cause });
  }
  return parse_with(run_schema, value, path);
}

/** `nninit bench compare`. */
export async function run_compare(
  path_a: string,
  path_b: string,
  options: CompareCommandOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const [a, b] = [await read_run(path_a), await read_run(path_b)];
  const compared = compare(a, b, options);
  if (compared.length === 0) throw new InputError('bench: the two results have no trial in common');
  if (!options.relative) for (const line of differences(a, b)) stderr.write(`nninit: warning: ${line}\n`);
  const known = new Set(compared.map(({ id }) => id));
  const alone = [...a.results, ...b.results].filter(({ trial }) => !known.has(id_of(trial))).length;
  if (alone > 0) stderr.write(`nninit: warning: ${counted(alone, 'trial')} in one of the results only\n`);
  stdout.write(text_table(compare_table(compared)));
  const slower = compared.filter(({ verdict }) => verdict === 'slower').length;
  if (slower > 0) throw new Error(`${counted(slower, 'trial')} slower beyond the noise`);
}

/** `nninit bench report`. */
export async function run_report(path: string, { markdown = false }: ReportOptions, streams: Streams): Promise<void> {
  const run = await read_run(path);
  streams.stdout.write(run.suite === 'scaling' && !markdown ? scaling_report(run) : report(run, { markdown }));
}

/** `nninit bench pictures`. */
export async function run_pictures(
  files: readonly string[],
  options: PicturesOptions,
  streams: Streams,
): Promise<void> {
  const runs = await Promise.all(files.map(read_run));
  const { pictures_of } = await import('../report/index.js');
  await mkdir(options.output, { recursive: true });
  for (const run of runs) {
    for (const [name, svg] of await pictures_of(run)) {
      const path = join(options.output, `${name}.svg`);
      await write_text(path, svg);
      streams.stdout.write(`${path}\n`);
    }
  }
}
