import { createHash } from 'node:crypto';
import { checkInteger, checkOneOf, checkShape, isPlainObject, rangeError, typeError } from '../core/check.js';
import { type Codes, checkCodes, checkNorms, checkSteps, type Norms, type Steps } from '../core/codes.js';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import { type Fill, isWhole } from '../core/fill.js';
import { encodingOf, isGrid } from '../core/grid.js';
import { isFillable, type StoredDtype, storedBytes, storedNames } from '../core/stored-dtype.js';
import { shapeText } from '../core/text.js';
import type { Draw } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import { resolve } from '../init/resolve.js';
import { checkSlice, type Slice, shapeOfSlice } from '../tensor/slice.js';

export type { StoredDtype } from '../core/stored-dtype.js';

/** A tensor to be written. */
export interface PlannedTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** Types that nninit does not fill (integers of 16 bits and more, booleans, complex numbers) go with 'zeros' only, or with steps. */
  readonly dtype: StoredDtype;
  readonly initializer: Initializer;
  /** Where it is saved beside the parameters and is none: running statistics, corrections of routers and the like. */
  readonly buffer?: true | undefined;
  /** Other names that the model has for the same tensor; they are not written. */
  readonly tied?: readonly string[] | undefined;
  /** The row that is zero whatever the initializer says: an embedding's padding. */
  readonly zeroRow?: number | undefined;
  /** The name of the tensor whose values it has, bit for bit: shape, dtype and initializer are the same. */
  readonly copyOf?: string | undefined;
  /** Where the tensor is a contiguous part of one of the model's, which is drawn as a whole: from which element on. */
  readonly partOf?: { readonly tensor: string; readonly begin: number } | undefined;
  /** Where it holds several of the model's tensors, equally large ones one after another, each of which is drawn by itself: their names. */
  readonly joinOf?: readonly string[] | undefined;
  /** The part that is written, where that is not all of the tensor: `shape` is the part's, `slice.shape` the whole's. */
  readonly slice?: Slice | undefined;
  /** Where the tensor holds codes of a weight's values: a quantized one's. The initializer is the weight's, `slice` a slice of the weight. */
  readonly codes?: Codes | undefined;
  /** Where it holds whole numbers that are no weights: beside the initializer 'zeros', in int32 or int64. */
  readonly steps?: Steps | undefined;
  /** Where it holds the lengths of another tensor's columns: what it begins with follows from that tensor's initializer. */
  readonly norms?: Norms | undefined;
}

/** A model to be written: plain data. The order of the tensors is the model's own, and changes no tensor's values. */
export interface Plan {
  readonly tensors: readonly PlannedTensor[];
  /** The text of the config.json that belongs beside the weights, where there is one. */
  readonly config?: string | undefined;
  /** Set where the tensors are an adapter's and `config` its adapter_config.json: the files have PEFT's names, `adapter_model` and that. */
  readonly adapter?: true | undefined;
  /** What is odd about the input without being an error. */
  readonly warnings?: readonly string[] | undefined;
  /** All random draws in order, where they are not simply those of the tensors in theirs. */
  readonly draws?: readonly Draw[] | undefined;
  /** What it was made from, which checkpoints carry. */
  readonly source?: PlanSource | undefined;
}

/** What makes a plan again: plain data. */
export interface PlanSource {
  /** A digest of the tensors that it makes: a plan with others was made from it, and checkpoints of that do not carry it. */
  readonly makes?: string | undefined;
  /** A model's name; or 'config.json', the one beside the weights; or 'like', the checkpoint's own names, shapes and dtypes. */
  readonly input?: string | undefined;
  /** A recipe; what it names by path is in it. */
  readonly recipe?: unknown;
  /** The keys of the recipe's objects as its text has them, of those that JavaScript's objects hold in another order. */
  readonly order?: Readonly<Record<string, readonly string[]>> | undefined;
  readonly dtype?: Dtype | undefined;
  /** From globs to initializers, dtypes or both, in order; they come after the input's own. */
  readonly rules?: readonly (readonly [glob: string, change: unknown])[] | undefined;
  readonly tp?: { readonly ranks: number; readonly rank: number } | undefined;
}

/** A planned tensor with all that a writer needs. */
export interface ResolvedTensor extends PlannedTensor {
  /** Of what is written: the slice's, where there is one. */
  readonly shape: readonly number[];
  /** Resolved on the whole tensor's shape, `slice.shape` where there is a slice; of codes, on the weight's. */
  readonly fill: Fill;
  /** Of what is written. */
  readonly elements: number;
  /** Of what is written. */
  readonly bytes: number;
  readonly stream: bigint;
}

