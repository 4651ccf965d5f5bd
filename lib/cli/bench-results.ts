// What is made of results: the commands that read them.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { compare, compareTable, differences } from '../../bench/harness/compare.js';
import { csvOf } from '../../bench/harness/csv.js';
import { scalings, scalingTable, verdicts } from '../../bench/harness/scaling.js';
import { type BenchRun, formatVersion, runSchema } from '../../bench/harness/schema.js';
import { noiseWarning, preface, report } from '../../bench/harness/tables.js';
import { InputError, WriteError } from '../core/errors.js';
import { type JsonPath, showPath } from '../core/json.js';
import { strerror } from '../core/strerror.js';
import { textTable } from '../core/table.js';
import { counted } from '../core/text.js';
import type { Streams } from './program.js';
import { printableLines, warn } from './say.js';

export interface CompareCommandOptions {
  readonly relative?: true;
  readonly tolerance?: number;
}

export interface ReportOptions {
  readonly markdown?: boolean;
  readonly csv?: boolean;
}

export interface PicturesOptions {
  readonly output: string;
}

/** Everything about a run of scaling, for a terminal. */
export function scalingReport(run: BenchRun): string {
  const all = scalings(run);
  const words = noiseWarning(run) === undefined ? verdicts(all) : ['no verdict: see the warning'];
  return [preface(run), textTable(scalingTable(all)), words.map((line) => `${line}\n`).join('')].join('\n');
}

/** Reads and checks a result file. */
export async function readRun(path: string): Promise<BenchRun> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new InputError(`could not read ${path}: ${strerror(cause)}`, { path, cause });
  }
  return checkRun(jsonOf(text, path), path);
}

function jsonOf(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new InputError(`${path}: expected a result of \`nninit bench\`, but it is no JSON`, { path, cause });
  }
}

const headSchema = z.object({ format: z.literal('nninit-bench'), version: z.number() });

function checkRun(value: unknown, path: string): BenchRun {
  const head = headSchema.safeParse(value);
  if (!head.success) {
    throw new InputError(`${path}: expected a result of \`nninit bench\`, but it is other JSON`, { path });
  }
  const { version } = head.data;
  if (version !== formatVersion) {
    const other = `of format ${formatVersion}, but it is of format ${version}: another version of nninit wrote it`;
    throw new InputError(`${path}: expected a result ${other}`, { path });
  }
  const run = runSchema.safeParse(value);
  if (run.success) return run.data;
  const [first] = run.error.issues;
  const problem = [showPath((first?.path ?? []) as JsonPath), first?.message].filter((text) => text !== '').join(': ');
  throw new InputError(`${path}: not as \`nninit bench\` writes results: ${problem}`, { path, cause: run.error });
}

/** `nninit bench compare`. */
export async function runCompare(
  pathA: string,
  pathB: string,
  options: CompareCommandOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const [a, b] = [await readRun(pathA), await readRun(pathB)];
  const compared = compare(a, b, options);
  if (compared.length === 0) throw new InputError('bench: the two results have no trial in common');
  if (!options.relative) for (const line of differences(a, b)) warn(stderr, line);
  for (const [path, run] of [[pathA, a] as const, [pathB, b] as const]) {
    const warning = noiseWarning(run);
    if (warning !== undefined) warn(stderr, `${path}: no verdict: ${warning}`);
  }
  const known = new Set(compared.map(({ id }) => id));
  const alone = [...a.results, ...b.results].filter(({ id }) => !known.has(id)).length;
  if (alone > 0) warn(stderr, `${counted(alone, 'trial')} in one of the results only`);
  stdout.write(textTable(compareTable(compared)));
  const slower = compared.filter(({ verdict }) => verdict === 'slower').length;
  if (slower > 0) throw new Error(`${counted(slower, 'trial')} slower beyond the noise`);
}

/** `nninit bench report`. */
export async function runReport(
  path: string,
  { markdown = false, csv = false }: ReportOptions,
  { stdout }: Streams,
): Promise<void> {
  const run = await readRun(path);
  if (csv) stdout.write(csvOf(run));
  else
    stdout.write(printableLines(run.suite === 'scaling' && !markdown ? scalingReport(run) : report(run, { markdown })));
}

/** `nninit bench pictures`. */
export async function runPictures(
  files: readonly string[],
  { output }: PicturesOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const runs = await Promise.all(files.map(readRun));
  const { picturesOf } = await import('../../bench/pictures/index.js');
  const drawn = new Map<string, { readonly svg: string; readonly file: string }>();
  for (const [i, run] of runs.entries()) {
    const file = files[i] ?? '';
    const pictures = await picturesOf(run);
    if (pictures.length === 0) warn(stderr, `${file} has no results for a picture (docs/bench.md)`);
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
  await makeFolder(output);
  const paths: string[] = [];
  try {
    for (const [name, { svg }] of drawn) {
      const path = join(output, `${name}.svg`);
      await writeText(path, svg);
      paths.push(path);
    }
  } finally {
    // Only now: where nobody reads it, the process ends here.
    for (const path of paths) stdout.write(`${path}\n`);
  }
}

export async function makeFolder(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
  } catch (cause) {
    throw new WriteError('make the folder', path, cause);
  }
}

/** Writes a text file. */
export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new WriteError('write', path, cause);
  }
}
