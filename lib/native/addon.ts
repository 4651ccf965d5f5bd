import { createRequire } from 'node:module';
import { rangeError } from '../core/check.js';
import { type Dtype, dtypes, type TensorData } from '../core/dtype.js';
import { type Fill, isRandom, kindCodes, writeNumbers } from '../core/fill.js';
import { packageFile } from '../core/package-files.js';

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

interface Addon {
  fill(
    data: TensorData,
    dtype: number,
    kind: number,
    params: Float64Array,
    key: BigUint64Array,
    begin: number,
    threads: number,
    cancel?: Int32Array,
    elements?: number,
    writers?: number,
  ): boolean;
  fillRuns(
    data: TensorData,
    dtype: number,
    kind: number,
    params: Float64Array,
    key: BigUint64Array,
    runs: Float64Array,
    begin: number,
    threads: number,
    cancel?: Int32Array,
  ): boolean;
  torchFill(
    data: TensorData,
    dtype: number,
    kind: number,
    params: Float64Array,
    state: Uint8Array,
    total: number,
    begin: number,
    threads: number,
    advance: boolean,
    cancel?: Int32Array,
    elements?: number,
    writers?: number,
  ): number;
  torchSkip(state: Uint8Array, dtype: number, kind: number, params: Float64Array, total: number, rounds: number): void;
  torchSeed(state: Uint8Array, seed: bigint): void;
  torchCheck(state: Uint8Array): string;
  widen(data: Uint16Array, dtype: number, out: Float32Array): void;
  prepare(data: TensorData): void;
  setNumThreads(threads: number): void;
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
  const require = createRequire(import.meta.url);
  // The variable is for builds with sanitizers.
  const path = process.env.NNINIT_ADDON ?? packageFile('build/Release/nninit.node');
  try {
    return require(path) as Addon;
  } catch (cause) {
    throw new Error(
      `nninit: the native addon could not be loaded from ${path} (for ${process.platform}-${process.arch}, Node ` +
        `${process.version}). \`npm rebuild nninit\` builds it, in a clone \`npm run build:native\`; both need CMake ≥ 3.19 and a ` +
        'C++17 compiler: see the README, "Other systems". npm 12 builds only after `npm install-scripts approve nninit`.',
      { cause },
    );
  }
}

let loaded: Addon | undefined;

/** Loaded when it is first needed: a generator that only keeps a seed, and a plan that is only printed, need none. */
function addon(): Addon {
  loaded ??= load();
  return loaded;
}

const params = new Float64Array(6);
const keyWords = new BigUint64Array(2);
/** For fills that are not random. */
export const noKey: PhiloxKey = { seed: 0n, stream: 0n };

/** What several threads that know nothing of one another fill at the same time. */
export interface AtOnce {
  readonly elements: number;
  readonly threads: number;
}

/**
 * Writes elements [begin, begin + data.length) of a fill into `data`.
 *
 * @param key ignored by fills that are not random
 * @param begin index of data[0] within the fill; must be 0 for whole-matrix fills
 * @param threads native threads to use; 0 for the number that set_num_threads set
 * @param cancel one element in shared memory: when another thread makes it non-zero, the fill stops within a millisecond
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
    return runTorchRange(data, dtype, fill, key, begin, threads, cancel, atOnce) > 0;
  }
  writeNumbers(fill, params);
  writeKey(key);
  const { code } = dtypes[dtype];
  return addon().fill(
    data,
    code,
    kindCodes[fill.kind],
    params,
    keyWords,
    begin,
    threads,
    cancel,
    atOnce?.elements,
    atOnce?.threads,
  );
}

function writeKey(key: Key): void {
  const { seed, stream } = isTorchKey(key) ? noKey : key;
  keyWords[0] = seed;
  keyWords[1] = stream;
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
  writeNumbers(fill, params);
  writeKey(key);
  const { code } = dtypes[dtype];
  return addon().fillRuns(data, code, kindCodes[fill.kind], params, keyWords, runs, begin, threads, cancel);
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
  writeNumbers(fill, params);
  const { code } = dtypes[dtype];
  return addon().torchFill(data, code, kindCodes[fill.kind], params, state, data.length, 0, threads, true, cancel);
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
  writeNumbers(fill, params);
  const { code } = dtypes[dtype];
  const kind = kindCodes[fill.kind];
  const { state, total, offset = 0 } = key;
  return addon().torchFill(
    data,
    code,
    kind,
    params,
    state,
    total,
    offset + begin,
    threads,
    false,
    cancel,
    atOnce?.elements,
    atOnce?.threads,
  );
}

/** Moves a state of the engine torch past a fill of `total` elements that takes `rounds` draws. */
export function skipTorchFill(state: Uint8Array, dtype: Dtype, fill: Fill, total: number, rounds: number): void {
  writeNumbers(fill, params);
  addon().torchSkip(state, dtypes[dtype].code, kindCodes[fill.kind], params, total, rounds);
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

/**
 * Asks for huge pages under large memory, where the system has them. fillRange does so itself; this is for memory that several
 * threads will fill in small pieces, and acts on pages not yet written to.
 */
export function prepareMemory(data: TensorData): void {
  addon().prepare(data);
}

/**
 * Sets how many native threads a fill may use, the calling one included. Starts as the environment variable `NNINIT_THREADS` (1 to
 * 1024; anything else is a RangeError when the addon is first needed), or the number of cores this process may run on.
 */
export function set_num_threads(threads: number): void {
  addon().setNumThreads(threads);
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
