/**
 * The default initialization of `torch.nn`'s layers: PyTorch's constructor arguments in, named tensors out.
 *
 *     const state = layers.Linear(20, 30, { bias: false, generator });      // { weight: Tensor }
 *
 * Every function
 *
 * - takes its arguments by position in PyTorch's order, as keywords in a last plain object, or both; Python's None is
 *   null, and an argument that is a layer itself is `{ layer: 'LayerNorm', normalized_shape: 512 }`;
 * - takes the keywords `dtype` (float32 by default), `generator` (default_generator by default) and `threads`;
 * - returns the tensors that `state_dict` has, by the same names, in the same order, buffers included;
 * - throws a TypeError for wrong types, misspelt arguments and what is given twice, and a RangeError for wrong values
 *   and combinations, before the generator moves.
 *
 * They are synchronous, and hold this thread until all bytes are written. Arguments that matter only to the forward pass
 * (stride, dropout, eps, …) are checked and change nothing.
 *
 * `layer` and `layerTensors` give the same as plain data, for recipes and plans.
 *
 * @module
 */

import { constructorOf } from './construct.js';
import type { LayerFunction } from './signature.js';

export type { Parameter as Argument } from '../../core/parameter.js';
export type { Draw } from '../../init/draw.js';
export type { Layer, LayerTensor } from '../flatten.js';
export type { LayerDefinition } from '../modules/definition.js';
export { definitions, isLayerKind, type LayerKind, layerDefinition, layerKinds } from '../modules/table.js';
export { layer, layerTensors } from './describe.js';
export type { LayerArguments, LayerDescription, LayerFunction, LayerOptions } from './signature.js';
export type { Counter, StateDict } from './state.js';

/**
 * `torch.nn.Linear`: weight (out, in) and bias, U(±1/√in_features).
 *
 *     layers.Linear(20, 30, { bias: false, generator, dtype: 'bfloat16' })
 */
export const Linear: LayerFunction<'Linear'> = constructorOf('Linear');

/** `torch.nn.Bilinear`: weight (out, in1, in2) and bias, U(±1/√in1_features). */
export const Bilinear: LayerFunction<'Bilinear'> = constructorOf('Bilinear');

/** `torch.nn.PReLU`: weight (num_parameters), all `init`. */
export const PReLU: LayerFunction<'PReLU'> = constructorOf('PReLU');

/** `torch.nn.Conv1d`: weight (out, in / groups, k) and bias, U(±1/√(in / groups · k)). */
export const Conv1d: LayerFunction<'Conv1d'> = constructorOf('Conv1d');

/**
 * `torch.nn.Conv2d`: weight (out, in / groups, *kernel) and bias, U(±1/√(in / groups · ∏ kernel_size)).
 *
 *     layers.Conv2d(64, 128, [3, 5], { groups: 2, bias: false })
 */
export const Conv2d: LayerFunction<'Conv2d'> = constructorOf('Conv2d');

/** `torch.nn.Conv3d`: as Conv2d, with three dimensions. */
export const Conv3d: LayerFunction<'Conv3d'> = constructorOf('Conv3d');

/**
 * `torch.nn.ConvTranspose1d`: weight (in, out / groups, k) and bias, U(±1/√(out / groups · k)), the fan of the weight
 * as it lies.
 */
export const ConvTranspose1d: LayerFunction<'ConvTranspose1d'> = constructorOf('ConvTranspose1d');

/** `torch.nn.ConvTranspose2d`: as ConvTranspose1d, with two dimensions. */
export const ConvTranspose2d: LayerFunction<'ConvTranspose2d'> = constructorOf('ConvTranspose2d');

/** `torch.nn.ConvTranspose3d`: as ConvTranspose1d, with three dimensions. */
export const ConvTranspose3d: LayerFunction<'ConvTranspose3d'> = constructorOf('ConvTranspose3d');

/**
 * `torch.nn.Embedding`: weight (num_embeddings, embedding_dim), N(0, 1); row padding_idx is zero.
 *
 *     layers.Embedding(50257, 768, { padding_idx: 0 })
 */
export const Embedding: LayerFunction<'Embedding'> = constructorOf('Embedding');

/** `torch.nn.EmbeddingBag`: as Embedding. */
export const EmbeddingBag: LayerFunction<'EmbeddingBag'> = constructorOf('EmbeddingBag');

/**
 * `torch.nn.RNN`: weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, then `_reverse` and further layers, all
 * U(±1/√hidden_size).
 */
export const RNN: LayerFunction<'RNN'> = constructorOf('RNN');

/**
 * `torch.nn.LSTM`: as RNN, with four gates (i, f, g, o) stacked, and weight_hr where there is a projection.
 *
 *     layers.LSTM(128, 256, { num_layers: 2, bidirectional: true })
 */
