import type { Initializer } from '../init/initializers.js';

/** A parameter or a saved buffer of a module. */
export interface OwnTensor {
  readonly shape: readonly number[];
  /** What the constructor leaves in it. Absent where it leaves memory as it was, for the model to initialize. */
  readonly initial?: Initializer | undefined;
  /** Where it is not the model's own: counters. */
  readonly dtype?: 'int64' | undefined;
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
  /** From names within this module to names of the tensors that these are tied to: not saved. */
  readonly tied?: Readonly<Record<string, string>> | undefined;
}

/**
 * From a module to what is written into its tensors, by their names within it, in the order of the draws. What is written into
 * its own tensors leaves the row of the padding zero; what reaches into a child's (`head.weight`) does not know of it.
 */
export type Rule = (module: Module) => Readonly<Record<string, Initializer>> | undefined;

/** A rule by the modules' kinds. Kinds that are not in the table are left as they are. */
export function byKind(table: Readonly<Record<string, Rule>>): Rule {
  return (module) => table[module.kind]?.(module);
}

/** A module without tensors of its own. */
export function container(kind: string, children: Module['children'], extras: Partial<Module> = {}): Module {
  return { kind, children, ...extras };
}

/** `nn.ModuleList` and `nn.Sequential` of equal modules. */
export function repeat(count: number, make: (index: number) => Module): Module {
  return { kind: 'ModuleList', children: Array.from({ length: count }, (_, index) => make(index)) };
}

/** `count` deep copies of one module, which begin with the same values. */
export function copiesOf(module: Module, count: number): Module {
  return { kind: 'ModuleList', children: new Array<Module>(count).fill(module), copies: module };
}

/** A parameter that `nn.Parameter` wraps; without `initial`, `torch.empty`. */
export function parameter(shape: readonly number[], initial?: Initializer): OwnTensor {
  return { shape, initial };
}

/** Visits a module's tensors by their full names, in the order of its state_dict. */
export function eachTensor(module: Module, visit: (name: string, tensor: OwnTensor) => void, prefix = ''): void {
  for (const [name, tensor] of Object.entries(module.own ?? {})) visit(prefix + name, tensor);
  for (const [name, child] of Object.entries(module.children ?? {})) eachTensor(child, visit, `${prefix}${name}.`);
}
