import { shapeText } from '../../core/text.js';
import type { Checkpoint, CheckpointTensor } from '../../formats/reader.js';
import type { ResolvedTensor } from '../../plan/plan.js';

/** How a tensor of a checkpoint differs from its plan. */
export type Difference = { readonly tensor: string } & (
  | { readonly problem: 'missing'; readonly expected: string }
  | { readonly problem: 'unexpected'; readonly found: string }
  | { readonly problem: 'dtype' | 'shape'; readonly expected: string; readonly found: string }
  | ValueDifference
);

/** Elements with other bytes than the plan's. */
export interface ValueDifference {
  readonly problem: 'values';
  readonly elements: number;
  /** How many of them differ. */
  readonly differing: number;
  /** Of the first that differs: counted from the tensor's first element, and by dimension. */
  readonly element: number;
  readonly index: readonly number[];
  readonly expected: string;
  readonly found: string;
}

/** A tensor that is both planned and there, in the planned shape and dtype. */
export interface Pair {
  readonly planned: ResolvedTensor;
  readonly found: CheckpointTensor;
}

export interface Match {
  /** In the order of the files' data. */
  readonly pairs: readonly Pair[];
  readonly differences: readonly Difference[];
}

/** Finds the planned tensors in a checkpoint: what is missing, what is there besides, what has another dtype or shape. */
export function match(checkpoint: Checkpoint, tensors: readonly ResolvedTensor[]): Match {
  const planned = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const differences: Difference[] = tensors.flatMap((tensor) => {
    if (checkpoint.tensors.has(tensor.name)) return [];
    return [
      { tensor: tensor.name, problem: 'missing' as const, expected: `${tensor.dtype} ${shapeText(tensor.shape)}` },
    ];
  });
  const pairs: Pair[] = [];
  for (const found of checkpoint.tensors.values()) {
    const tensor = planned.get(found.name);
    if (tensor === undefined) {
      const text = `${found.dtype} ${shapeText(found.shape)}`;
      differences.push({ tensor: found.name, problem: 'unexpected', found: text });
      continue;
    }
    const shapes = [shapeText(tensor.shape), shapeText(found.shape)] as const;
    if (shapes[0] !== shapes[1]) {
      differences.push({ tensor: found.name, problem: 'shape', expected: shapes[0], found: shapes[1] });
    } else if (tensor.dtype !== found.dtype) {
      differences.push({ tensor: found.name, problem: 'dtype', expected: tensor.dtype, found: found.dtype });
    } else {
      pairs.push({ planned: tensor, found });
    }
  }
  return { pairs, differences };
}
