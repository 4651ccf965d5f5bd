import { getSystemErrorName } from 'node:util';
import { grantedCores } from '../core/cgroup.js';
import { checkInteger, rangeError } from '../core/check.js';
import { type Dtype, dtypes, type TensorData } from '../core/dtype.js';
import { type Fill, isRandom } from '../core/fill.js';
import { loadAddon } from './load.js';
import { type AtOnce, Request } from './request.js';

export type { AtOnce } from './request.js';

/** What a random fill's values depend on besides the index, in the engine philox: seed and number of the stream, both in [0, 2^64). */
export interface PhiloxKey {
  readonly seed: bigint;
  readonly stream: bigint;
}

/** The same in the engine torch: PyTorch's generator at the fill's beginning (5,056 bytes), and the whole fill's elements. */
export interface TorchKey {
  readonly state: Uint8Array;
  readonly total: number;
  /** Where in the fill index 0 is: for a tensor that is a part of what was drawn. */
  readonly offset?: number;
}

/** What a random fill's values depend on besides the index. Whoever passes it on need not know the engine. */
export type Key = PhiloxKey | TorchKey;

/** Whether a key is of the engine torch. */
export function isTorchKey(key: Key): key is TorchKey {
  return 'state' in key;
}

/** What a call asks for in numbers stands in the request. */
export interface Addon {
  request(numbers: Float64Array): Float64Array;
  fill(data: TensorData, cancel?: Int32Array): boolean;
  fillRuns(data: TensorData, runs: Float64Array, cancel?: Int32Array): boolean;
  torchFill(data: TensorData, state: Uint8Array, advance: boolean, cancel?: Int32Array): number;
  torchSkip(state: Uint8Array): void;
  torchSeed(state: Uint8Array, seed: bigint): void;
  torchCheck(state: Uint8Array): string;
  widen(data: Uint16Array, dtype: number, out: Float32Array): void;
  tally(data: TensorData, dtype: number, range: Float64Array, out: Float64Array): void;
  fillCodes(out: Uint8Array, grid: number, encoding: Float64Array, cancel?: Int32Array): boolean;
  encode(values: Float32Array, grid: number, encoding: Float64Array, out: Uint8Array, apart: boolean): void;
  decode(codes: Uint8Array, grid: number, out: Float32Array): void;
  packWords(codes: Uint8Array, layout: Float64Array, out: Uint32Array): void;
  prepare(data: Uint8Array): void;
  syncFile(descriptor: number): Promise<number>;
  standBack(niceness: number): void;
  accountMemory(bytes: number, freed: boolean): void;
  startSignalGuard(milliseconds: number, message: string): boolean;
  stopSignalGuard(): void;
  setNumThreads(threads: number): void;
  limitThreads(cores: number): void;
  getNumThreads(): number;
  target(): string;
  targets(): string[];
  forceTarget(name: string | null): void;
}

/** The most threads that one fill may ask for. */
export const maxThreads = 1024;

/**
 * What NNINIT_THREADS says is read by the addon, once, which passes over what it cannot use.
 *
 * @throws RangeError unless it is a number of threads, or empty, which counts as not set
 */
export function checkThreadsVariable(): void {
  const text = process.env.NNINIT_THREADS ?? '';
  if (text === '' || (/^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= maxThreads)) return;
  throw rangeError('nninit', 'the environment variable NNINIT_THREADS', `an integer from 1 to ${maxThreads}`, text);
}

function load(): Addon {
  checkThreadsVariable();
  const addon = loadAddon() as Addon;
  addon.limitThreads(Math.min(grantedCores() ?? maxThreads, maxThreads));
  return addon;
}

let loaded: Addon | undefined;
let request: Request | undefined;

/** Loaded when it is first needed: a generator that only keeps a seed, and a plan that is only printed, need none. */
export function addon(): Addon {
  loaded ??= load();
  return loaded;
}

/** The request, with a fill in it. */
export function requestFor(dtype: Dtype, fill: Fill): Request {
  request ??= new Request((numbers) => addon().request(numbers));
  request.writeFill(dtype, fill);
  return request;
}

/** For fills that are not random. */
export const noKey: PhiloxKey = { seed: 0n, stream: 0n };

