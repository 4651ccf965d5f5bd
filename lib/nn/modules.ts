import { elementsOf } from '../core/shape.js';
import type { Initializer } from '../init/initializers.js';

/** A parameter or a saved buffer of a module. */
export interface Parameter {
  readonly shape: readonly number[];
  /** What the constructor leaves in it. Absent where it leaves memory as it was, for the model to initialize. */
  readonly initial?: Initializer | undefined;
  /** Where it is not the model's own: counters. */
  readonly dtype?: 'int64' | undefined;
  /** The row that is zeroed after every draw: an embedding's `padding_idx`. */
  readonly zeroRow?: number | undefined;
}

/**
 * A module as PyTorch's code has it: its own tensors, its children, and what its constructor does at the end. Names, orders and
 * random draws all follow from the tree (flatten.ts).
 */
export interface Module {
  /** The name of its class, for rules: 'Linear', 'LayerNorm', 'GPT2MLP'. */
  readonly kind: string;
  /** In the order of a state_dict: parameters, then buffers. */
  readonly own?: Readonly<Record<string, Parameter>> | undefined;
  /** In the order of registration, which a state_dict has; a list's names are its indices. */
  readonly children?: Readonly<Record<string, Module>> | readonly Module[] | undefined;
  /** The names of its tensors and children in the order of construction, where that is another one than `own`, then `children`. */
  readonly construction?: readonly string[] | undefined;
  /** The constructor's last step: walks over the subtree, children before parents, and initializes each module by the rule. */
  readonly initialize?: Rule | undefined;
  /** From names within this module to names of the tensors that these are tied to: not saved. */
  readonly tied?: Readonly<Record<string, string>> | undefined;
}

/** From a module to what is written into its tensors, by their names within it, in the order of the draws. */
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

/** A parameter that `nn.Parameter` wraps; without `initial`, `torch.empty`. */
export function parameter(shape: readonly number[], initial?: Initializer): Parameter {
  return { shape, initial };
}

/** He et al.'s bound with a = √5, which is 1 / √fan_in but for rounding. */
const kaiming: Initializer = { init: 'kaiming_uniform', a: Math.sqrt(5) };

/** U(±1 / √fan_in): `reset_parameters` of linear layers and convolutions. */
function weightAndBias(shape: readonly number[], bias: boolean): Record<string, Parameter> {
  const weight = parameter(shape, kaiming);
  if (!bias) return { weight };
  const bound = 1 / Math.sqrt(elementsOf(shape.slice(1)));
  return { weight, bias: parameter([shape[0] ?? 0], { init: 'uniform', a: -bound, b: bound }) };
}

/** `nn.Linear(inputs, outputs)`. */
export function linear(inputs: number, outputs: number, bias = true): Module {
  return { kind: 'Linear', own: weightAndBias([outputs, inputs], bias) };
}

/** `nn.Conv2d(inputs, outputs, kernel)`. */
export function conv2d(inputs: number, outputs: number, kernel: readonly [number, number], bias = true): Module {
  return { kind: 'Conv2d', own: weightAndBias([outputs, inputs, ...kernel], bias) };
}

/** transformers' Conv1D: a linear layer whose weight is (in, out), drawn from N(0, 0.02²). */
export function conv1dGpt2(inputs: number, outputs: number): Module {
  const own = {
    weight: parameter([inputs, outputs], { init: 'normal', std: 0.02 }),
    bias: parameter([outputs], 'zeros'),
  };
  return { kind: 'Conv1D', own };
}

/** `nn.Embedding(count, width, padding_idx)`: N(0, 1), the padding's row zero; a negative index counts from the end. */
export function embedding(count: number, width: number, padding_idx?: number | null): Module {
  const zeroRow = padding_idx == null ? undefined : padding_idx < 0 ? padding_idx + count : padding_idx;
  return { kind: 'Embedding', own: { weight: { shape: [count, width], initial: 'normal', zeroRow } } };
}

/** `nn.LayerNorm(width)`. */
export function layerNorm(width: number): Module {
  return { kind: 'LayerNorm', own: { weight: parameter([width], 'ones'), bias: parameter([width], 'zeros') } };
}

/** A norm with a weight only. */
export function rmsNorm(width: number, initial: Initializer = 'ones'): Module {
  return { kind: 'RMSNorm', own: { weight: parameter([width], initial) } };
}

/** `nn.BatchNorm2d(channels)`, its statistics and its counter with it. */
export function batchNorm(channels: number): Module {
  const own = {
    weight: parameter([channels], 'ones'),
    bias: parameter([channels], 'zeros'),
    running_mean: parameter([channels], 'zeros'),
    running_var: parameter([channels], 'ones'),
    num_batches_tracked: { shape: [], initial: 'zeros', dtype: 'int64' },
  } as const;
  return { kind: 'BatchNorm2d', own };
}

/** `nn.MultiheadAttention(width)` with equal widths: the packed projection is Xavier's, the biases end as zeros. */
export function multiheadAttention(width: number): Module {
  return {
    kind: 'MultiheadAttention',
    own: { in_proj_weight: parameter([3 * width, width]), in_proj_bias: parameter([3 * width]) },
    children: { out_proj: linear(width, width) },
    initialize: byKind({
      MultiheadAttention: () => ({ in_proj_weight: 'xavier_uniform', in_proj_bias: 'zeros', 'out_proj.bias': 'zeros' }),
    }),
  };
}
