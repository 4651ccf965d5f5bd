import { type Draw, isDrawn } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import type { Plan, PlannedTensor } from './plan.js';

/**
 * A tensor that is initialized once more: what made it special before is gone.
 *
 * The initializer is an object of its own, so that a tensor which is drawn again tells itself from one that was left alone.
 */
export function withInitializer(tensor: PlannedTensor, initializer: Initializer): PlannedTensor {
  const { zeroRow: _, copyOf: __, partOf: ___, joinOf: ____, norms: _____, ...rest } = tensor;
  return { ...rest, initializer: typeof initializer === 'string' ? { init: initializer } : { ...initializer } };
}

/** A plan whose tensors have been changed, in their old order: see drawsAfter. */
export function withTensors(plan: Plan, changed: readonly PlannedTensor[], warnings: readonly string[] = []): Plan {
  const tensors = settleCopies(plan.tensors, changed);
  const same = tensors.every((tensor, i) => tensor === plan.tensors[i]);
  return {
    ...plan,
    tensors,
    warnings: [...(plan.warnings ?? []), ...warnings],
    ...(!same && { draws: drawsAfter(plan, tensors) }),
  };
}

/**
 * Copies of a tensor that is initialized once more, or in another dtype, are no copies of it any more, but still of one another: PyTorch
 * copied what was drawn first. The first of them takes its place.
 */
function settleCopies(before: readonly PlannedTensor[], after: readonly PlannedTensor[]): readonly PlannedTensor[] {
  if (!before.some(({ copyOf }) => copyOf !== undefined)) return after;
  const old = new Map(before.map((tensor) => [tensor.name, tensor]));
  const now = new Map(after.map((tensor) => [tensor.name, tensor]));
  const heads = new Map<string, string>();
  return after.map((tensor) => {
    const { copyOf, ...own } = tensor;
    if (copyOf === undefined) return tensor;
    const original = now.get(copyOf);
    if (original?.initializer === old.get(copyOf)?.initializer && original?.dtype === tensor.dtype) return tensor;
    const group = `${tensor.dtype} ${copyOf}`;
    const head = heads.get(group);
    if (head !== undefined) return { ...own, copyOf: head };
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
export function drawsAfter(plan: Plan, tensors: readonly PlannedTensor[]): Draw[] {
  const before = new Map(plan.tensors.map((tensor) => [tensor.name, tensor]));
  const now = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const heirs = new Map<string, string>();
  const drawn = tensors.filter((tensor) => {
    const old = before.get(tensor.name);
    if (old === undefined || old.initializer !== tensor.initializer) return true;
    if (old.copyOf === undefined || tensor.copyOf !== undefined) return false;
    // No copy any more: it inherits what was drawn for the original, unless that is the original's own still.
    const [was, is] = [before.get(old.copyOf), now.get(old.copyOf)];
    const free = was?.initializer !== is?.initializer && was?.dtype === tensor.dtype && !heirs.has(old.copyOf);
    if (free) heirs.set(old.copyOf, tensor.name);
    return !free;
  });
  const first = (plan.draws ?? drawsOf(plan.tensors)).map((draw) => {
    const heir = heirs.get(draw.tensor);
    return heir === undefined ? draw : { ...draw, tensor: heir };
  });
  return [...first, ...drawsOf(drawn)];
}

/**
 * In the order in which what is like a checkpoint is drawn. It has other files than that, which tell no other order: the plan that they carry has the same
 * draws.
 */
export const byName = (tensors: readonly PlannedTensor[]): PlannedTensor[] =>
  [...tensors].sort((a, b) => (a.name < b.name ? -1 : 1));

/** The draws of tensors that are initialized one after the other. */
export function drawsOf(tensors: readonly PlannedTensor[]): Draw[] {
  return tensors
    .filter(({ initializer, copyOf }) => copyOf === undefined && isDrawn(initializer))
    .map(({ name, shape, initializer }) => ({ tensor: name, shape, initializer }));
}
