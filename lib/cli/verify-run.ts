import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { measure_checkpoint } from '../checkpoint/verify/statistics/compare.js';
import { comparable_bytes, verify_checkpoint } from '../checkpoint/verify/verify.js';
import { InputError } from '../core/errors.js';
import { type Checkpoint, open_checkpoint } from '../formats/reader.js';
import { keys_for, stream_versions } from '../plan/keys.js';
import { load_source, type Source } from '../plan/source.js';
import { type Engine, engine_names } from '../random/generator.js';
import { counted } from './format.js';
import { type InputOptions, source_request } from './input-options.js';
import type { Streams } from './program.js';
import { type Progress, show_progress } from './progress.js';
import { measured_report, type Report, verified_report } from './verify-report.js';

/** The options of `nninit verify`, parsed. */
export interface VerifyCommandOptions extends InputOptions {
  /** In [0, 2^64). */
  readonly seed?: bigint;
  readonly engine?: Engine;
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
  const origin = options.statistics ? undefined : origin_of(checkpoint, options, warn);
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
      origin === undefined
        ? measured_report(await measure_checkpoint(checkpoint, source.tensors, { threads, on_progress }), common)
        : verified_report(
            await verify_checkpoint(checkpoint, source.tensors, {
              keys: keys_for(origin.engine, origin.seed, source),
              threads,
              on_progress,
            }),
            { ...common, ...origin },
          );
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

/** What a checkpoint's values are made from. */
interface Origin {
  readonly engine: Engine;
  readonly seed: bigint;
}

/** What to make the values from; undefined for files that nninit did not write, unless the options say. */
function origin_of(
  { files }: Checkpoint,
  options: VerifyCommandOptions,
  warn: (text: string) => void,
): Origin | undefined {
  const told = files.map(({ path, metadata }) => told_by(path, metadata));
  const [first] = told;
  const words = (origin: Origin | undefined) =>
    origin === undefined ? 'no seed of nninit' : `seed ${origin.seed} (${origin.engine})`;
  const other = told.findIndex((origin) => words(origin) !== words(first));
  if (other > 0 && options.seed === undefined) {
    warn(`${files[0]?.path} has ${words(first)}, ${files[other]?.path} ${words(told[other])}: they are not of one run`);
  }
  const found = told.find((origin) => origin !== undefined);
  const seed = options.seed ?? found?.seed;
  return seed === undefined ? undefined : { seed, engine: options.engine ?? found?.engine ?? 'philox' };
}

function told_by(path: string, metadata: ReadonlyMap<string, string>): Origin | undefined {
  const seed = metadata.get('nninit.seed');
  if (seed === undefined) return undefined;
  const [engine, version] = [metadata.get('nninit.engine'), metadata.get('nninit.stream_version')];
  const known = engine_names.find((name) => name === engine);
  if (known === undefined || version !== String(stream_versions[known])) {
    const all = engine_names.map((name) => `${name}, stream version ${stream_versions[name]}`).join(', and ');
    throw new InputError(
      `${path}: it was written with engine ${engine}, stream version ${version}; this version of nninit makes ${all}. ` +
        '--statistics works',
      { path, code: 'ERR_NNINIT_ENGINE' },
    );
  }
  if (!/^\d{1,20}$/.test(seed) || BigInt(seed) >= 2n ** 64n) {
    const text = `${path}: expected a seed in [0, 2^64) in its metadata, but it has ${JSON.stringify(seed)}`;
    throw new InputError(text, { path, code: 'ERR_NNINIT_HEADER' });
  }
  return { engine: known, seed: BigInt(seed) };
}
