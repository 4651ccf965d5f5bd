// What is made of results: the commands that read them.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { compare, compare_table, differences } from '../../bench/harness/compare.js';
import { scaling_table, scalings, verdicts } from '../../bench/harness/scaling.js';
import { format_version, type Run, run_schema } from '../../bench/harness/schema.js';
import { noise_warning, preface, report, text_table } from '../../bench/harness/table.js';
import { InputError } from '../core/errors.js';
import { type JsonPath, show_path } from '../core/json.js';
import { strerror } from '../core/strerror.js';
import { counted } from './format.js';
import type { Streams } from './program.js';

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

/** Everything about a run of scaling, for a terminal. */
export function scaling_report(run: Run): string {
  const all = scalings(run);
  const words = verdicts(all).map((line) => `${line}\n`);
  return [preface(run), text_table(scaling_table(all)), words.join('')].join('\n');
}

/** Reads and checks a result file. */
export async function read_run(path: string): Promise<Run> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause });
  }
  return check_run(json_of(text, path), path);
}

function json_of(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${path}: expected a result of \`nninit bench\`, but it is no JSON`, { path, cause });
  }
}

const head_schema = z.object({ format: z.literal('nninit-bench'), version: z.number() });

function check_run(value: unknown, path: string): Run {
  const head = head_schema.safeParse(value);
  if (!head.success) {
    throw new InputError(`${path}: expected a result of \`nninit bench\`, but it is other JSON`, { path });
  }
  const { version } = head.data;
  if (version !== format_version) {
    const other = `of format ${format_version}, but it is of format ${version}: another version of nninit wrote it`;
    throw new InputError(`${path}: expected a result ${other}`, { path });
  }
  const run = run_schema.safeParse(value);
  if (run.success) return run.data;
  const [first] = run.error.issues;
  const problem = [show_path((first?.path ?? []) as JsonPath), first?.message].filter((text) => text !== '').join(': ');
  throw new InputError(`${path}: not as \`nninit bench\` writes results: ${problem}`, { path, cause: run.error });
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
  for (const [path, run] of [[path_a, a] as const, [path_b, b] as const]) {
    const warning = noise_warning(run);
    if (warning !== undefined) stderr.write(`nninit: warning: ${path}: ${warning}\n`);
  }
  const known = new Set(compared.map(({ id }) => id));
  const alone = [...a.results, ...b.results].filter(({ id }) => !known.has(id)).length;
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
  { output }: PicturesOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const runs = await Promise.all(files.map(read_run));
  const { pictures_of } = await import('../../bench/pictures/index.js');
  const drawn = new Map<string, { readonly svg: string; readonly file: string }>();
  for (const [i, run] of runs.entries()) {
    const file = files[i] ?? '';
    const pictures = await pictures_of(run);
    if (pictures.length === 0) stderr.write(`nninit: warning: ${file} has no results for a picture (docs/bench.md)\n`);
    for (const [name, svg] of pictures) {
      const other = drawn.get(name)?.file;
      if (other !== undefined) {
        throw new InputError(
          `bench: ${other} and ${file} would both be ${name}.svg: draw them into folders of their own`,
        );
      }
      drawn.set(name, { svg, file });
    }
  }
  if (drawn.size === 0) throw new InputError('bench: there is nothing to draw');
  await make_folder(output);
  for (const [name, { svg }] of drawn) {
    const path = join(output, `${name}.svg`);
    await write_text(path, svg);
    stdout.write(`${path}\n`);
  }
}

async function make_folder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new Error(`could not make the folder ${path}: ${strerror(cause)}`, { cause });
  }
}

/** Writes a text file. */
export async function write_text(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new Error(`could not write ${path}: ${strerror(cause)}`, { cause });
  }
}
