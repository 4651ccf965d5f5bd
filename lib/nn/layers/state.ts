import type { Dtype } from '../../core/dtype.js';
import type { Flat } from '../../core/signature.js';
import type { DataOf, Tensor } from '../../tensor/tensor.js';
import type { definitions, LayerKind } from '../modules/table.js';
import type { argument, When } from '../typed.js';

// The types of new layers' tensors by name, from the modules that the table's `build` functions return.

/** A counter among a layer's buffers; zero when the layer is new. */
export interface Counter {
  readonly data: BigInt64Array;
  readonly shape: readonly number[];
  readonly dtype: 'int64';
}

/** Whether arguments of the types `G` are what `Needed` says. */
type Meets<Needed, G> = {
  [N in keyof Needed]: N extends keyof G
    ? [G[N]] extends [Needed[N]]
      ? 'yes'
      : [Needed[N]] extends [G[N]]
        ? 'maybe'
        : [G[N]] extends [boolean]
          ? 'no'
          : 'maybe'
    : 'maybe';
}[keyof Needed];

type Least<Answers> = 'no' extends Answers ? 'no' : 'maybe' extends Answers ? 'maybe' : 'yes';

type Presence<O, N extends keyof O, G> =
  NonNullable<O[N]> extends When<infer Needed>
    ? unknown extends Needed
      ? Record<never, never> extends Pick<O, N>
        ? 'maybe'
        : 'yes'
      : Least<Meets<Needed, G>>
    : never;

type OwnEntries<O, G, Prefix extends string> = {
  [N in keyof O & string]-?: [`${Prefix}${N}`, Presence<O, N, G>, NonNullable<O[N]>];
}[keyof O & string];

type ChildEntries<C, G, Prefix extends string> = C extends readonly (infer M)[]
  ? EntriesOf<M, G, `${Prefix}${number}.`>
  : { [N in keyof C & string]-?: EntriesOf<C[N], G, `${Prefix}${N}.`> }[keyof C & string];

/**
 * The tensors of a module, as a union of [name, whether it is there, tensor]. `G` has the types of what was given for the
 * constructor's arguments.
 */
type EntriesOf<M, G, Prefix extends string = ''> = M extends {
  readonly [argument]: readonly [infer N extends string, infer Otherwise];
}
  ? Nested<N, Otherwise, G, Prefix>
  : M extends { readonly own: infer O; readonly children: infer C }
    ? OwnEntries<O, G, Prefix> | ChildEntries<C, G, Prefix>
    : [`${Prefix}${string}`, 'yes', unknown];

/** The tensors of a layer that was given as an argument. Its own arguments are not known. */
type Nested<N, Otherwise, G, Prefix extends string> = N extends keyof G
  ? [G[N]] extends [never]
    ? EntriesOf<Otherwise, G, Prefix>
    : [LayerKind] extends [G[N]]
      ? [`${Prefix}${string}`, 'yes', unknown]
      : EntriesOfKind<G[N], Prefix>
  : never;

type EntriesOfKind<K, Prefix extends string> = K extends LayerKind ? EntriesOf<ModuleOf<K>, unknown, Prefix> : never;

type ModuleOf<K extends LayerKind> = ReturnType<(typeof definitions)[K]['build']>;

/** Name, whether it is there, tensor. */
type Entry = readonly [string, unknown, unknown];

/** A pattern, `weight_ih_l${number}`, stands for any number of names, none too. */
type IfPattern<N extends string, Then, Else> = Record<never, never> extends Record<N, unknown> ? Then : Else;

type Value<T, D extends Dtype> = T extends { readonly dtype: 'int64' }
  ? Counter
  : Tensor<DataOf<D>, D> | (unknown extends T ? Counter : never);

type Must<E extends Entry> = E[1] extends 'yes' ? E[0] : E[1] extends 'maybe' ? IfPattern<E[0], E[0], never> : never;
type May<E extends Entry> = E[1] extends 'maybe' ? IfPattern<E[0], never, E[0]> : never;

type StateOf<Entries extends Entry, D extends Dtype> = Flat<
  { readonly [E in Entries as Must<E>]: Value<E[2], D> } & { readonly [E in Entries as May<E>]?: Value<E[2], D> }
>;

/**
 * A new layer's tensors by their names in `state_dict`, in its order. `G` has the types of the arguments on which it depends which
 * tensors there are: `StateDict<'Linear', 'float32', { bias: false }>` is `{ weight }`.
 */
export type StateDict<K extends LayerKind = LayerKind, D extends Dtype = Dtype, G = unknown> = [LayerKind] extends [K]
  ? Readonly<Record<string, Tensor<DataOf<D>, D> | Counter>>
  : StateOf<EntriesOf<ModuleOf<K>, G>, D>;
