import { type CheckpointProgress, checkProgressing, type Progressing, progressing } from '../checkpoint/progressing.js';
import { pieces } from '../checkpoint/read/read.js';
import { type Difference, match } from '../checkpoint/verify/match.js';
import {
  type MeasuredInDetail,
  measureTensors,
  type Sample,
  valuesOf,
} from '../checkpoint/verify/statistics/compare.js';
import type { Histogram, Score, Statistics } from '../checkpoint/verify/statistics/measure.js';
import { planCarried } from '../checkpoint/verify/verify-checkpoint.js';
import { checkWhole } from '../checkpoint/virtual/check-whole.js';
import { type Executor, onPool, onThisThread } from '../checkpoint/virtual/executor.js';
import { PlannedValues } from '../checkpoint/virtual/planned-values.js';
import { checkInteger, checkOneOf, checkOptions, isPlainObject, typeError } from '../core/check.js';
import type { Dtype } from '../core/dtype.js';
import { isFillable, storedElements } from '../core/stored-dtype.js';
import { type Checkpoint, readHeaders } from '../formats/reader.js';
import { pathOf } from '../formats/source/source.js';
import { get_num_threads, maxThreads } from '../native/addon.js';
import { type Keys, keysFor } from '../plan/keys.js';
import type { Plan, ResolvedTensor } from '../plan/plan.js';
import { settled, tensorsOf } from '../plan/resolved.js';
import { throwIfAborted } from '../pool/operation.js';
import { checkSeed, type Engine, engineNames } from '../random/names.js';
import { Description } from './description.js';
import { type Structure, StructureGauge } from './structure.js';

export type { Difference } from '../checkpoint/verify/match.js';
export type { Histogram, Score, Statistics } from '../checkpoint/verify/statistics/measure.js';
export type { Structure } from './structure.js';

/** What a tensor's elements are like, and what they were to be like. */
export interface TensorFacts {
  readonly name: string;
  /** The name without its numbers, `h.*.attn.c_attn.weight`: what the same parts of all layers share. */
  readonly role: string;
  /** The first number in the name; null where there is none. */
  readonly layer: number | null;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  /** The expected distribution or value; null where nothing says what is expected. */
  readonly expected: string | null;
  /** Absent for what is no sample of a distribution, and was compared number by number. */
  readonly statistics?: Statistics;
  readonly histogram?: Histogram;
  /** Tests of what was found against what was expected, in standard errors. */
  readonly scores: readonly Score[];
  /** The one that was failed by most, or passed by least. */
  readonly worst?: Score;
  readonly consistent: boolean;
  readonly structure?: Structure;
}

/** What the tensors of a model are like. */
export interface TensorReport {
  /** Where they are from: a path, or the name that was given. */
  readonly source: string;
  /** Of a plan's values, in decimal, since JSON has no such integers; undefined for those of files. */
  readonly seed?: string;
  readonly engine?: Engine;
  readonly tensors: readonly TensorFacts[];
  /** Tensors that are missing, not planned, or of another dtype or shape. */
  readonly differences: readonly Difference[];
  /** The most that a score may be, in standard errors: beyond it, chance is no explanation. */
  readonly limit: number;
  readonly bytes: number;
  readonly seconds: number;
}

export interface TensorReportOptions extends Progressing {
  /** Of a plan's values, in [-2^63, 2^64); 0 by default. */
  readonly seed?: number | bigint | undefined;
  /** 'philox' by default. */
  readonly engine?: Engine | undefined;
  /** What a checkpoint should be; by default what it carries, or the plan of the config.json beside it, or nothing. */
  readonly plan?: Plan | undefined;
  /** Native threads, without a pool. */
  readonly threads?: number | undefined;
  /** How the report names a plan. */
  readonly name?: string | undefined;
  /** Called with the bytes that there are to look at, before the first is. */
  readonly onBegin?:
    | ((work: { readonly tensors: number; readonly files: number; readonly bytes: number }) => void | Promise<void>)
    | undefined;
}