/**
 * The stream of a named tensor: 2^63 | (the first 8 bytes of SHA-256 of the name in UTF-8, read little-endian, modulo 2^63).
 *
 * A tensor's values so depend on the seed and its own name alone: reordering, adding or dropping tensors changes no other.
 * The streams below 2^63 are those of a Generator's successive fills, so the two never meet.
 */
export function streamOfName(name: string): bigint {
  const digest = createHash('sha256').update(name, 'utf8').digest();
  return (1n << 63n) | digest.readBigUInt64LE(0);
}

/**
 * Checks a plan and resolves each initializer on its tensor's shape.
 *
 * @param source the file the plan came from, for messages
 * @param place names a tensor's place in that file, for messages
 * @throws InputError naming the tensor: a name twice, or unfit for a file; a shape too large; an initializer that does not
 *   suit the shape
 */
export function resolvePlan(
  plan: Plan,
  source = 'plan',
  place = (name: string): string => `tensor ${JSON.stringify(name)}`,
): ResolvedTensor[] {
  const names = new Set<string>();
  let byName: ReadonlyMap<string, PlannedTensor> | undefined;
  const known: Known = (name) => {
    byName ??= new Map(plan.tensors.map((tensor) => [tensor?.name, tensor]));
    return byName.get(name);
  };
  const fills = new Fills();
  return plan.tensors.map((tensor) => {
    if (!isPlainObject(tensor)) throw new InputError(`${source}: expected tensors to be objects`, { path: source });
    const { name, shape, dtype, copyOf, codes } = tensor;
    try {
      checkName(name, names);
      checkFields(tensor, known);
      const elements = checkShape('shape', shape);
      if (tensor.slice !== undefined) checkPart(tensor.slice, codes?.shape ?? shape);
      const bytes = storedBytes(dtype, elements);
      if (bytes > Number.MAX_SAFE_INTEGER)
        throw new RangeError(`expected at most 2^53 - 1 bytes, but ${shapeText(shape, ',')} takes ${bytes}`);
      if (!Number.isInteger(bytes))
        throw new RangeError(`expected whole bytes, but ${shapeText(shape, ',')} of ${dtype} takes ${bytes}`);
      const norms = tensor.norms === undefined ? undefined : normsOf(tensor.norms, elements, known);
      const fill = norms === undefined ? fills.of(tensor) : norms.fill;
      const stream = streamOfName(copyOf ?? codes?.of ?? tensor.norms?.of ?? name);
      return { ...tensor, ...(norms !== undefined && { norms: norms.norms }), fill, elements, bytes, stream };
    } catch (cause) {
      if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
      const what = cause.message.replace(/^plan: /, ''); // which the source says
      throw new InputError(`${source}: ${place(name)}: ${what}`, { path: source, cause });
    }
  });
}

/** Finds a tensor of the plan; looking is rare, and a table of half a million large. */
type Known = (name: string) => PlannedTensor | undefined;

/** Fills of a plan's tensors: those that are alike share one. */
class Fills {
  readonly #made = new Map<Initializer, Map<string, Fill>>();

  of(tensor: PlannedTensor): Fill {
    const { initializer, shape, dtype, slice, codes } = tensor;
    if (slice !== undefined || codes !== undefined) return fillOf(tensor);
    const made = this.#made.get(initializer) ?? new Map<string, Fill>();
    const key = `${dtype} ${shape.join()}`;
    const fill = made.get(key) ?? fillOf(tensor);
    made.set(key, fill);
    this.#made.set(initializer, made);
    return fill;
  }
}

/** What a plan out of JSON may have wrong. */
function checkFields(tensor: PlannedTensor, known: Known): void {
  const { name, dtype, shape, slice, zeroRow, copyOf, partOf, joinOf, codes, steps } = tensor;
  checkOneOf('plan', 'dtype', dtype, storedNames);
  if (slice !== undefined && !isPlainObject(slice)) throw typeError('plan', 'slice', 'an object', slice);
  const rows = (slice?.shape ?? shape)?.[0] ?? 0;
  if (zeroRow !== undefined) checkInteger('plan', 'zeroRow', zeroRow, 0, rows - 1);
  if (partOf !== undefined)
    checkInteger('plan', 'partOf.begin', (partOf as unknown as { begin?: unknown } | null)?.begin, 0);
  if (joinOf !== undefined) checkJoin(tensor);
  if (codes !== undefined) checkCodes(codes, dtype, shape);
  if (steps !== undefined) checkSteps(steps, dtype, shape);
  if (copyOf === undefined) return;
  const original = known(copyOf);
  if (
    original !== undefined &&
    copyOf !== name &&
    original.copyOf === undefined &&
    String(original.shape) === String(shape)
  )
    return;
  throw rangeError('plan', 'copyOf', 'the name of another tensor of the same shape that is no copy itself', copyOf);
}

