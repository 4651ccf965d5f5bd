import { load_source } from '../checkpoint/source.js';
import type { Written } from '../checkpoint/writer.js';
import type { Dtype } from '../dtype.js';
import type { Signal } from './failure.js';
import { count, counted, size } from './format.js';
import type { Streams } from './program.js';
import { type Progress, show_progress } from './progress.js';

/** The options of `nninit generate`, parsed. */
export interface GenerateOptions {
  readonly output: string;
  /** In [0, 2^64). */
  readonly seed: bigint;
  readonly dtype?: Dtype;
  readonly threads?: number;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

const signals: readonly Signal[] = ['SIGHUP', 'SIGINT', 'SIGTERM'];

/** Writes the checkpoint that a config.json or a recipe describes, and says what was written. */
export async function run_generate(
  input: string,
  options: GenerateOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const start = performance.now();
  const { output, seed, dtype, threads, force, json, quiet } = options;
  const source = await load_source(input, dtype);
  for (const warning of source.warnings) stderr.write(`nninit: warning: ${warning}\n`);

  // Only now: what is wrong with the input is said without the addon too.
  const { engine, stream_version, write_checkpoint } = await import('../checkpoint/writer.js');
  const total = source.tensors.reduce((sum, { bytes }) => sum + bytes, 0);
  let progress: Progress | undefined;
  const abort = new AbortController();
  const on_signal = (signal: Signal) => abort.abort(signal);
  for (const signal of signals) process.on(signal, on_signal);
  let written: Written;
  try {
    written = await write_checkpoint(output, source.tensors, {
      seed,
      config: source.config,
      threads,
      force,
      signal: abort.signal,
      on_begin: async (path) => {
        if (!json && !quiet) progress = await show_progress(stderr, total, source.tensors.length, path);
      },
      on_progress: (done) => progress?.update(done, total),
    });
  } finally {
    progress?.stop();
    for (const signal of signals) process.off(signal, on_signal);
  }
  const seconds = (performance.now() - start) / 1000;
  const rate = written.bytes / seconds / 1e9;
  if (json) {
    const facts = { ...written, seconds, gb_per_s: rate, seed: String(seed), engine, stream_version };
    stdout.write(`${JSON.stringify(facts)}\n`);
  } else if (!quiet) {
    stdout.write(
      `${written.path}: ${counted(written.tensors, 'tensor')}, ${counted(written.parameters, 'parameter')}, ` +
        `${count(written.bytes)} bytes (${size(written.bytes)}) in ${seconds.toFixed(2)} s, ${rate.toFixed(2)} GB/s\n`,
    );
  }
}