const optionNames = ['seed', 'engine', 'plan', 'threads', 'name', 'onBegin', ...progressing] as const;

/**
 * Looks at each tensor of a model: moments, extremes, zeros and a histogram, in one pass, beside what its initializer gives.
 *
 *     const report = await tensorReport(await loadPlan('resnet18'), { seed: 42 });
 *     report.tensors[0];                                   // { name, role, layer, expected, statistics, histogram, worst, … }
 *
 * @param input a plan, whose values are made as they are looked at and never written; or a checkpoint of whoever wrote it: a file, an index, a folder, an
 *   address
 * @throws InputError for what cannot be read; InterruptedError or the signal's reason after `signal`; TypeError and RangeError for options
 */
export async function tensorReport(input: Plan | string | URL, options?: TensorReportOptions): Promise<TensorReport> {
  const fn = 'tensorReport';
  const given = checkOptions(fn, options, optionNames);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const seed = given.seed === undefined ? 0n : checkSeed(fn, given.seed);
  const engine = given.engine === undefined ? 'philox' : checkOneOf(fn, 'engine', given.engine, engineNames);
  const threads =
    given.threads === undefined ? get_num_threads() : checkInteger(fn, 'threads', given.threads, 1, maxThreads);
  const { name, onBegin } = options ?? {};
  if (name !== undefined && typeof name !== 'string') throw typeError(fn, 'name', 'a string', name);
  if (onBegin !== undefined && typeof onBegin !== 'function') throw typeError(fn, 'onBegin', 'a function', onBegin);
  if (given.plan !== undefined && !isPlan(given.plan)) throw typeError(fn, 'plan', 'what loadPlan gave', given.plan);
  // As they are at the call.
  const model = isPlan(input) ? settled(input) : undefined;
  const own = given.plan === undefined ? undefined : settled(given.plan);
  using _call = pool?.enter(fn);
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  const work = (bytes: number) => ({ threads, onProgress: tell(onProgress, bytes) });
  if (model !== undefined) {
    const tensors = tensorsOf(model);
    const bytes = tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
    checkWhole(tensors);
    await onBegin?.({ tensors: tensors.length, files: 0, bytes });
    const executor = pool === undefined ? onThisThread(threads) : onPool(pool, fn);
    const keys = keysFor(engine, seed, { tensors, draws: model.draws });
    const measured = await measure(tensors, madeSamples(tensors, keys, executor, signal), work(bytes));
    return { source: name ?? 'a plan', seed: String(seed), engine, ...measured, differences: [], seconds: seconds() };
  }
  if (!(typeof input === 'string' || input instanceof URL) || String(input) === '') {
    throw typeError(fn, 'input', 'a plan, a path or a URL', input);
  }
  const checkpoint = await readHeaders(pathOf(input), { signal });
  const plan = own ?? (await planCarried(checkpoint, () => {}, signal));
  const { pairs, differences } = plan === undefined ? unplanned(checkpoint) : match(checkpoint, tensorsOf(plan));
  const planned = pairs.map((pair) => pair.planned);
  const bytes = planned.reduce((sum, tensor) => sum + tensor.bytes, 0);
  await onBegin?.({ tensors: planned.length, files: checkpoint.files.length, bytes });
  const samples = pieces(pairs, { signal });
  const measured = await (plan === undefined ? describe : measure)(planned, samples, work(bytes));
  return { source: name ?? checkpoint.path, ...measured, differences, seconds: seconds() };
}

export const isPlan = (value: unknown): value is Plan => isPlainObject(value) && Array.isArray(value.tensors);

function tell(onProgress: ((progress: CheckpointProgress) => void) | undefined, totalBytes: number) {
  return onProgress && ((bytes: number) => onProgress({ bytes, totalBytes }));
}

/** What is made at a time: whole elements of any dtype. */
const chunkBytes = 2 ** 22;

