import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { measureCheckpoint } from '../checkpoint/verify/statistics/compare.js';
import { comparableBytes, verifyCheckpoint } from '../checkpoint/verify/verify.js';
import { InputError } from '../core/errors.js';
import { counted } from '../core/text.js';
import { type Checkpoint, openCheckpoint } from '../formats/reader.js';
import { keysFor, streamVersions } from '../plan/keys.js';
import { loadSource, type Source } from '../plan/source.js';
import { type Engine, engineNames } from '../random/generator.js';
import { type InputOptions, sourceRequest } from './input-options.js';
import { writeJson } from './json.js';
import type { Streams } from './program.js';
import { type Progress, showProgress } from './progress.js';
import { measuredReport, type Report, verifiedReport } from './verify-report.js';

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
export async function runVerify(
  path: string,
  input: string | undefined,
  options: VerifyCommandOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const start = performance.now();
  const warn = (text: string) => stderr.write(`nninit: warning: ${text}\n`);
  const checkpoint = await openCheckpoint(path);
  const source = await planFor(checkpoint, input, options);
  for (const warning of source.warnings) warn(warning);
  const origin = options.statistics ? undefined : originOf(checkpoint, options, warn);
  let progress: Progress | undefined;
  if (!options.json && !options.quiet) {
    const bytes = comparableBytes(checkpoint, source.tensors);
    const { tensors, files } = { tensors: source.tensors.length, files: checkpoint.files.length };
    progress = await showProgress(stderr, { path, tensors, files, bytes, doneBytes: 0, verb: 'checking … of' });
  }
  const onProgress = (done: number): void => progress?.update(done);
  let report: Report;
  try {
    const { threads } = options;
    const common = { path, seconds: () => (performance.now() - start) / 1000 };
    report =
      origin === undefined
        ? measuredReport(await measureCheckpoint(checkpoint, source.tensors, { threads, onProgress }), common)
        : verifiedReport(
            await verifyCheckpoint(checkpoint, source.tensors, {
              keys: keysFor(origin.engine, origin.seed, source),
              threads,
              onProgress,
            }),
            { ...common, ...origin },
          );
  } finally {
    progress?.stop();
  }
  if (options.json) writeJson(stdout, report.facts);
  else if (!options.quiet) stdout.write(report.text);
  if (report.differing > 0) {
    throw new Error(`${path}: ${counted(report.differing, 'tensor')} not as planned${firstOf(report)}`);
  }
}

function firstOf({ first }: Report): string {
  return first === undefined ? '' : `; the first: ${first}`;
}

async function planFor(
  checkpoint: Checkpoint,
  input: string | undefined,
  options: VerifyCommandOptions,
): Promise<Source> {
  if (input !== undefined || options.like !== undefined) return await loadSource(sourceRequest(input, options));
  const own = join(checkpoint.folder, 'config.json');
  try {
    await stat(own);
  } catch {
    throw new InputError(
      `${checkpoint.path}: expected a plan to check against, but there is no ${own}: give an input, or --like with rules`,
      { path: own, code: 'ERR_NNINIT_READ' },
    );
  }
  return await loadSource(sourceRequest(own, options));
}

/** What a checkpoint's values are made from. */
interface Origin {
  readonly engine: Engine;
  readonly seed: bigint;
}

/** What to make the values from; undefined for files that nninit did not write, unless the options say. */
function originOf(
  { files }: Checkpoint,
  options: VerifyCommandOptions,
  warn: (text: string) => void,
): Origin | undefined {
  const told = files.map(({ path, metadata }) => toldBy(path, metadata));
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

function toldBy(path: string, metadata: ReadonlyMap<string, string>): Origin | undefined {
  const seed = metadata.get('nninit.seed');
  if (seed === undefined) return undefined;
  const [engine, version] = [metadata.get('nninit.engine'), metadata.get('nninit.stream_version')];
  const known = engineNames.find((name) => name === engine);
  if (known === undefined || version !== String(streamVersions[known])) {
    const all = engineNames.map((name) => `${name}, stream version ${streamVersions[name]}`).join(', and ');
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