/**
 * Writes elements [begin, begin + data.length) of a fill into `data`.
 *
 * @param key ignored by fills that are not random
 * @param begin index of data[0] within the fill; must be 0 for whole-matrix fills
 * @param threads native threads to use; 0 for the number that set_num_threads set
 * @param cancel one element in shared memory: when another thread makes it non-zero, the fill stops within a millisecond. In a second one an
 *   orthogonal fill tells how many thousandths of its last and longest step are done
 * @param atOnce all that is being filled, other threads' parts included: what is larger than the caches is written around them
 * @returns true, or false if the fill was cancelled and `data` is partly written
 */
export function fillRange(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: Key = noKey,
  begin = 0,
  threads = 0,
  cancel?: Int32Array,
  atOnce?: AtOnce,
): boolean {
  if (isTorchKey(key) && isRandom(fill)) {
    if (runTorchRange(data, dtype, fill, key, begin, threads, cancel, atOnce) > 0) return true;
    if (cancel === undefined || Atomics.load(cancel, 0) === 0) throw tooManyRounds();
    return false;
  }
  const request = requestFor(dtype, fill);
  request.writeKey(isTorchKey(key) ? noKey : key);
  request.writeRange(begin, threads, atOnce);
  return addon().fill(data, cancel);
}

/**
 * Writes elements [begin, begin + data.length) of a rectangular part of a fill into `data`: of runs of `length` consecutive
 * elements, nested loops over which say where they begin. Not for whole-matrix fills.
 *
 * @param runs offset and length, then the count and stride of each loop, outermost first; at most 8 loops
 * @param begin index of data[0] within the part
 */
export function fillRuns(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: Key,
  runs: Float64Array,
  begin: number,
  threads = 0,
  cancel?: Int32Array,
): boolean {
  const request = requestFor(dtype, fill);
  request.writeKey(isTorchKey(key) ? noKey : key);
  request.writeRange(begin, threads, undefined);
  return addon().fillRuns(data, runs, cancel);
}

/**
 * Writes a whole fill of the engine torch and moves the state to its end.
 *
 * @returns how often values were drawn: a truncated normal is drawn again while any value lies outside its bounds; 0 if
 *   cancelled or if they would be drawn on and on, which leaves the state as it was
 */
export function runTorchFill(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  state: Uint8Array,
  threads = 0,
  cancel?: Int32Array,
): number {
  const request = requestFor(dtype, fill);
  request.writeRange(0, threads, undefined);
  request.writeTotal(data.length);
  return inItsWords(fill, () => addon().torchFill(data, state, true, cancel));
}

/**
 * Like fillRange in the engine torch, for a range, which leaves the state as it is.
 *
 * @param key the state at the whole fill's beginning, its number of elements, and where in it index 0 is
 * @param begin index of data[0]
 * @returns how often the range's values were drawn, 0 as from runTorchFill; the whole fill takes the most over its ranges
 */
export function runTorchRange(
  data: TensorData,
  dtype: Dtype,
  fill: Fill,
  key: TorchKey,
  begin: number,
  threads = 0,
  cancel?: Int32Array,
  atOnce?: AtOnce,
): number {
  const { state, total, offset = 0 } = key;
  const request = requestFor(dtype, fill);
  request.writeRange(offset + begin, threads, atOnce);
  request.writeTotal(total);
  return inItsWords(fill, () => addon().torchFill(data, state, false, cancel));
}

/** For a truncated normal whose draws would go on and on. */
export function tooManyRounds(): Error {
  const text =
    'trunc_normal_: expected bounds that candidates meet within 100,000 draws of the engine torch, as PyTorch would draw ' +
    'on and on; the engine philox has no such limit';
  return Object.assign(new RangeError(text), { code: 'ERR_OUT_OF_RANGE' });
}

/** What PyTorch cannot draw, only the native side knows: it is said in the words of whoever asked for the fill. */
function inItsWords<T>(fill: Fill, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    const why = cause.message.replace(/^native \w+: /, '');
    const given = Object.entries(fill).flatMap(([name, value]) => (name === 'kind' ? [] : [`${name} ${value}`]));
    const text = `${fill.kind}_: in the engine torch ${why}, but received ${given.join(', ')}`;
    throw Object.assign(new RangeError(text, { cause }), { code: 'ERR_OUT_OF_RANGE' });
  }
}

/** Moves a state of the engine torch past a fill of `total` elements that takes `rounds` draws. */
export function skipTorchFill(state: Uint8Array, dtype: Dtype, fill: Fill, total: number, rounds: number): void {
  requestFor(dtype, fill).writeTotal(total, rounds);
  inItsWords(fill, () => addon().torchSkip(state));
}

