import { Writable } from 'node:stream';
import type { Part } from '../checkpoint/write/parts/shares.js';
import { isAddress } from '../checkpoint/write/s3/address.js';
import type { Written } from '../checkpoint/write/write.js';
import { InputError, stdoutName } from '../core/errors.js';
import { isFillable } from '../core/stored-dtype.js';
import { count, counted, printable, size } from '../core/text.js';
import type { Format } from '../formats/names.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { Engine } from '../random/generator.js';
import { type InputOptions, planOfInput } from './input-options.js';
import { writeJson } from './json.js';
import { partOfJob } from './part.js';
import type { Streams } from './program.js';
import { type Progress, showProgress } from './progress.js';
import { warn } from './say.js';
import { withSignals } from './signals.js';

/** The options of `nninit generate`, parsed. */
export interface GenerateOptions extends InputOptions {
  /** A folder, or `-` for standard output. */
  readonly output: string;
  /** In [0, 2^64). */
  readonly seed: bigint;
  readonly seeds?: readonly bigint[];
  readonly engine: Engine;
  readonly format: Format;
  readonly maxShardSize?: number;
  readonly name?: string;
  readonly threads?: number;
  /** `true` for the one that the job's variables name. */
  readonly part?: Part | true;
  readonly finish?: 'auto';
  /** `true` for the address that REDIS_URL has. */
  readonly redis?: string | true;
  readonly parts?: number;
  readonly priority?: number;
  readonly detach?: true;
  readonly cancel?: true;
  readonly resume?: true;
  readonly force?: true;
  readonly json?: true;
  readonly quiet?: true;
}

interface WithPart extends Omit<GenerateOptions, 'part'> {
  readonly part?: Part | undefined;
}

/** Writes the checkpoint that a config.json or a recipe describes, and says what was written. */
export async function runGenerate(
  input: string | undefined,
  options: GenerateOptions,
  streams: Streams,
): Promise<void> {
  const start = performance.now();
  const { json } = options;
  const toStdout = options.output === '-';
  if (toStdout) refuseWithStdout(options);
  const part = options.part === true ? partOfJob(process.env) : options.part;
  if (options.finish !== undefined && part === undefined) throw new InputError('expected --part beside --finish auto');
  if (options.redis === undefined) refuseWithoutRedis(options);
  const plan = await planOfInput(input, options);
  const warnings = [...plan.warnings, ...(await inexactTensors(plan, options.engine))];
  for (const warning of warnings) warn(streams.stderr, warning);
  if (options.redis !== undefined) {
    const { runOrder } = await import('./order-run.js');
    await runOrder(plan, options, streams);
    return;
  }
  if (options.seeds !== undefined) {
    await withSignals((signal) => toFolders(plan, { ...options, part }, streams, signal), { json });
    return;
  }
  // What was sent to an object store beside the checkpoint that it replaces is not gone on with.
  const beginsAnew = options.force === true && isAddress(options.output);
  const written = await (toStdout
    ? withSignals((signal) => toStream(plan, options, streams, signal), { json })
    : withSignals((signal) => toFolder(plan, { ...options, part }, streams, signal), {
        left: `; what was begun stays: ${beginsAnew ? '' : '--resume goes on, '}--force starts anew`,
        json,
      }));
  const { streamVersions } = await import('../plan/keys.js');
  summarize(
    written,
    { ...options, part },
    streamVersions[options.engine],
    (performance.now() - start) / 1000,
    toStdout ? streams.stderr : streams.stdout,
  );
}

function refuseWithoutRedis({ parts, priority, detach, cancel }: GenerateOptions): void {
  const given = Object.entries({ '--parts': parts, '--priority': priority, '--detach': detach, '--cancel': cancel });
  const [option] = given.find(([, value]) => value !== undefined) ?? [];
  if (option !== undefined) throw new InputError(`expected --redis beside ${option}`);
}

/** A warning for each reason why tensors will not follow their distributions, with the first such tensor. */
export async function inexactTensors(plan: LoadedPlan, engine: Engine): Promise<string[]> {
  if (engine !== 'torch') return [];
  const [{ inexactness }, { tensorsOf }] = await Promise.all([
    import('../init/inexact.js'),
    import('../plan/resolved.js'),
  ]);
  const found = new Map<string, string[]>();
  for (const { name, dtype, fill } of tensorsOf(plan)) {
    const why = isFillable(dtype) ? inexactness(fill, dtype, engine) : undefined;
    const known = why === undefined ? undefined : found.get(why);
    if (known !== undefined) known.push(name);
    else if (why !== undefined) found.set(why, [name]);
  }
  return Array.from(found, ([why, [first = '', ...more]]) => {
    return `${printable(first)}${more.length > 0 ? ` and ${counted(more.length, 'more tensor')}` : ''}: ${why}`;
  });
}