async function* madeSamples(
  tensors: readonly ResolvedTensor[],
  keys: Keys,
  executor: Executor,
  signal: AbortSignal | undefined,
): AsyncGenerator<Sample, void, undefined> {
  const values = new PlannedValues(keys, executor, signal);
  for (const planned of tensors) {
    const pair = { planned };
    for (let begin = 0; begin < planned.bytes; begin += chunkBytes) {
      throwIfAborted(signal);
      const bytes = await values.bytesOf(planned, begin, Math.min(chunkBytes, planned.bytes - begin));
      yield { pair, begin: storedElements(planned.dtype, begin), bytes };
    }
  }
}

interface Work {
  readonly threads: number;
  readonly onProgress: ((bytes: number) => void) | undefined;
}

type Found = Pick<TensorReport, 'tensors' | 'limit' | 'bytes'>;

/** Beside what a plan expects. */
async function measure(tensors: readonly ResolvedTensor[], samples: AsyncIterable<Sample>, work: Work): Promise<Found> {
  const gauges = new Map(tensors.map((planned) => [planned.name, StructureGauge.of(planned)]));
  const { measured, limit, bytes } = await measureTensors(tensors, seenBy(gauges, samples), work);
  return { tensors: measured.map((each) => factsOf(each, gauges.get(each.tensor)?.result())), limit, bytes };
}

/** The same samples, which structures see on their way. */
async function* seenBy(
  gauges: ReadonlyMap<string, StructureGauge | undefined>,
  samples: AsyncIterable<Sample>,
): AsyncGenerator<Sample, void, undefined> {
  for await (const sample of samples) {
    const { name, dtype } = sample.pair.planned;
    const gauge = gauges.get(name);
    if (gauge !== undefined) for (const { values } of valuesOf(sample, dtype as Dtype)) gauge.add(values, dtype);
    yield sample;
  }
}

function factsOf({ tensor, expected, ...rest }: MeasuredInDetail, structure: Structure | undefined): TensorFacts {
  return { name: tensor, ...placeOf(tensor), expected, ...rest, ...(structure && { structure }) };
}

function placeOf(name: string): { readonly role: string; readonly layer: number | null } {
  const number = /(?<=^|\.)\d+(?=\.|$)/g;
  const [first] = name.match(number) ?? [];
  return { role: name.replace(number, '*'), layer: first === undefined ? null : Number(first) };
}

/** All tensors of a checkpoint of which nothing is expected. */
function unplanned({ tensors }: Checkpoint) {
  const pairs = Array.from(tensors.values(), (found) => {
    const { name, shape, dtype, offsets } = found;
    const bytes = offsets[1] - offsets[0];
    const elements = storedElements(dtype, bytes);
    const fill = { kind: 'constant', value: 0 } as const;
    const planned: ResolvedTensor = { name, shape, dtype, initializer: 'zeros', fill, elements, bytes, stream: 0n };
    return { planned, found };
  });
  return { pairs, differences: [] };
}

/** As they are, where nothing is expected. */
async function describe(
  tensors: readonly ResolvedTensor[],
  samples: AsyncIterable<Sample>,
  { onProgress }: Work,
): Promise<Found> {
  const descriptions = new Map<ResolvedTensor, Description>();
  let bytes = 0;
  for await (const sample of samples) {
    const { planned } = sample.pair;
    const { dtype } = planned;
    bytes += sample.bytes.length;
    if (isFillable(dtype)) {
      const description = descriptions.get(planned) ?? new Description();
      descriptions.set(planned, description);
      for (const { values } of valuesOf(sample, dtype)) description.add(values, dtype);
    }
    onProgress?.(bytes);
  }
  const facts = tensors.map((planned): TensorFacts => {
    const { name, dtype, shape, elements } = planned;
    const found = descriptions.get(planned)?.result();
    return { name, ...placeOf(name), dtype, shape, elements, expected: null, ...found, scores: [], consistent: true };
  });
  return { tensors: facts, limit: 0, bytes };
}
