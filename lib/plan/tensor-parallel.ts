import { didYouMean, isPlainObject, quoted, show } from '../core/check.js';
import { InputError } from '../core/errors.js';
import { elementsOf } from '../core/shape.js';
import { storedBytes } from '../core/stored-dtype.js';
import { shapeText } from '../core/text.js';
import { type Slice, shapeOfSlice } from '../tensor/slice.js';
import type { ResolvedTensor } from './plan.js';

/**
 * How a tensor is shared among ranks: whole on each, or its first or second dimension cut into equal parts.
 *
 * `heads` and `kv_heads` are cut between heads only; where there are fewer heads of keys and values than ranks, neighbouring ranks
 * hold the same one, as in vLLM and Megatron-LM.
 */
type Share = 'whole' | { readonly dim: 0 | 1; readonly of: 'vocabulary' | 'heads' | 'kv_heads' | 'width' };

const vocabulary: Share = { dim: 0, of: 'vocabulary' };
const outOf = (of: 'heads' | 'kv_heads' | 'width'): Share => ({ dim: 0, of });
const into = (of: 'heads' | 'width'): Share => ({ dim: 1, of });

/**
 * The share of each tensor of the Llama family, `*` standing for a number.
 *
 * Column-parallel layers are cut along their outputs and row-parallel ones along their inputs, whose biases are added once, after the sum
 * over ranks (Shoeybi et al. 2019, Megatron-LM, arXiv:1909.08053).
 */
const shares: ReadonlyMap<string, Share> = new Map<string, Share>([
  ['model.embed_tokens.weight', vocabulary],
  ['lm_head.weight', vocabulary],
  ['model.norm.weight', 'whole'],
  ...layer({
    'input_layernorm.weight': 'whole',
    'post_attention_layernorm.weight': 'whole',
    'self_attn.q_proj.weight': outOf('heads'),
    'self_attn.q_proj.bias': outOf('heads'),
    'self_attn.k_proj.weight': outOf('kv_heads'),
    'self_attn.k_proj.bias': outOf('kv_heads'),
    'self_attn.v_proj.weight': outOf('kv_heads'),
    'self_attn.v_proj.bias': outOf('kv_heads'),
    'self_attn.o_proj.weight': into('heads'),
    'self_attn.o_proj.bias': 'whole',
    'self_attn.q_norm.weight': 'whole',
    'self_attn.k_norm.weight': 'whole',
    'mlp.gate_proj.weight': outOf('width'),
    'mlp.gate_proj.bias': outOf('width'),
    'mlp.up_proj.weight': outOf('width'),
    'mlp.up_proj.bias': outOf('width'),
    'mlp.down_proj.weight': into('width'),
    'mlp.down_proj.bias': 'whole',
    'block_sparse_moe.gate.weight': 'whole', // the router
    'block_sparse_moe.experts.*.w1.weight': outOf('width'),
    'block_sparse_moe.experts.*.w3.weight': outOf('width'),
    'block_sparse_moe.experts.*.w2.weight': into('width'),
  }),
]);

function layer(names: Readonly<Record<string, Share>>): [string, Share][] {
  return Object.entries(names).map(([name, share]) => [`model.layers.*.${name}`, share]);
}

/** `num_attention_heads` where a config.json says nothing of it: the defaults of transformers. */
const defaultHeads: Readonly<Record<string, number>> = {
  llama: 32,
  mistral: 32,
  mixtral: 32,
  qwen2: 32,
  qwen3: 32,
  gemma: 16,
};

/** The `model_type`s that can be split among ranks. */
const tensorParallelTypes: readonly string[] = Object.keys(defaultHeads);

export interface RankOptions {
  /** Number of ranks, ≥ 1. */
  readonly tp: number;
  /** From 0 to tp - 1. */
  readonly rank: number;
  /** The contents of the model's config.json. */
  readonly config: unknown;
  /** Where the tensors come from, for messages. */
  readonly source?: string;
}

/**
 * The tensors of one tensor-parallel rank of a model of the Llama family: each tensor's part as a slice, with the bytes that the whole
 * tensor has there.
 *
 * Laid side by side in the order of ranks, along the dimension that is cut, the ranks' parts are the whole model; only heads of keys and
 * values of which there are fewer than ranks are there several times.
 *
 * A single rank has the whole of any model.
 *
 * @throws InputError for other models on several ranks, and for sizes that the ranks cannot share equally
 */
