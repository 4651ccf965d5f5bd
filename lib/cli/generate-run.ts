import { Writable } from 'node:stream';
import type { Written } from '../checkpoint/write/write.js';
import { InputError, stdoutName } from '../core/errors.js';
import { count, counted, size } from '../core/text.js';
import type { Format } from '../formats/names.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { Engine } from '../random/generator.js';
import { type InputOptions, planOfInput } from './input-options.js';
import { writeJson } from './json.js';
import type { Streams } from './program.js';
import { type Progress, showProgress } from './progress.js';
import { withSignals } from './signals.js';

/** The options of `nninit generate`, parsed. */
export interface GenerateOptions extends InputOptions {
  /** A folder, or `-` for standard output. */
  readonly output: string;
  /** In [0, 2^64). */
  readonly seed: bigint;
  readonly engine: Engine;
  readonly format: Format;
  readonly maxShardSize?: number;
  readonly threads?: number;
  readonly resume?: true;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

/** Writes the checkpoint that a config.json or a recipe describes, and says what was written. */
export async function runGenerate(
  input: string | undefined,
  options: GenerateOptions,
  streams: Streams,
): Promise<void> {
  const start = performance.now();
  const toStdout = options.output === '-';
  if (toStdout) refuseWithStdout(options);
  const plan = await planOfInput(input, options);
  for (const warning of plan.warnings) streams.stderr.write(`nninit: warning: ${warning}\n`);
  const written = await withSignals((signal) =>
    toStdout ? toStream(plan, options, streams, signal) : toFolder(plan, options, streams, signal),
  );
  const { streamVersions } = await import('../plan/keys.js');
  summarize(
    written,
    options,
    streamVersions[options.engine],
    (performance.now() - start) / 1000,
    toStdout ? streams.stderr : streams.stdout,
  );
}

function refuseWithStdout({ format, maxShardSize, resume, force }: GenerateOptions): void {
  const given = Object.entries({ '--max-shard-size': maxShardSize, '--resume': resume, '--force': force });
  const [option] = given.find(([, value]) => value !== undefined) ?? [];
  if (option !== undefined) throw new InputError(`-o - writes one file from beginning to end, without ${option}`);
  if (format !== 'safetensors') throw new InputError(`-o - writes safetensors, not ${format}`);
}

async function toFolder(
  plan: LoadedPlan,
  { output, seed, engine, format, maxShardSize, threads, resume, force, json, quiet }: GenerateOptions,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  // Only now: what is wrong with the input is said without the addon too.
  const { writeCheckpoint } = await import('../checkpoint/write/write-checkpoint.js');
  if (resume && force) throw new InputError('expected at most one of --resume and --force');
  let progress: Progress | undefined;
  try {
    return await writeCheckpoint(plan, output, {
      ...{ seed, engine, format, maxShardSize, threads, signal },
      existing: force ? 'replace' : resume ? 'resume' : 'refuse',
      onBegin: async (work) => {
        if (!json && !quiet) progress = await showProgress(stderr, work);
      },
      onProgress: ({ bytes }) => progress?.update(bytes),
    });
  } finally {
    progress?.stop();
  }
}

async function toStream(
  plan: LoadedPlan,
  { seed, engine, threads, json, quiet }: GenerateOptions,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  const { sinkOf, writeToSink } = await import('../checkpoint/write/stdout.js');
  if (!(stdout instanceof Writable)) throw new InputError('there is no standard output to write to');
  const sink = sinkOf(stdout);
  const work = { path: stdoutName, tensors: plan.tensors.length, files: 1, bytes: plan.bytes, doneBytes: 0 };
  const progress = json || quiet ? undefined : await showProgress(stderr, work);
  try {
    return await writeToSink(sink, plan, {
      ...{ seed, engine, threads, signal },
      onProgress: (written) => progress?.update(written),
    });
  } finally {
    progress?.stop();
  }
}

function summarize(
  written: Written,
  { seed, engine, json, quiet }: GenerateOptions,
  streamVersion: number,
  seconds: number,
  output: Streams['stdout'],
): void {
  const { path, files, tensors, parameters, bytes, resumedBytes } = written;
  const rate = (bytes - resumedBytes) / seconds / 1e9;
  if (json) {
    const facts = { ...written, seconds, gbPerS: rate, seed: String(seed), engine, streamVersion };
    writeJson(output, facts);
    return;
  }
  if (quiet) return;
  const parts = [
    ...(files > 1 ? [counted(files, 'file')] : []),
    counted(tensors, 'tensor'),
    counted(parameters, 'parameter'),
    `${count(bytes)} bytes (${size(bytes)})`,
  ];
  const there = resumedBytes > 0 ? ` (${size(resumedBytes)} were there already)` : '';
  output.write(`${path}: ${parts.join(', ')} in ${seconds.toFixed(2)} s${there}, ${rate.toFixed(2)} GB/s\n`);
}
