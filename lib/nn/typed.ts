import type { Module, Own, OwnTensor } from './module.js';

// What types tell of modules: the names of their tensors, and on which arguments these depend. None of it is there at run time.

/** For types alone. */
export declare const when: unique symbol;
export declare const argument: unique symbol;

/** A tensor that is there where arguments have these values: `When<{ bias: true }>`. */
export interface When<Arguments> extends OwnTensor {
  readonly [when]?: Arguments;
}

/** A module whose own tensors and children are known by name. */
export interface Known<O extends Own = Record<never, never>, C extends Module['children'] = Record<never, never>>
  extends Module {
  readonly own: O;
  readonly children: C;
}

/** A module that was given as the argument `N`, or else, where null was given, `Otherwise`. */
export interface Given<N extends string, Otherwise = unknown> extends Module {
  readonly [argument]: readonly [N, Otherwise];
}
