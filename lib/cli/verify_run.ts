import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { InputError } from '../checkpoint/errors.js';
import { type Checkpoint, open_checkpoint } from '../checkpoint/reader.js';
import { load_source, type Source } from '../checkpoint/source.js';
import { comparable_bytes, verify_checkpoint } from '../checkpoint/verify.js';
import { measure_checkpoint } from '../checkpoint/verify_statistics.js';
import { engine, stream_version } from '../checkpoint/writer_files.js';
import { counted } from './format.js';
import { type InputOptions, source_request } from './input_options.js';
import type { Streams } from './program.js';
import { type Progress, show_progress } from './progress.js';
import { measured_report, type Report, verified_report } from './verify_report.js';

/** The options of `nninit verify`, parsed. */
export interface VerifyCommandOptions extends InputOptions {
  /** In [0, 2^64). */
  readonly seed?: bigint;
  readonly statistics?: true;
  readonly threads?: number;
  readonly json?: true;
  readonly quiet?: true;
}

/**
 * Checks a checkpoint against its plan, and prints what came of it.
 *
 * @throws InputError for what cannot be read; Error where the checkpoint differs from the plan
 */
export async function run_verify(
  path: string,
  input: string | undefined,
  options: VerifyCommandOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const start = performance.now();
  const warn = (text: string) => stderr.write(`nninit: warning: ${text}\n`);
  const checkpoint = await open_checkpoint(path);
  const source = await plan_for(checkpoint, input, options);
  for (const warning of source.warnings) warn(warning);
  const seed = options.statistics ? undefined : seed_for(checkpoint, options, warn);
  let progress: Progress | undefined;
  if (!options.json && !options.quiet) {
    const bytes = comparable_bytes(checkpoint, source.tensors);
    const { tensors, files } = { tensors: source.tensors.length, files: checkpoint.files.length };
    progress = await show_progress(stderr, { path, tensors, files, bytes, done_bytes: 0, verb: 'checking … of' });
  }
  const on_progress = (done: number): void => progress?.update(done);
  let report: Report;
  try {
    const { threads } = options;
    const common = { path, seconds: () => (performance.now() - start) / 1000 };
    report =
      seed === undefined
        ? measured_report(await measure_checkpoint(checkpoint, source.tensors, { threads, on_progress }), common)
        : verified_report(await verify_checkpoint(checkpoint, source.tensors, { seed, threads, on_progress }), {
            ...common,
            seed,
          });
  } finally {
    progress?.stop();
  }
  if (options.json) stdout.write(`${JSON.stringify(report.facts)}\n`);
  else if (!options.quiet) stdout.write(report.text);
  if (report.differing > 0) {
    throw new Error(`${path}: ${counted(report.differing, 'tensor')} not as planned${first_of(report)}`);
  }
}

function first_of({ first }: Report): string {
  return first === undefined ? '' : `; the first: ${first}`;
}

async function plan_for(
  checkpoint: Checkpoint,
  input: string | undefined,
  options: VerifyCommandOptions,
): Promise<Source> {
  if (input !== undefined || options.like !== undefined) return await load_source(source_request(input, options));
  const own = join(checkpoint.folder, 'config.json');
  try {
    await stat(own);
  } catch {
    throw new InputError(
      `${checkpoint.path}: expected a plan to check against, but there is no ${own}: give an input, or --like with rules`,
      { path: own, code: 'ERR_NNINIT_READ' },
    );
  }
  return await load_source(source_request(own, options));
}

/** The seed to make the values from; undefined for files that nninit did not write. */
function seed_for(
  { files }: Checkpoint,
  options: VerifyCommandOptions,
  warn: (text: string) => void,
): bigint | undefined {
  const told = files.map(({ path, metadata }) => {
    const seed = metadata.get('nninit.seed');
    if (seed === undefined) return undefined;
    const made = `${metadata.get('nninit.engine')}, stream version ${metadata.get('nninit.stream_version')}`;
    const known = `${engine}, stream version ${stream_version}`;
    if (made !== known) {
      throw new InputError(
        `${path}: it was written with engine ${made}; this version of nninit makes ${known}. --statistics works`,
        { path, code: 'ERR_NNINIT_ENGINE' },
      );
    }
    if (!/^\d{1,20}$/.test(seed) || BigInt(seed) >= 2n ** 64n) {
      throw new InputError(
        `${path}: expected a seed in [0, 2^64) in its metadata, but it has ${JSON.stringify(seed)}`,
        {
          path,
          code: 'ERR_NNINIT_HEADER',
        },
      );
    }
    return BigInt(seed);
  });
  if (options.seed !== undefined) return options.seed;
  const [first] = told;
  const other = told.findIndex((seed) => seed !== first);
  if (other > 0) {
    const words = (seed: bigint | undefined) => (seed === undefined ? 'no seed of nninit' : `seed ${seed}`);
    warn(`${files[0]?.path} has ${words(first)}, ${files[other]?.path} ${words(told[other])}: they are not of one run`);
  }
  return told.find((seed) => seed !== undefined);
}
