import { checkProgressing, type Progressing, progressing } from '../checkpoint/progressing.js';
import { unpacked } from '../checkpoint/verify/value.js';
import { checkWhole } from '../checkpoint/virtual/check-whole.js';
import { type Executor, onPool, onThisThread } from '../checkpoint/virtual/executor.js';
import { PlannedValues } from '../checkpoint/virtual/planned-values.js';
import { checkInteger, checkOneOf, checkOptions, typeError } from '../core/check.js';
import { dtypes, viewOf } from '../core/dtype.js';
import { isFillable, type StoredDtype, storedBytes, storedDtypes } from '../core/stored-dtype.js';
import { type FileHeader, readHeaders } from '../formats/reader.js';
import { openAgain, pathOf, type Source } from '../formats/source/source.js';
import { get_num_threads, maxThreads, widen } from '../native/addon.js';
import { keysFor } from '../plan/keys.js';
import type { Plan } from '../plan/plan.js';
import { settled, tensorsOf } from '../plan/resolved.js';
import { throwIfAborted } from '../pool/operation.js';
import { checkSeed, type Engine, engineNames } from '../random/names.js';
import { isPlan, type TensorReportOptions } from './tensors.js';

/** A tensor of two models, element beside element. */
export interface ElementDifference {
  readonly tensor: string;
  readonly elements: number;
  /** Elements whose values are not equal; NaN equals NaN here, and 0 equals -0. */
  readonly differing: number;
  /** The most of |a - b|; Infinity where only one of two is finite. Null for dtypes other than float32, float64, float16 and bfloat16, whose bytes are compared. */
  readonly largest: number | null;
}

export interface DifferenceOptions extends Progressing {
  /** Of plans' values, one for each model, in [-2^63, 2^64); 0 by default. */
  readonly seeds?: readonly [number | bigint, number | bigint] | undefined;
  /** 'philox' by default. */
  readonly engine?: Engine | undefined;
  /** Native threads, without a pool. */
  readonly threads?: number | undefined;
  /** Called with what there is to look at, before the first byte is. */
  readonly onBegin?: TensorReportOptions['onBegin'];
}

/**
 * Compares two models element by element: those of their tensors that have one name and shape, and one dtype or both floating-point ones.
 *
 *     const differences = await tensorDifferences('before', 'after');
 *     differences[0];                                      // { tensor, elements, differing, largest }
 *
 * @param a a plan, whose values are made as they are looked at; or a checkpoint: a file, an index, a folder, an address
 * @throws InputError for what cannot be read; InterruptedError or the signal's reason after `signal`; TypeError and RangeError for options
 */
export async function tensorDifferences(
  a: Plan | string | URL,
  b: Plan | string | URL,
  options?: DifferenceOptions,
): Promise<ElementDifference[]> {
  const fn = 'tensorDifferences';
  const given = checkOptions(fn, options, ['seeds', 'engine', 'threads', 'onBegin', ...progressing]);
  const { pool, signal, onProgress } = checkProgressing(fn, given);
  const engine = given.engine === undefined ? 'philox' : checkOneOf(fn, 'engine', given.engine, engineNames);
  const threads =
    given.threads === undefined ? get_num_threads() : checkInteger(fn, 'threads', given.threads, 1, maxThreads);
  const seeds = given.seeds ?? [0, 0];
  if (!Array.isArray(seeds)) throw typeError(fn, 'seeds', 'an array of two seeds', seeds);
  checkInteger(fn, 'seeds.length', seeds.length, 2, 2);
  const models = [a, b].map((input, i) => ({
    input: isPlan(input) ? settled(input) : input,
    seed: seeds[i] as unknown,
  }));
  const { onBegin } = options ?? {};
  if (onBegin !== undefined && typeof onBegin !== 'function') throw typeError(fn, 'onBegin', 'a function', onBegin);
  using _call = pool?.enter(fn);
  const executor = pool === undefined ? onThisThread(threads) : onPool(pool, fn);
  const sides: Side[] = [];
  try {
    for (const [i, { input, seed }] of models.entries()) {
      if (isPlan(input)) {
        checkWhole(tensorsOf(input));
        sides.push(planned(input, engine, checkSeed(fn, seed), executor, signal));
      } else if ((typeof input === 'string' || input instanceof URL) && String(input) !== '') {
        sides.push(await inFiles(pathOf(input), signal));
      } else throw typeError(fn, i === 0 ? 'a' : 'b', 'a plan, a path or a URL', input);
    }
    const [one, other] = sides as [Side, Side];
    const pairs = [...one.tensors].flatMap(([name, tensor]) => {
      const also = other.tensors.get(name);
      return also !== undefined && areComparable(tensor, also) ? [{ name, tensor, also }] : [];
    });
    const totalBytes = pairs.reduce((sum, { tensor, also }) => sum + bytesOf(tensor) + bytesOf(also), 0);
    await onBegin?.({ tensors: pairs.length, files: 0, bytes: totalBytes });
    let bytes = 0;
    const found: ElementDifference[] = [];
    for (const { name, tensor, also } of pairs) {
      const gauge = gaugeOf(tensor.dtype, also.dtype);
      for (let begin = 0; begin < tensor.elements; begin += chunk) {
        throwIfAborted(signal);
        const count = Math.min(chunk, tensor.elements - begin);
        const x = await part(one, name, tensor.dtype, begin, count);
        const y = await part(other, name, also.dtype, begin, count);
        gauge.add(x, y);
        bytes += x.length + y.length;
        onProgress?.({ bytes, totalBytes });
      }
      found.push({ tensor: name, elements: tensor.elements, ...gauge.result() });
    }
    return found;
  } finally {
    await Promise.allSettled(sides.map((side) => side.close()));
  }
}