function checkJoin({ joinOf: names, slice, shape, ...tensor }: PlannedTensor): void {
  const besides = (['zeroRow', 'copyOf', 'partOf', 'codes', 'steps', 'norms'] as const).find(
    (key) => tensor[key] !== undefined,
  );
  if (besides !== undefined) throw new RangeError(`expected no ${besides} beside joinOf`);
  const rows = (slice?.shape ?? shape)?.[0] ?? 1;
  const known = Array.isArray(names) && names.length > 0 && names.every((name) => typeof name === 'string');
  if (known && rows % names.length === 0) return;
  throw typeError('plan', 'joinOf', `names of tensors that share ${rows} rows evenly`, names);
}

/** The other tensor's fill, from which lengths follow. */
function normsOf(norms: Norms, elements: number, known: Known) {
  checkNorms(norms, elements);
  const original = known(norms.of);
  const isThere =
    original !== undefined && isFillable(original.dtype) && !original.codes && !original.slice && !original.norms;
  if (!isThere || String(original.shape) !== String(norms.shape))
    throw rangeError('plan', 'norms.of', 'the name of a whole tensor of floats of that shape', norms.of);
  const fill = fillOf(original);
  if (isWhole(fill))
    throw new RangeError(`expected no ${fill.kind} matrix in ${norms.of}, of whose columns these are the lengths`);
  return { fill, norms: { ...norms, dtype: original.dtype } };
}

function checkPart(slice: Slice, shape: readonly number[]): void {
  const part = shapeOfSlice(checkSlice('slice', slice.shape, slice.ranges));
  if (part.length === shape.length && part.every((size, dim) => size === shape[dim])) return;
  throw new RangeError(
    `expected the shape of its slice, ${shapeText(part, ',')}, but received ${shapeText(shape, ',')}`,
  );
}

function fillOf({ initializer, shape: written, dtype, slice, codes }: PlannedTensor): Fill {
  const shape = slice?.shape ?? codes?.shape ?? written;
  if (codes !== undefined) return withoutMinusZero(resolve(initializer, shape));
  if (isGrid(dtype)) {
    const fill = withoutMinusZero(resolve(initializer, shape));
    encodingOf(dtype, fill); // refuses bounds between two values of the grid
    if (fill.kind === 'constant' && !Number.isFinite(fill.value)) {
      throw new RangeError(`expected a finite value in ${dtype}, but received ${fill.value}`);
    }
    return fill;
  }
  if (isFillable(dtype)) return withoutMinusZero(resolve(initializer, shape, { dtype }));
  const fill = resolve(initializer, shape);
  if (fill.kind === 'constant' && fill.value === 0) return fill;
  throw new RangeError(`expected 'zeros', which is all that nninit writes in ${dtype}`);
}

/** JSON has no -0, and a plan is to be the same after it. */
function withoutMinusZero(fill: Fill): Fill {
  const entries = Object.entries(fill).map(([name, value]) => [name, Object.is(value, -0) ? 0 : value]);
  return Object.fromEntries(entries) as unknown as Fill;
}

/** A copy that nobody can change, of plain data. */
export function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.freeze(value.map(frozenCopy)) as T;
  // A spread keeps the shape of its original, which half a million tensors then share; an own `__proto__` stays one.
  const copy = { ...value } as Record<string, unknown>;
  for (const key of Object.keys(copy)) copy[key] = frozenCopy(copy[key]);
  return Object.freeze(copy) as T;
}

/** Freezes a value of plain data and all that is in it. */
export function frozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const key of Object.keys(value)) frozen((value as Record<string, unknown>)[key]);
  return Object.freeze(value);
}

/** A digest of what a plan's tensors are, as far as they are plain data: whoever has changed one has made another plan. */
export function digestOfTensors(tensors: readonly PlannedTensor[]): string {
  const hash = createHash('sha256').update('[');
  // Some at a time: the text of half a million is a hundred megabytes.
  for (let begin = 0; begin < tensors.length; begin += 4096) {
    const text = JSON.stringify(tensors.slice(begin, begin + 4096)).slice(1, -1);
    hash.update(begin === 0 ? text : `,${text}`);
  }
  return hash.update(']').digest('hex').slice(0, 32);
}

function checkName(name: string, names: Set<string>): void {
  if (typeof name !== 'string') throw typeError('plan', 'name', 'a string', name);
  if (name === '__metadata__') throw new RangeError("expected another name: '__metadata__' is safetensors' own");
  // A lone half of a surrogate pair has no UTF-8: it would be written as U+FFFD, the same for all of them.
  if (/\p{Surrogate}/u.test(name)) throw new RangeError('expected a name in well-formed Unicode');
  if (names.has(name)) throw new RangeError('expected each name once, but this one is there twice');
  names.add(name);
}
