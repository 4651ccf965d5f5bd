import { type Draw, is_drawn } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import type { Plan, PlannedTensor } from './plan.js';

/**
 * A tensor that is initialized once more: what made it special before is gone.
 *
 * The initializer is an object of its own, so that a tensor which is drawn again tells itself from one that was left alone.
 */
export function with_initializer(tensor: PlannedTensor, initializer: Initializer): PlannedTensor {
  const { zero_row: _, copy_of: __, part_of: ___, ...rest } = tensor;
  return { ...rest, initializer: typeof initializer === 'string' ? { init: initializer } : { ...initializer } };
}

/** A plan whose tensors have been changed, in their old order: see draws_after. */
export function with_tensors(plan: Plan, changed: readonly PlannedTensor[], warnings: readonly string[] = []): Plan {
  const tensors = settle_copies(plan.tensors, changed);
  const same = tensors.every((tensor, i) => tensor === plan.tensors[i]);
  return {
    ...plan,
    tensors,
    warnings: [...(plan.warnings ?? []), ...warnings],
    ...(!same && { draws: draws_after(plan, tensors) }),
  };
}

/**
 * Copies of a tensor that is initialized once more, or in another dtype, are no copies of it any more, but still of one another: PyTorch
 * copied what was drawn first. The first of them takes its place.
 */
function settle_copies(before: readonly PlannedTensor[], after: readonly PlannedTensor[]): readonly PlannedTensor[] {
  if (!before.some(({ copy_of }) => copy_of !== undefined)) return after;
  const old = new Map(before.map((tensor) => [tensor.name, tensor]));
  const now = new Map(after.map((tensor) => [tensor.name, tensor]));
  const heads = new Map<string, string>();
  return after.map((tensor) => {
    const { copy_of, ...own } = tensor;
    if (copy_of === undefined) return tensor;
    const original = now.get(copy_of);
    if (original?.initializer === old.get(copy_of)?.initializer && original?.dtype === tensor.dtype) return tensor;
    const group = `${tensor.dtype} ${copy_of}`;
    const head = heads.get(group);
    if (head !== undefined) return { ...own, copy_of: head };
    heads.set(group, tensor.name);
    return own;
  });
}

/**
 * The draws of a plan whose tensors have been changed: first all that were there, then those of tensors that are initialized once more or
 * are new, in the order of the tensors.
 *
 * @param tensors those of the plan, changed, and others
 */
export function draws_after(plan: Plan, tensors: readonly PlannedTensor[]): Draw[] {
  const before = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  const now = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const heirs = new Map<string, string>();
  const drawn = tensors.filter((tensor) => {
    const old = before.get(tensor.name);
    if (old === undefined || old.initializer !== tensor.initializer) return true;
    if (old.copy_of === undefined || tensor.copy_of !== undefined) return false;
    // No copy any more: it inherits what was drawn for the original, unless that is the original's own still.
    const [was, is] = [before.get(old.copy_of), now.get(old.copy_of)];
    const free = was?.initializer !== is?.initializer && was?.dtype === tensor.dtype && !heirs.has(old.copy_of);
    if (free) heirs.set(old.copy_of, tensor.name);
    return !free;
  });
  const first = (plan.draws ?? draws_of(plan.tensors)).map((draw) => {
    const heir = heirs.get(draw.tensor);
    return heir === undefined ? draw : { ...draw, tensor: heir };
  });
  return [...first, ...draws_of(drawn)];
}

/** The draws of tensors that are initialized one after the other. */
export function draws_of(tensors: readonly PlannedTensor[]): Draw[] {
  return tensors
    .filter(({ initializer, copy_of }) => copy_of === undefined && is_drawn(initializer))
    .map(({ name, shape, initializer }) => ({ tensor: name, shape, initializer }));
}