interface Known {
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  readonly elements: number;
}

/** A model whose bytes can be asked for. */
interface Side {
  readonly tensors: ReadonlyMap<string, Known>;
  /** Valid until the next are asked for; not aligned. */
  read(name: string, begin: number, length: number): Promise<Uint8Array>;
  close(): Promise<void>;
}

const bytesOf = ({ dtype, elements }: Known) => storedBytes(dtype, elements);

/** Elements looked at at a time; packs of any dtype are whole. */
const chunk = 2 ** 20;

const part = (side: Side, name: string, dtype: StoredDtype, begin: number, count: number) =>
  side.read(name, storedBytes(dtype, begin), storedBytes(dtype, count));

const areComparable = (a: Known, b: Known) =>
  String(a.shape) === String(b.shape) && (a.dtype === b.dtype || (isFillable(a.dtype) && isFillable(b.dtype)));

function planned(plan: Plan, engine: Engine, seed: bigint, executor: Executor, signal: AbortSignal | undefined): Side {
  const tensors = new Map(tensorsOf(plan).map((tensor) => [tensor.name, tensor]));
  const keys = keysFor(engine, seed, { tensors: [...tensors.values()], draws: plan.draws });
  const values = new PlannedValues(keys, executor, signal);
  return {
    tensors,
    read(name, begin, length) {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`no tensor ${name}`);
      return values.bytesOf(tensor, begin, length);
    },
    close: async () => {},
  };
}

/** What is read of a file at a time: small tensors that lie beside one another are read together. */
const windowBytes = 2 ** 23;

async function inFiles(path: string, signal: AbortSignal | undefined): Promise<Side> {
  const checkpoint = await readHeaders(path, { signal });
  const tensors = new Map(
    Array.from(checkpoint.tensors, ([name, { dtype, shape, offsets, file }]) => {
      const elements = shape.reduce((product, size) => product * size, 1);
      return [name, { dtype, shape, elements, offsets, file }];
    }),
  );
  const ends = new Map<FileHeader, number>();
  for (const { file, offsets } of tensors.values()) ends.set(file, Math.max(ends.get(file) ?? 0, offsets[1]));
  let open: { readonly file: FileHeader; readonly source: Source } | undefined;
  let window = { begin: 0, bytes: new Uint8Array(0) };
  return {
    tensors,
    async read(name, begin, length) {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`no tensor ${name}`);
      const { file, offsets } = tensor;
      if (open?.file !== file) {
        await open?.source.close();
        open = undefined;
        open = { file, source: await openAgain(file, signal) };
        window = { begin: 0, bytes: new Uint8Array(0) };
      }
      const at = offsets[0] + begin;
      if (at < window.begin || at + length > window.begin + window.bytes.length) {
        const bytes = new Uint8Array(Math.max(length, Math.min(windowBytes, (ends.get(file) ?? 0) - at)));
        await open.source.read(bytes, file.dataOffset + at, signal);
        window = { begin: at, bytes };
      }
      return window.bytes.subarray(at - window.begin, at - window.begin + length);
    },
    close: async () => open?.source.close(),
  };
}

interface Gauge {
  add(a: Uint8Array, b: Uint8Array): void;
  result(): Pick<ElementDifference, 'differing' | 'largest'>;
}

function gaugeOf(a: StoredDtype, b: StoredDtype): Gauge {
  if (!isFillable(a) || !isFillable(b)) return byteGauge(a);
  let [differing, largest] = [0, 0];
  const [first, second] = [numbersOf(a), numbersOf(b)];
  return {
    add(one, other) {
      const [x, y] = [first(one), second(other)];
      for (let i = 0; i < x.length; i++) {
        const [u, v] = [x[i] as number, y[i] as number];
        if (u === v || (Number.isNaN(u) && Number.isNaN(v))) continue;
        differing += 1;
        const away = Math.abs(u - v);
        if (!(away <= largest)) largest = Number.isNaN(away) ? Number.POSITIVE_INFINITY : away;
      }
    },
    result: () => ({ differing, largest }),
  };
}

/** Elements by their bytes, those of less than a byte by their bits. */
function byteGauge(dtype: StoredDtype): Gauge {
  const { pack, bytes } = storedDtypes[dtype];
  const size = pack === 1 ? bytes : 1;
  const apart = (packed: Uint8Array) => (pack === 1 ? packed : unpacked(packed, dtype));
  let differing = 0;
  return {
    add(one, other) {
      const [a, b] = [apart(one), apart(other)];
      for (let at = 0; at < a.length; at += size) {
        let i = 0;
        while (i < size && a[at + i] === b[at + i]) i += 1;
        if (i < size) differing += 1;
      }
    },
    result: () => ({ differing, largest: null }),
  };
}

/** Elements as numbers, whatever their dtype and place in memory. Valid until the next are asked for. */
function numbersOf(dtype: keyof typeof dtypes): (bytes: Uint8Array) => Float32Array | Float64Array {
  let wide = new Float32Array(0);
  return (bytes) => {
    const size = dtypes[dtype].bytes;
    const source = bytes.byteOffset % size === 0 ? bytes : bytes.slice();
    const values = viewOf(dtype, source.buffer, source.byteOffset, bytes.length / size);
    if (!(values instanceof Uint16Array)) return values;
    if (wide.length < values.length) wide = new Float32Array(values.length);
    const out = wide.subarray(0, values.length);
    widen(values, dtype as 'float16' | 'bfloat16', out);
    return out;
  };
}
