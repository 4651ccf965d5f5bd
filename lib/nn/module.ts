import type { Steps } from '../core/codes.js';
import type { Initializer } from '../init/initializers.js';
import type { Saved } from './saved.js';
import type { Known } from './typed.js';

/** A parameter or a saved buffer of a module. */
export interface OwnTensor {
  readonly shape: readonly number[];
  /** What the constructor leaves in it. Absent where it leaves memory as it was, for the model to initialize. */
  readonly initial?: Initializer | undefined;
  /** Where it is not the model's own: counters, and what is kept in float32. */
  readonly dtype?: 'int64' | 'float32' | undefined;
  /** Where it holds whole numbers that are no weights: the numbers. Initially 'zeros' beside. */
  readonly steps?: Steps | undefined;
  /** Where it begins with the lengths of another tensor's columns: that one's name beside it. Initially 'ones' beside. */
  readonly normsOf?: string | undefined;
  /** True for what training does not update by gradients: running statistics. */
  readonly buffer?: true | undefined;
  /** The row that is zeroed after the draws of the module's own: an embedding's `padding_idx`. */
  readonly zeroRow?: number | undefined;
}

/** A module's own tensors by their names within it. */
export type Own = Readonly<Record<string, OwnTensor>>;

/**
 * A module as PyTorch's code has it: its own tensors, its children, and what its constructor does at the end. Names, orders and
 * random draws all follow from the tree (flatten.ts).
 */
export interface Module {
  /** The name of its class, for rules: 'Linear', 'LayerNorm', 'GPT2MLP'. */
  readonly kind: string;
  /** In the order of a state_dict: parameters, then buffers. */
  readonly own?: Own | undefined;
  /** In the order of registration, which a state_dict has; a list's names are its indices. */
  readonly children?: Readonly<Record<string, Module>> | readonly Module[] | undefined;
  /** The names of its tensors and children in the order of construction, where that is another one than `own`, then `children`. */
  readonly construction?: readonly string[] | undefined;
  /** What all children are deep copies of: constructed once, as the first of them, or in vain where there is none. */
  readonly copies?: Module | undefined;
  /** The constructor's last step: walks over the subtree, children before parents, and initializes each module by the rule. */
  readonly initialize?: Rule | undefined;
  /** With `initialize`: that a model around this one initializes it once more, as torchvision's do. */
  readonly again?: true | undefined;
  /** From names within this module to names of the tensors that these are tied to: not saved. */
  readonly tied?: Readonly<Record<string, string>> | undefined;
  /** Names of tensors within this module that are drawn, but not saved. */
  readonly unsaved?: readonly string[] | undefined;
  /** How the names within it differ in the file: set on a model, also one within another. */
  readonly saved?: Saved | undefined;
}

/**
 * From a module to what is written into its tensors, by their names within it, in the order of the draws. What is written into
 * its own tensors leaves the row of the padding zero; what reaches into a child's (`head.weight`) does not know of it. Several
 * initializers are written one over another.
 */
export type Rule = (module: Module) => Readonly<Record<string, Initializer | readonly Initializer[]>> | undefined;

/** A rule by the modules' kinds. Kinds that are not in the table are left as they are. */
export function byKind(table: Readonly<Record<string, Rule>>): Rule {
  return (module) => table[module.kind]?.(module);
}

/** A module without tensors of its own. */
export function container<const C extends Module['children']>(
  kind: string,
  children: C,
  extras: Omit<Module, 'kind' | 'own' | 'children'> = {},
): Known<Record<never, never>, C> {
  return { kind, own: {}, children, ...extras };
}

/** `nn.ModuleList` and `nn.Sequential` of equal modules. */
export function repeat(count: number, make: (index: number) => Module): Module {
  return { kind: 'ModuleList', children: Array.from({ length: count }, (_, index) => make(index)) };
}

/** `count` deep copies of one module, which begin with the same values. */
export function copiesOf<M extends Module>(module: M, count: number): Known<Record<never, never>, readonly M[]> {
  return { kind: 'ModuleList', own: {}, children: new Array<M>(count).fill(module), copies: module };
}

/** A parameter that `nn.Parameter` wraps; without `initial`, `torch.empty`. */
export function parameter(shape: readonly number[], initial?: Initializer): OwnTensor {
  return { shape, initial };
}

/** Visits a module's tensors by their full names, in the order of its state_dict. */
export function eachTensor(
  module: Module,
  visit: (name: string, tensor: OwnTensor, kind: string) => void,
  prefix = '',
): void {
  for (const [name, tensor] of Object.entries(module.own ?? {})) visit(prefix + name, tensor, module.kind);
  for (const [name, child] of Object.entries(module.children ?? {})) eachTensor(child, visit, `${prefix}${name}.`);
}
