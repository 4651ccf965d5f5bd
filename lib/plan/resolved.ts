import { copyOfPlain, isPlainObject } from '../core/check.js';
import { digestOfTensors, type Plan, type PlanSource, type ResolvedTensor, resolvePlan } from './plan.js';

/** Of plans that cannot be changed any more. */
const resolved = new WeakMap<Plan, readonly ResolvedTensor[]>();

/** Keeps what a plan was resolved to, which nobody can change. */
export function keepResolved(plan: Plan, tensors: readonly ResolvedTensor[]): void {
  resolved.set(plan, tensors);
}

/** What a plan was made from, if its tensors are still those. */
export function sourceOf(plan: Plan): PlanSource | undefined {
  if (plan.source === undefined) return undefined;
  const { makes, ...source } = plan.source;
  try {
    return resolved.has(plan) || makes === digestOfTensors(plan.tensors) ? source : undefined;
  } catch {
    return undefined; // not plain data: JSON did not make it
  }
}

/**
 * A plan's tensors with all that a writer needs; a plan that loadPlan made was checked before, any other is checked here.
 *
 * @throws InputError naming the tensor
 */
export function tensorsOf(plan: Plan): readonly ResolvedTensor[] {
  return resolved.get(plan) ?? resolvePlan(plan);
}

/** A plan that its owner can change no more, its tensors resolved: one that loadPlan made, or a copy of another one. */
export function settled(plan: Plan): Plan {
  if (resolved.has(plan)) return plan;
  const copy = copyOfPlain({ ...plan, source: isPlainObject(plan.source) ? sourceOf(plan) : undefined });
  keepResolved(copy, resolvePlan(copy));
  return copy;
}
