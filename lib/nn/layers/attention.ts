import { rangeError } from '../../core/check.js';
import { batchFirst, bias, define, dropout, flag, size, unusedFlag } from './definition.js';
import { inOrder, join, type Layer, named, redrawn } from './layer.js';
import { linear } from './linear.js';

/** What PyTorch's MultiheadAttention is made of; kdim and vdim are embed_dim by default. */
export interface Attention {
  readonly embed_dim: number;
  readonly num_heads: number;
  readonly bias: boolean;
  readonly add_bias_kv?: boolean;
  readonly kdim?: number | null;
  readonly vdim?: number | null;
}

/**
 * `torch.nn.MultiheadAttention`. The output projection is drawn first, as the Linear that it is, and its bias is then
 * set to zero; the projections of the inputs come afterwards. `state_dict` lists them the other way round.
 */
export function multiheadAttention(
  fn: string,
  { embed_dim, num_heads, bias, add_bias_kv, kdim, vdim }: Attention,
): Layer {
  if (embed_dim % num_heads !== 0) {
    throw rangeError(fn, 'num_heads', `a divisor of the number of features (${embed_dim})`, num_heads);
  }
  const keys = kdim ?? embed_dim;
  const values = vdim ?? embed_dim;
  const same = keys === embed_dim && values === embed_dim;
  const inputs = inOrder([
    same && { name: 'in_proj_weight', shape: [3 * embed_dim, embed_dim], initializer: 'xavier_uniform' },
    !same && { name: 'q_proj_weight', shape: [embed_dim, embed_dim], initializer: 'xavier_uniform' },
    !same && { name: 'k_proj_weight', shape: [embed_dim, keys], initializer: 'xavier_uniform' },
    !same && { name: 'v_proj_weight', shape: [embed_dim, values], initializer: 'xavier_uniform' },
    bias && { name: 'in_proj_bias', shape: [3 * embed_dim], initializer: 'zeros' },
    add_bias_kv === true && { name: 'bias_k', shape: [1, 1, embed_dim], initializer: 'xavier_normal' },
    add_bias_kv === true && { name: 'bias_v', shape: [1, 1, embed_dim], initializer: 'xavier_normal' },
  ]);
  const output = named(
    'out_proj',
    redrawn(linear(embed_dim, embed_dim, bias), ({ name }) => (name === 'bias' ? 'zeros' : undefined)),
  );
  return { tensors: join(inputs, output).tensors, draws: join(output, inputs).draws };
}

function width<const N extends string>(name: N, of: string) {
  const doc = `features of the ${of}; embed_dim where null`;
  return { name, kind: 'integer', min: 0, nullable: true, default: null, positional: true, doc } as const;
}

export const attentionLayers = {
  MultiheadAttention: define({
    summary: 'Scaled dot-product attention in several heads, with projections of its inputs and output.',
    initialization:
      'in_proj_weight, stacked, or q/k/v_proj_weight Xavier uniform; out_proj.weight U(±1/√embed_dim); biases 0; ' +
      'bias_k and bias_v Xavier normal',
    arguments: [
      size('embed_dim', 'features of queries and outputs', 1),
      size('num_heads', 'heads; divides embed_dim', 1),
      dropout,
      bias,
      flag('add_bias_kv', false, 'whether a learnable key and value are added to the sequence'),
      unusedFlag('add_zero_attn', false, 'whether a key and value of zeros are added to the sequence'),
      width('kdim', 'keys'),
      width('vdim', 'values'),
      batchFirst,
    ],
    build: (values, fn) => multiheadAttention(fn, values),
  }),
} as const;
