import { rangeError } from '../../core/check.js';
import { byKind, type OwnTensor, parameter } from '../module.js';
import type { Known, When } from '../typed.js';
import { batchFirst, bias, define, dropout, flag, size, unusedFlag } from './definition.js';
import { linear, type WeightAndBias } from './linear.js';

/** What PyTorch's MultiheadAttention is made of besides its width, which keys and values have too unless they say otherwise. */
interface Options {
  readonly bias?: boolean;
  readonly add_bias_kv?: boolean;
  readonly kdim?: number | null;
  readonly vdim?: number | null;
}

type Output = { readonly out_proj: Known<WeightAndBias> };

type InProjBias = { readonly in_proj_bias?: When<{ bias: true }> };

/** Where queries, keys and values have one width. */
export type SelfAttention = Known<InProjBias & { readonly in_proj_weight: OwnTensor }, Output>;

/** Where keys and values may have widths of their own: the weights are stacked where these are the queries'. */
export type Attention = Known<
  InProjBias & {
    readonly in_proj_weight?: When<{ kdim: null; vdim: null }>;
    readonly q_proj_weight?: OwnTensor;
    readonly k_proj_weight?: OwnTensor;
    readonly v_proj_weight?: OwnTensor;
    readonly bias_k?: When<{ add_bias_kv: true }>;
    readonly bias_v?: When<{ add_bias_kv: true }>;
  },
  Output
>;

/**
 * `torch.nn.MultiheadAttention`. The output projection is constructed first, as the Linear that it is, and its bias is set to
 * zero in the end; the projections of the inputs come in between. `state_dict` lists them the other way round.
 */
export function multiheadAttention(
  width: number,
  options?: { readonly bias?: boolean; readonly kdim?: never },
): SelfAttention;
export function multiheadAttention(width: number, options: Options): Attention;
export function multiheadAttention(width: number, options: Options = {}): Attention {
  const { bias = true, add_bias_kv = false } = options;
  const keys = options.kdim ?? width;
  const values = options.vdim ?? width;
  const projection = (outputs: number, inputs: number) => parameter([outputs, inputs], 'xavier_uniform');
  const own = {
    ...(keys === width && values === width
      ? { in_proj_weight: projection(3 * width, width) }
      : {
          q_proj_weight: projection(width, width),
          k_proj_weight: projection(width, keys),
          v_proj_weight: projection(width, values),
        }),
    ...(bias && { in_proj_bias: parameter([3 * width], 'zeros') }),
    ...(add_bias_kv && {
      bias_k: parameter([1, 1, width], 'xavier_normal'),
      bias_v: parameter([1, 1, width], 'xavier_normal'),
    }),
  };
  return {
    kind: 'MultiheadAttention',
    own,
    children: { out_proj: linear(width, width, bias) },
    construction: ['out_proj', ...Object.keys(own)],
    initialize: byKind({ MultiheadAttention: () => (bias ? { 'out_proj.bias': 'zeros' } : {}) }),
  };
}

/** Refuses heads that do not divide the width, in the name of `fn`. */
export function checkHeads(fn: string, width: number, heads: number): void {
  if (width % heads === 0) return;
  throw rangeError(fn, 'num_heads', `a divisor of the number of features (${width})`, heads);
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
    build(values, kind) {
      checkHeads(kind, values.embed_dim, values.num_heads);
      return multiheadAttention(values.embed_dim, values);
    },
  }),
} as const;