export function forRank(
  tensors: readonly ResolvedTensor[],
  { tp, rank, config, source = 'plan' }: RankOptions,
): ResolvedTensor[] {
  const refuse = (what: string) => new InputError(`${source}: ${what}`, { path: source, code: 'ERR_NNINIT_RANKS' });
  if (!Number.isSafeInteger(tp) || tp < 1)
    throw refuse(`expected a whole number of ranks ≥ 1, but received ${show(tp)}`);
  if (!Number.isSafeInteger(rank) || rank < 0 || rank >= tp) {
    throw refuse(`expected a rank from 0 to ${tp - 1}, but received ${show(rank)}`);
  }
  if (tp === 1) return [...tensors]; // the only rank has all of any model
  const head = headSize(tensors, config, refuse);
  const parts = tensors.map((tensor) => {
    const share = shares.get(tensor.name.replace(/(?<=\.)\d+(?=\.)/g, '*'));
    const place = `tensor ${show(tensor.name)}`;
    if (share === undefined) throw refuse(`${place}: it is not known how tensor-parallel ranks share it`);
    if (share === 'whole') return tensor;
    const size = tensor.shape[share.dim];
    if (size === undefined) throw refuse(`${place}: expected more dimensions than ${shapeText(tensor.shape, ',')} has`);
    const unit = share.of === 'heads' || share.of === 'kv_heads' ? head : 1;
    const units = size / unit;
    if (share.of === 'kv_heads' && Number.isInteger(units) && units < tp && tp % units === 0) {
      return partOf(tensor, share.dim, Math.floor((rank * units) / tp) * unit, unit);
    }
    if (units % tp !== 0)
      throw refuse(`${place}: expected ${names[share.of]} that ${tp} ranks can share, but there are ${units}`);
    return partOf(tensor, share.dim, (rank * size) / tp, size / tp);
  });
  const odd = parts.find(({ bytes }) => !Number.isInteger(bytes));
  if (odd === undefined) return parts;
  const what = `expected parts of whole bytes, but ${shapeText(odd.shape, ',')} of ${odd.dtype} takes ${odd.bytes}`;
  throw refuse(`tensor ${show(odd.name)}: ${what}`);
}

const names = {
  vocabulary: 'a vocabulary',
  heads: 'heads of attention',
  kv_heads: 'heads of keys and values',
  width: 'a width',
} as const;

/** Rows of q_proj that belong to one head. */
function headSize(tensors: readonly ResolvedTensor[], config: unknown, refuse: (what: string) => InputError): number {
  const { model_type, num_attention_heads } = isPlainObject(config) ? config : {};
  const known = typeof model_type === 'string' && Object.hasOwn(defaultHeads, model_type) ? model_type : undefined;
  if (known === undefined) {
    const hint = typeof model_type === 'string' ? didYouMean(model_type, tensorParallelTypes) : undefined;
    throw refuse(
      `tensor-parallel ranks: expected a model_type of ${quoted(tensorParallelTypes)}, but ` +
        (model_type === undefined ? 'there is no config with one' : `received ${show(model_type)}`) +
        (hint === undefined ? '' : ` (${hint})`),
    );
  }
  const heads = num_attention_heads ?? defaultHeads[known];
  const rows = tensors.find(({ name }) => name.endsWith('.self_attn.q_proj.weight'))?.shape[0] ?? 0;
  if (typeof heads !== 'number' || !Number.isSafeInteger(heads) || heads < 1 || rows % heads !== 0) {
    throw refuse(`num_attention_heads: expected a divisor of q_proj's ${rows} rows, but received ${show(heads)}`);
  }
  return rows / heads;
}

function partOf(tensor: ResolvedTensor, dim: number, start: number, length: number): ResolvedTensor {
  const slice: Slice = { shape: tensor.shape, ranges: [{ dim, start, length }] };
  const shape = shapeOfSlice(slice);
  const elements = elementsOf(shape);
  return { ...tensor, shape, elements, bytes: storedBytes(tensor.dtype, elements), slice };
}