/** Makes a state what torch.manual_seed(seed) makes it. */
export function seedTorch(state: Uint8Array, seed: bigint): void {
  addon().torchSeed(state, seed);
}

/** Why 5,056 bytes are no state of PyTorch's generator, or an empty string. */
export function checkTorchState(state: Uint8Array): string {
  return addon().torchCheck(state);
}

/** Converts float16 or bfloat16 elements to float32, exactly. */
export function widen(data: Uint16Array, dtype: 'float16' | 'bfloat16', out: Float32Array): void {
  addon().widen(data, dtypes[dtype].code, out);
}

/** Bins of a tally between whose outermost, which take all beyond, the others are of equal width. */
export const tallyBins = 64;

/** The places of a tally's numbers; its bins follow. */
export const tallyAt = { count: 0, sum: 1, square: 2, min: 3, max: 4, nan: 5, infinite: 6, zeros: 7, bins: 8 } as const;

/** A tally of nothing yet. */
export function newTally(): Float64Array {
  const tally = new Float64Array(tallyAt.bins + tallyBins);
  tally[tallyAt.min] = Number.POSITIVE_INFINITY;
  tally[tallyAt.max] = Number.NEGATIVE_INFINITY;
  return tally;
}

/**
 * Adds elements to a tally: how many are finite, sums of x - shift and of its square, extremes, NaNs, infinities, zeros, and counts in bins.
 * The same bits on every SIMD target.
 *
 * @param range shift, the lower end of the second bin, bins to a unit, and 1 where zeros are counted as such and as nothing else
 */
export function addToTally(data: TensorData, dtype: Dtype, range: Float64Array, tally: Float64Array): void {
  addon().tally(data, dtypes[dtype].code, range, tally);
}

/**
 * Asks for huge pages under large memory, where the system has them. fillRange does so itself; this is for memory that several
 * threads will fill in small pieces, and acts on pages not yet written to.
 */
export function prepareMemory(bytes: Uint8Array): void {
  addon().prepare(bytes);
}

/** Tells V8's garbage collector of memory that it cannot see, or that such memory is gone: what it counts makes it collect. */
export function accountMemory(bytes: number, freed: boolean): void {
  addon().accountMemory(bytes, freed);
}

/**
 * Sets how many native threads a fill may use, the calling one included. Starts as the environment variable `NNINIT_THREADS` (1 to
 * 1024; anything else is a RangeError when the addon is first needed), or the number of cores this process may run on, and whose time its
 * container grants it.
 *
 * @param threads an integer from 1 to 1024
 * @throws TypeError for what is no number, RangeError beyond the range
 */
export function set_num_threads(threads: number): void {
  addon().setNumThreads(checkInteger('set_num_threads', 'threads', threads, 1, maxThreads));
}

/** How many native threads a fill may use. */
export function get_num_threads(): number {
  return addon().getNumThreads();
}

/** The SIMD target in use, by Highway's name: AVX3_ZEN4, AVX3, AVX2, SSE4, NEON, … */
export function simdTarget(): string {
  return addon().target();
}

/** The SIMD targets this machine can run, best first. */
export function simdTargets(): string[] {
  return addon().targets();
}

/**
 * Forces one of simdTargets(), or with null returns to the best. For tests and benchmarks: it acts on the whole process,
 * and no fill may be running.
 */
export function forceSimdTarget(name: string | null): void {
  addon().forceTarget(name);
}

/**
 * Has a native thread end the process after a second signal (SIGHUP, SIGINT, SIGTERM), or so many milliseconds after the first: handlers in JavaScript do not
 * run while this thread is busy. To be called when they are there.
 *
 * @param message said on standard error in the latter case
 * @returns what takes it back
 */
export function guardSignals(milliseconds: number, message: string): () => void {
  if (!addon().startSignalGuard(milliseconds, message)) return () => {};
  return () => addon().stopSignalGuard();
}

/** Has the calling thread stand back for others, by so much niceness. */
export function standBack(niceness: number): void {
  addon().standBack(niceness);
}

/** Waits until a file's bytes are on the disk. */
export async function syncDescriptor(descriptor: number): Promise<void> {
  const failed = await addon().syncFile(descriptor);
  if (failed === 0) return;
  const code = getSystemErrorName(-failed);
  throw Object.assign(new Error(`${code}: fsync`), { code, errno: -failed, syscall: 'fsync' });
}
