import { InputError } from '../../core/errors.js';
import { isWhole } from '../../core/fill.js';
import { mostBytes } from '../../core/most-bytes.js';
import { elementsOf } from '../../core/shape.js';
import { shapeText } from '../../core/text.js';
import type { ResolvedTensor } from '../../plan/plan.js';

/**
 * Refuses tensors that are made whole (orthogonal, sparse) and do not fit into memory in one piece, before anything is begun.
 *
 * @param limit bytes, and elements of the whole of which a slice is taken
 */
export function checkWhole(tensors: readonly ResolvedTensor[], limit = mostBytes): void {
  for (const { name, fill, slice, shape, bytes, codes } of tensors) {
    if (!isWhole(fill)) continue;
    const whole = slice?.shape ?? codes?.shape ?? shape;
    const elements = elementsOf(whole);
    if (bytes <= limit && elements <= limit) continue;
    const given = `${shapeText(whole, ',')} takes ${bytes <= limit ? `${elements} elements` : `${bytes} bytes`}`;
    const most = `at most ${limit} bytes, which is what Node.js ${process.version} can hold here in one piece`;
    throw new InputError(
      `tensor ${JSON.stringify(name)}: ${fill.kind} tensors are made whole: expected ${most}, but ${given}`,
    );
  }
}
