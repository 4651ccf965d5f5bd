import { Writable } from 'node:stream';
import type { Written } from '../checkpoint/write/write.js';
import { InputError, stdout_name } from '../core/errors.js';
import type { Format } from '../formats/output-file.js';
import type { Keys } from '../plan/keys.js';
import { load_source, type Source } from '../plan/source.js';
import type { Engine } from '../random/generator.js';
import { count, counted, size } from './format.js';
import { type InputOptions, source_request } from './input-options.js';
import type { Streams } from './program.js';
import { type Progress, show_progress } from './progress.js';
import { with_signals } from './signals.js';

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
export async function run_generate(
  input: string | undefined,
  options: GenerateOptions,
  streams: Streams,
): Promise<void> {
  const start = performance.now();
  const to_stdout = options.output === '-';
  if (to_stdout) refuse_with_stdout(options);
  const source = await load_source(source_request(input, options));
  for (const warning of source.warnings) streams.stderr.write(`nninit: warning: ${warning}\n`);
  // Only now: what is wrong with the input is said without the addon too.
  const { keys_for, stream_versions } = await import('../plan/keys.js');
  const { engine, seed } = options;
  const keys = keys_for(engine, seed, source);
  const written = await with_signals((signal) =>
    to_stdout ? to_stream(source, keys, options, streams, signal) : to_folder(source, keys, options, streams, signal),
  );
  summarize(
    written,
    options,
    stream_versions[engine],
    (performance.now() - start) / 1000,
    to_stdout ? streams.stderr : streams.stdout,
  );
}

function refuse_with_stdout({ format, maxShardSize, resume, force }: GenerateOptions): void {
  const given = Object.entries({ '--max-shard-size': maxShardSize, '--resume': resume, '--force': force });
  const [option] = given.find(([, value]) => value !== undefined) ?? [];
  if (option !== undefined) throw new InputError(`-o - writes one file from beginning to end, without ${option}`);
  if (format !== 'safetensors') throw new InputError(`-o - writes safetensors, not ${format}`);
}

async function to_folder(
  source: Source,
  keys: Keys,
  options: GenerateOptions,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  const { write_checkpoint } = await import('../checkpoint/write/write.js');
  const { output, format, maxShardSize, threads, resume, force, json, quiet } = options;
  let progress: Progress | undefined;
  try {
    return await write_checkpoint(output, source.tensors, {
      keys,
      format,
      max_shard_size: maxShardSize,
      config: source.config,
      threads,
      resume,
      force,
      signal,
      on_begin: async (work) => {
        if (!json && !quiet) progress = await show_progress(stderr, work);
      },
      on_progress: (written) => progress?.update(written),
    });
  } finally {
    progress?.stop();
  }
}

async function to_stream(
  source: Source,
  keys: Keys,
  { threads, json, quiet }: GenerateOptions,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  const { sink_of, stream_checkpoint } = await import('../checkpoint/write/stdout.js');
  if (!(stdout instanceof Writable)) throw new InputError('there is no standard output to write to');
  const sink = sink_of(stdout);
  const bytes = source.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  const work = { path: stdout_name, tensors: source.tensors.length, files: 1, bytes, done_bytes: 0 };
  const progress = json || quiet ? undefined : await show_progress(stderr, work);
  try {
    return await stream_checkpoint(sink, source.tensors, {
      keys,
      threads,
      signal,
      on_progress: (written) => progress?.update(written),
    });
  } finally {
    progress?.stop();
  }
}

function summarize(
  written: Written,
  { seed, engine, json, quiet }: GenerateOptions,
  stream_version: number,
  seconds: number,
  output: Streams['stdout'],
): void {
  const { path, files, tensors, parameters, bytes, resumed_bytes } = written;
  const rate = (bytes - resumed_bytes) / seconds / 1e9;
  if (json) {
    const facts = { ...written, seconds, gb_per_s: rate, seed: String(seed), engine, stream_version };
    output.write(`${JSON.stringify(facts)}\n`);
    return;
  }
  if (quiet) return;
  const parts = [
    ...(files > 1 ? [counted(files, 'file')] : []),
    counted(tensors, 'tensor'),
    counted(parameters, 'parameter'),
    `${count(bytes)} bytes (${size(bytes)})`,
  ];
  const there = resumed_bytes > 0 ? ` (${size(resumed_bytes)} were there already)` : '';
  output.write(`${path}: ${parts.join(', ')} in ${seconds.toFixed(2)} s${there}, ${rate.toFixed(2)} GB/s\n`);
}