export const LSTM: LayerFunction<'LSTM'> = constructorOf('LSTM');

/** `torch.nn.GRU`: as RNN, with three gates (r, z, n) stacked. */
export const GRU: LayerFunction<'GRU'> = constructorOf('GRU');

/** `torch.nn.RNNCell`: weight_ih, weight_hh, bias_ih, bias_hh, all U(±1/√hidden_size). */
export const RNNCell: LayerFunction<'RNNCell'> = constructorOf('RNNCell');

/** `torch.nn.LSTMCell`: as RNNCell, with four gates stacked. */
export const LSTMCell: LayerFunction<'LSTMCell'> = constructorOf('LSTMCell');

/** `torch.nn.GRUCell`: as RNNCell, with three gates stacked. */
export const GRUCell: LayerFunction<'GRUCell'> = constructorOf('GRUCell');

/**
 * `torch.nn.MultiheadAttention`: projections of the inputs Xavier uniform, out_proj.weight U(±1/√embed_dim), biases
 * zero, bias_k and
 * bias_v Xavier normal.
 *
 *     layers.MultiheadAttention(512, 8, { kdim: 256, vdim: 256 })
 */
export const MultiheadAttention: LayerFunction<'MultiheadAttention'> = constructorOf('MultiheadAttention');

/** `torch.nn.TransformerEncoderLayer`: self_attn, linear1, linear2, norm1, norm2. */
export const TransformerEncoderLayer: LayerFunction<'TransformerEncoderLayer'> =
  constructorOf('TransformerEncoderLayer');

/** `torch.nn.TransformerDecoderLayer`: self_attn, multihead_attn, linear1, linear2, norm1, norm2, norm3. */
export const TransformerDecoderLayer: LayerFunction<'TransformerDecoderLayer'> =
  constructorOf('TransformerDecoderLayer');

/**
 * `torch.nn.TransformerEncoder`: num_layers deep copies of one layer. As in PyTorch, all of them begin with the same
 * values.
 *
 *     layers.TransformerEncoder({ layer: 'TransformerEncoderLayer', d_model: 512, nhead: 8 }, 6)
 */
export const TransformerEncoder: LayerFunction<'TransformerEncoder'> = constructorOf('TransformerEncoder');

/**
 * `torch.nn.TransformerDecoder`: num_layers deep copies of one layer. As in PyTorch, all of them begin with the same
 * values.
 */
export const TransformerDecoder: LayerFunction<'TransformerDecoder'> = constructorOf('TransformerDecoder');

/**
 * `torch.nn.Transformer`: an encoder and a decoder, whose parameters of more than one dimension are Xavier uniform.
 * The others are
 * copies from layer to layer, as in PyTorch.
 */
export const Transformer: LayerFunction<'Transformer'> = constructorOf('Transformer');

/** `torch.nn.LayerNorm`: weight ones, bias zeros. */
export const LayerNorm: LayerFunction<'LayerNorm'> = constructorOf('LayerNorm');

/** `torch.nn.RMSNorm`: weight ones. */
export const RMSNorm: LayerFunction<'RMSNorm'> = constructorOf('RMSNorm');

/** `torch.nn.GroupNorm`: weight ones, bias zeros. */
export const GroupNorm: LayerFunction<'GroupNorm'> = constructorOf('GroupNorm');

/**
 * `torch.nn.BatchNorm1d`: weight ones, bias zeros, running_mean zeros, running_var ones, num_batches_tracked 0 (a
 * Counter).
 */
export const BatchNorm1d: LayerFunction<'BatchNorm1d'> = constructorOf('BatchNorm1d');

/** `torch.nn.BatchNorm2d`: as BatchNorm1d. */
export const BatchNorm2d: LayerFunction<'BatchNorm2d'> = constructorOf('BatchNorm2d');

/** `torch.nn.BatchNorm3d`: as BatchNorm1d. */
export const BatchNorm3d: LayerFunction<'BatchNorm3d'> = constructorOf('BatchNorm3d');

/** `torch.nn.InstanceNorm1d`: as BatchNorm1d, but nothing of it unless `affine` or `track_running_stats` is true. */
export const InstanceNorm1d: LayerFunction<'InstanceNorm1d'> = constructorOf('InstanceNorm1d');

/** `torch.nn.InstanceNorm2d`: as InstanceNorm1d. */
export const InstanceNorm2d: LayerFunction<'InstanceNorm2d'> = constructorOf('InstanceNorm2d');

/** `torch.nn.InstanceNorm3d`: as InstanceNorm1d. */
export const InstanceNorm3d: LayerFunction<'InstanceNorm3d'> = constructorOf('InstanceNorm3d');
