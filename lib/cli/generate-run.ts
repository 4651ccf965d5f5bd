import { Writable } from 'node:stream';
import type { Written } from '../checkpoint/write/write.js';
import { InputError, stdoutName } from '../core/errors.js';
import { count, counted, size } from '../core/text.js';
import type { Format } from '../formats/format.js';
import type { Keys } from '../plan/keys.js';
import { loadSource, type Source } from '../plan/source.js';
import type { Engine } from '../random/generator.js';
import { type InputOptions, sourceRequest } from './input-options.js';
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
  const source = await loadSource(sourceRequest(input, options));
  for (const warning of source.warnings) streams.stderr.write(`nninit: warning: ${warning}\n`);
  // Only now: what is wrong with the input is said without the addon too.
  const { keysFor, streamVersions } = await import('../plan/keys.js');
  const { engine, seed } = options;
  const keys = keysFor(engine, seed, source);
  const written = await withSignals((signal) =>
    toStdout ? toStream(source, keys, options, streams, signal) : toFolder(source, keys, options, streams, signal),
  );
  summarize(
    written,
    options,
    streamVersions[engine],
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
  source: Source,
  keys: Keys,
  options: GenerateOptions,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  const { writeCheckpoint } = await import('../checkpoint/write/write.js');
  const { output, format, maxShardSize, threads, resume, force, json, quiet } = options;
  let progress: Progress | undefined;
  try {
    return await writeCheckpoint(output, source.tensors, {
      keys,
      format,
      maxShardSize: maxShardSize,
      config: source.config,
      threads,
      resume,
      force,
      signal,
      onBegin: async (work) => {
        if (!json && !quiet) progress = await showProgress(stderr, work);
      },
      onProgress: (written) => progress?.update(written),
    });
  } finally {
    progress?.stop();
  }
}

async function toStream(
  source: Source,
  keys: Keys,
  { threads, json, quiet }: GenerateOptions,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  const { sinkOf, streamCheckpoint } = await import('../checkpoint/write/stdout.js');
  if (!(stdout instanceof Writable)) throw new InputError('there is no standard output to write to');
  const sink = sinkOf(stdout);
  const bytes = source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const work = { path: stdoutName, tensors: source.tensors.length, files: 1, bytes, doneBytes: 0 };
  const progress = json || quiet ? undefined : await showProgress(stderr, work);
  try {
    return await streamCheckpoint(sink, source.tensors, {
      keys,
      threads,
      signal,
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
