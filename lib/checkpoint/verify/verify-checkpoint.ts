import { checkBoolean, checkInteger, checkOneOf, checkOptions, isPlainObject, typeError } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { isFillable } from '../../core/stored-dtype.js';
import { messageText } from '../../core/text.js';
import { version } from '../../core/version.js';
import { type Checkpoint, type FileHeader, readHeaders } from '../../formats/reader.js';
import { layout } from '../../formats/safetensors/header.js';
import { beside, exists, pathOf } from '../../formats/source/source.js';
import { inexactness } from '../../init/inexact.js';
import { maxThreads } from '../../native/addon.js';
import { type Keys, keysFor, streamVersions } from '../../plan/keys.js';
import { isLike, planFrom, planOfSource } from '../../plan/load-plan.js';
import type { Plan, ResolvedTensor } from '../../plan/plan.js';
import { settled, tensorsOf } from '../../plan/resolved.js';
import { checkSeed, type Engine, engineNames } from '../../random/names.js';
import { checkProgressing, type Progressing, progressing } from '../progressing.js';
import { planDigest } from '../virtual/layout.js';
import type { Difference } from './match.js';
import { type Measured, measureCheckpoint } from './statistics/compare.js';
import { comparableBytes, compareTensors } from './verify.js';

/** What a checkpoint's values are made from. */
export interface Origin {
  readonly engine: Engine;
  /** In [0, 2^64). */
  readonly seed: bigint;
}

/** What a look at a checkpoint came to. */
export interface VerifyReport {
  /** Whether all is as planned. */
  readonly ok: boolean;
  /** What all values were made anew from, and compared with byte for byte; undefined where distributions were compared. */
  readonly origin: Origin | undefined;
  /** Tensors that are planned, and bytes that were read. */
  readonly tensors: number;
  readonly bytes: number;
  /** One for each tensor that is missing, not planned, or has another dtype, shape or other values. */
  readonly differences: readonly Difference[];
  /** Where distributions were compared: what was found of each tensor. */
  readonly measured: readonly Measured[] | undefined;
  /** Where distributions were compared: the most that a score may be, in standard errors. */
  readonly limit: number | undefined;
}

export interface VerifyCheckpointOptions extends Progressing {
  /** What it should be; by default what the checkpoint carries, or the plan of the config.json beside it. */
  readonly plan?: Plan | undefined;
  /** In place of what the files tell. */
  readonly seed?: number | bigint | undefined;
  readonly engine?: Engine | undefined;
  /** Compare distributions, whoever wrote the files; the default for files without a seed. Not beside `seed` and `engine`. */
  readonly statistics?: boolean | undefined;
  readonly threads?: number | undefined;
  /** Called once when the headers are read and the work begins. */
  readonly onBegin?: ((work: VerifyWork) => void | Promise<void>) | undefined;
  /** Called with what is odd and no difference; process.emitWarning by default. */
  readonly onWarning?: ((text: string) => void) | undefined;
}

/** What is to be looked at. */
export interface VerifyWork {
  readonly tensors: number;
  readonly files: number;
  readonly bytes: number;
}

const optionNames = [
  'plan',
  'seed',
  'engine',
  'statistics',
  'threads',
  'onBegin',
  'onWarning',
  ...progressing,
] as const;

/**
 * Checks a checkpoint against its plan. Of one that nninit wrote all values are made anew and compared, byte for byte; of others, and with
 * `statistics`, each tensor's mean, standard deviation, shape and extremes are compared with what its initializer gives.
 *
 *     const { ok, differences } = await verifyCheckpoint('out');
 *
 * @param path a file, an index, a manifest, a folder, or the address of one
 * @param options.pool worker threads that make the values; this thread makes them otherwise, and an orthogonal or sparse tensor holds it for as long
 *   as that takes
 * @param options.plan by default what the checkpoint carries, or the plan of the config.json beside it
 * @returns what was found; differences are no errors
 * @throws InputError for what cannot be read; InterruptedError after `signal`; TypeError and RangeError for options
 */