function refuseWithStdout({ format, maxShardSize, name, seeds, redis, part, resume, force }: GenerateOptions): void {
  const given = Object.entries({
    '--max-shard-size': maxShardSize,
    '--name': name,
    '--part': part,
    '--seeds': seeds,
    '--redis': redis,
    '--resume': resume,
    '--force': force,
  });
  const [option] = given.find(([, value]) => value !== undefined) ?? [];
  if (option !== undefined) throw new InputError(`-o - writes one file from beginning to end, without ${option}`);
  if (format !== 'safetensors') throw new InputError(`-o - writes safetensors, not ${format}`);
}

async function toFolder(
  plan: LoadedPlan,
  { output, seed, engine, format, maxShardSize, name, threads, part, finish, resume, force, json, quiet }: WithPart,
  { stderr }: Streams,
  signal: AbortSignal,
): Promise<Written> {
  // Only now: what is wrong with the input is said without the addon too.
  const { writeCheckpoint } = await import('../checkpoint/write/write-checkpoint.js');
  let progress: Progress | undefined;
  try {
    return await writeCheckpoint(plan, output, {
      ...{ seed, engine, format, maxShardSize, name, threads, signal },
      part: part && { ...part, finish },
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

/** A checkpoint for each of many seeds. */
async function toFolders(
  plan: LoadedPlan,
  { output, seeds = [], engine, format, maxShardSize, name, threads, part, resume, force, json, quiet }: WithPart,
  { stdout, stderr }: Streams,
  signal: AbortSignal,
): Promise<void> {
  const { writeEnsemble } = await import('../checkpoint/write/ensemble.js');
  const start = performance.now();
  let progress: Progress | undefined;
  const tensors = plan.tensors.length;
  const [checkpoints, bytes] = [seeds.length, plan.bytes * seeds.length];
  const work = { path: output, checkpoints, tensors, files: 1, bytes, doneBytes: 0 };
  if (!json && !quiet && part === undefined) progress = await showProgress(stderr, work);
  try {
    const { bytes, resumedBytes, ...written } = await writeEnsemble(plan, output, {
      ...{ seeds, engine, format, maxShardSize, name, threads, part, signal },
      existing: force ? 'replace' : resume ? 'resume' : 'refuse',
      onProgress: (done) => progress?.update(done.bytes),
    });
    progress?.stop();
    const seconds = (performance.now() - start) / 1000;
    const facts = { ...written, seeds: written.seeds.map(String), bytes, resumedBytes, seconds, engine };
    if (json) writeJson(stdout, facts);
    else if (!quiet) {
      const there = resumedBytes > 0 ? ` (${size(resumedBytes)} were there already)` : '';
      const what = `${counted(written.seeds.length, 'checkpoint')}, ${count(bytes)} bytes (${size(bytes)})`;
      stdout.write(`${printable(output)}: ${what} in ${seconds.toFixed(2)} s${there}\n`);
    }
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
  { seed, engine, part, json, quiet }: WithPart,
  streamVersion: number,
  seconds: number,
  output: Streams['stdout'],
): void {
  const { path, files, tensors, parameters, bytes, resumedBytes } = written;
  const rate = (bytes - resumedBytes) / seconds / 1e9;
  if (json) {
    const rates = part === undefined ? { seconds, gbPerS: rate } : { part, seconds };
    const facts = { ...written, ...rates, seed: String(seed), engine, streamVersion };
    writeJson(output, facts);
    return;
  }
  if (quiet) return;
  if (!written.complete && part !== undefined) {
    output.write(`${printable(path)}: part ${part.index}/${part.count} is written in ${seconds.toFixed(2)} s\n`);
    return;
  }
  const parts = [
    ...(files > 1 ? [counted(files, 'file')] : []),
    counted(tensors, 'tensor'),
    counted(parameters, 'parameter'),
    `${count(bytes)} bytes (${size(bytes)})`,
  ];
  const there = resumedBytes > 0 ? ` (${size(resumedBytes)} were there already)` : '';
  output.write(`${printable(path)}: ${parts.join(', ')} in ${seconds.toFixed(2)} s${there}, ${rate.toFixed(2)} GB/s\n`);
}
