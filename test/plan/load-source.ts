import { type InputOptions, planOfInput } from '../../lib/cli/input-options.js';
import { tensorsOf } from '../../lib/plan/resolved.js';

/** A plan as the command line loads it, its tensors resolved. */
export async function loadSource({ input, ...options }: InputOptions & { readonly input?: string }) {
  const plan = await planOfInput(input, options);
  return { ...plan, tensors: tensorsOf(plan) };
}
