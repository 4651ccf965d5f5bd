import { definitionOf, type Initializer } from './initializers.js';

/**
 * One random fill while PyTorch constructs a layer or a model. A tensor's values are those of the last draw with its name, unless
 * its initializer is a constant; other draws are overwritten, or of what is not kept (tied heads), and only move engines
 * on that draw in sequence.
 */
export interface Draw {
  readonly tensor: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
}

/** Whether an initializer draws from a generator. */
export function isDrawn(initializer: Initializer): boolean {
  return definitionOf(typeof initializer === 'string' ? initializer : initializer.init).random;
}