export async function verifyCheckpoint(path: string | URL, options?: VerifyCheckpointOptions): Promise<VerifyReport> {
  const fn = 'verifyCheckpoint';
  if (!(typeof path === 'string' || path instanceof URL) || path === '')
    throw typeError(fn, 'path', 'a path or a URL', path);
  const given = checkOptions(fn, options, optionNames);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const { onBegin, onWarning = (text: string) => process.emitWarning(text) } = options ?? {};
  for (const [name, value] of Object.entries({ onBegin, onWarning })) {
    if (value !== undefined && typeof value !== 'function') throw typeError(fn, name, 'a function', value);
  }
  const seed = given.seed === undefined ? undefined : checkSeed(fn, given.seed);
  const engine = given.engine === undefined ? undefined : checkOneOf(fn, 'engine', given.engine, engineNames);
  const threads = given.threads === undefined ? undefined : checkInteger(fn, 'threads', given.threads, 1, maxThreads);
  const statistics = given.statistics !== undefined && checkBoolean(fn, 'statistics', given.statistics);
  for (const [name, value] of Object.entries({ seed, engine })) {
    if (statistics && value !== undefined) throw typeError(fn, name, 'none beside statistics, which needs none', value);
  }
  if (given.plan !== undefined && !(isPlainObject(given.plan) && Array.isArray(given.plan.tensors))) {
    throw typeError(fn, 'plan', 'what loadPlan gave', given.plan);
  }
  const own = given.plan === undefined ? undefined : settled(given.plan as unknown as Plan);
  const warn = (text: string) => onWarning(messageText(text)); // names of files and tensors are foreign
  using _call = pool?.enter(fn);
  const checkpoint = await readHeaders(pathOf(path), { signal });
  const plan = own ?? (await planCarried(checkpoint, warn, signal)) ?? noPlan(checkpoint);
  const tensors = tensorsOf(plan);
  const origin = statistics ? undefined : originOf(checkpoint, { seed, engine }, warn);
  if (engine !== undefined && origin === undefined && !statistics) {
    const what = `expected a seed beside the engine ${engine}, since the files tell none`;
    throw new InputError(`${checkpoint.path}: ${what}`, { path: checkpoint.path });
  }
  const totalBytes = comparableBytes(checkpoint, tensors);
  await onBegin?.({ tensors: tensors.length, files: checkpoint.files.length, bytes: totalBytes });
  const work = {
    pool,
    threads,
    signal,
    onProgress: onProgress && ((bytes: number) => onProgress({ bytes, totalBytes })),
  };
  if (origin === undefined) {
    const { measured, differences, bytes, limit } = await measureCheckpoint(checkpoint, tensors, work);
    const ok = differences.length === 0 && measured.every(({ consistent }) => consistent);
    const planned = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    for (const { tensor, consistent } of measured) {
      const as = planned.get(tensor);
      if (consistent || as === undefined || !isFillable(as.dtype)) continue;
      const why = inexactness(as.fill, as.dtype, 'torch');
      if (why !== undefined) warn(`${tensor}: if PyTorch or the engine torch made it, ${why}`);
    }
    return { ok, origin, tensors: tensors.length, bytes, differences, measured, limit };
  }
  const keys = keysFor(origin.engine, origin.seed, { tensors, draws: plan.draws });
  const { bytes, differences } = await compareTensors(checkpoint, tensors, { ...work, keys });
  const ok = differences.length === 0;
  const isOwn = given.plan === undefined && seed === undefined && engine === undefined;
  if (ok && isOwn && isLike(plan.source)) refuseOtherHeads(checkpoint, tensors, keys);
  return { ok, origin, tensors: tensors.length, bytes, differences, measured: undefined, limit: undefined };
}

/**
 * Where the plan comes of the files' own names, shapes and dtypes, only the digest in their metadata tells whether these are what was written.
 *
 * @throws InputError (ERR_NNINIT_HEADER) where they are not
 */
function refuseOtherHeads({ path, files }: Checkpoint, tensors: readonly ResolvedTensor[], keys: Keys): void {
  const planned = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  // Those of a manifest share its metadata.
  const groups = new Map<FileHeader['metadata'], FileHeader[]>();
  for (const file of files) {
    const group = groups.get(file.metadata);
    if (group === undefined) groups.set(file.metadata, [file]);
    else group.push(file);
  }
  for (const [metadata, of] of groups) {
    const digest = metadata.get('nninit.plan');
    if (digest === undefined || metadata.get('nninit.version') !== version) continue;
    const held = of.flatMap((file) => file.tensors.flatMap(({ name }) => planned.get(name) ?? []));
    const isOne = of.length === 1;
    if (planDigest(isOne ? layout(held, {}).tensors : held, keys) === digest) continue;
    const where = isOne ? (of[0]?.path ?? path) : path;
    const what =
      "its names, shapes and dtypes are not those that it was written with, says 'nninit.plan' in its metadata";
    throw new InputError(`${where}: ${what}`, { path: where, code: 'ERR_NNINIT_HEADER' });
  }
}

function noPlan({ path: of }: Checkpoint): never {
  const path = beside(of, 'config.json');
  const what = `expected a plan to check against, but there is no ${path}: give the plan that it should be`;
  throw new InputError(`${of}: ${what}`, { path, code: 'ERR_NNINIT_READ' });
}

/** The plan that a checkpoint carries, or that of the config.json beside it; undefined where there is neither. */
export async function planCarried(
  checkpoint: Checkpoint,
  warn: (text: string) => void,
  signal: AbortSignal | undefined,
): Promise<Plan | undefined> {
  const carried = checkpoint.files
    .map(({ metadata }) => metadata.get('nninit.source'))
    .find((text) => text !== undefined);
  const own = beside(checkpoint.path, 'config.json');
  const isThere = await exists(own, signal);
  if (carried !== undefined && (isThere || !carried.includes('"config.json"'))) {
    const plan = await planOfSource(carried, checkpoint.path);
    for (const warning of plan.warnings) warn(warning);
    return plan;
  }
  if (!isThere) return undefined;
  const plan = await planFrom(own, undefined, [], undefined);
  for (const warning of plan.warnings) warn(warning);
  return plan;
}

/** What to make the values from; undefined for files that nninit did not write, unless the options say. */
function originOf(
  { files }: Checkpoint,
  options: { readonly seed: bigint | undefined; readonly engine: Engine | undefined },
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
  if (engine === undefined || version === undefined) {
    const what = `expected "nninit.engine" and "nninit.stream_version" beside "nninit.seed" in its metadata, which is damaged`;
    throw new InputError(`${path}: ${what}: statistics: true works`, { path, code: 'ERR_NNINIT_HEADER' });
  }
  const known = engineNames.find((name) => name === engine);
  if (known === undefined || version !== String(streamVersions[known])) {
    const all = engineNames.map((name) => `${name}, stream version ${streamVersions[name]}`).join(', and ');
    throw new InputError(
      `${path}: it was written with engine ${engine}, stream version ${version}; this version of nninit makes ${all}. ` +
        'statistics: true works',
      { path, code: 'ERR_NNINIT_ENGINE' },
    );
  }
  if (!/^\d{1,20}$/.test(seed) || BigInt(seed) >= 2n ** 64n) {
    const text = `${path}: expected a seed in [0, 2^64) in its metadata, but it has ${JSON.stringify(seed)}`;
    throw new InputError(text, { path, code: 'ERR_NNINIT_HEADER' });
  }
  return { engine: known, seed: BigInt(seed) };
}
