import type { Codes } from '../../core/codes.js';
import type { Dtype } from '../../core/dtype.js';
import { InputError } from '../../core/errors.js';
import { isFillable, type StoredDtype } from '../../core/stored-dtype.js';
import { shapeText } from '../../core/text.js';
import type { PlannedTensor, ResolvedTensor } from '../plan.js';
import { nearestIn, scaleFor, type WeightGrid } from './scale.js';

/** A weight that is to be quantized. */
export interface Weight {
  /** The module that has it: its name without `.weight`. */
  readonly module: string;
  /** [outputs, inputs], or with more dimensions before these; of the part that is written. */
  readonly tensor: ResolvedTensor;
  readonly outputs: number;
  readonly inputs: number;
  /** The model's own dtype, which some formats have scales in. */
  readonly dtype: Dtype;
}

/** Makes of a weight the tensors that a file has in its place. */
export type Scheme = (weight: Weight) => PlannedTensor[];

/** A module that may be quantized. */
export interface Candidate {
  readonly module: string;
  /** Its name in the model's code, where the file has another. */
  readonly inCode?: string | undefined;
  /** Its class: 'Linear', also for the experts' matrices that are saved apart; 'Experts' for those that are saved stacked. */
  readonly kind: 'Linear' | 'Experts';
  /** Whether its class is one derived from Linear, which some tools take for it and others do not. */
  readonly isDerived?: boolean;
  /** Whether it is a head, or tied: what most tools leave alone unless they are told otherwise. */
  readonly isHead: boolean;
  /** Whether its weight is the model's last parameter, which transformers takes for a head's. */
  readonly isLast?: boolean;
  /** Whether it has one output, as the gate of a shared expert: what is packed in words cannot hold it. */
  readonly isGate: boolean;
}

/** A method as a config has set it: the scheme of each module, undefined for those that stay as they are. */
export type Method = (candidate: Candidate) => Scheme | undefined;

/** A weight's module, and whether it can be quantized at all. */
export function weightOf(tensor: ResolvedTensor, module: string): Weight {
  const [outputs = 0, inputs = 0] = tensor.shape.slice(-2);
  if (tensor.shape.length < 2 || outputs * inputs === 0)
    throw refusal(tensor, 'two dimensions, none of them 0', `${shapeText(tensor.shape, ',')}`);
  if (!isFillable(tensor.dtype)) throw refusal(tensor, 'a weight in a floating-point dtype', tensor.dtype);
  return { module, tensor, outputs, inputs, dtype: tensor.dtype };
}

/** Why a weight cannot be quantized. */
export function refusal({ name }: { readonly name: string }, what: string, given: unknown): InputError {
  return new InputError(
    `tensor ${JSON.stringify(name)}: to be quantized it needs ${what}, but there is ${given}; the config's list of modules that are not may name it`,
  );
}

/** Refuses a weight whose last dimensions do not consist of whole groups, or a part of it that cuts one. */
export function checkGroups({ tensor }: Weight, back: 1 | 2, group: number, what = 'inputs'): void {
  const { shape, slice } = tensor;
  const dim = shape.length - back;
  const range = slice?.ranges.find((each) => each.dim === dim);
  for (const size of [shape[dim] ?? 0, range?.start ?? 0]) {
    if (size % group !== 0)
      throw refusal(tensor, `a multiple of ${group} ${what}${range === undefined ? '' : ' a rank'}`, size);
  }
}

/** The scale of a weight's codes, as a file has it that keeps scales in `dtype`. */
export function scaleIn({ tensor }: Weight, grid: WeightGrid, dtype: Dtype): number {
  const best = scaleFor(tensor.fill, grid);
  const scale = nearestIn(best, dtype);
  // The largest number that there is, or none at all: most codes would be the ends of the grid.
  if (scale === 0 || scale < best / 2) throw refusal(tensor, `a scale that ${dtype} can hold`, best);
  return scale;
}

/** A tensor of a weight's codes. */
export function codesOf(
  { tensor }: Weight,
  name: string,
  dtype: StoredDtype,
  shape: readonly number[],
  codes: Omit<Codes, 'of' | 'shape'>,
): PlannedTensor {
  const { initializer, copyOf, partOf, slice } = tensor;
  // Values are multiplied by its reciprocal.
  if (!Number.isFinite(Math.fround(1 / codes.scale))) {
    throw refusal(tensor, 'a scale that has a reciprocal in float32', codes.scale);
  }
  return {
    name,
    shape,
    dtype,
    initializer,
    ...(partOf !== undefined && { partOf }),
    ...(slice !== undefined && { slice }),
    codes: { of: copyOf ?? tensor.name, shape: tensor.shape, ...codes },
  };
}

/** A tensor of one number. */
export function constantOf(name: string, dtype: StoredDtype, shape: readonly number[], value: number): PlannedTensor {
  if (dtype === 'int32' || dtype === 'int64') {
    return { name, shape, dtype, initializer: 'zeros', steps: { start: value, terms: [] } };
  }
  return { name, shape, dtype, initializer: { init: 'constant', val: value } };
}

/** Two whole numbers: a weight's shape. */
export function shapeTensor(name: string, [first = 0, second = 0]: readonly number[]): PlannedTensor {
  return {
    name,
    shape: [2],
    dtype: 'int64',
    initializer: 'zeros',
    steps: { start: first, terms: [{ step: second - first, every: 1 }] },
  };
}

/** Which group each input is in. */
export function groupTensor(name: string, inputs: number, group: number): PlannedTensor {
  return {
    name,
    shape: [inputs],
    dtype: 'int32',
    initializer: 'zeros',
    steps: { start: 0, terms: [{ step: 1, every: group }] },
  };
}

/** A word of equal codes, as int32 has it. */
export const wordOf = (code: number, bits: 4 | 8): number => (code * (bits === 4 ? 0x11111111 : 0x01010101)) | 0;
