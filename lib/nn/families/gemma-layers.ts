import { z } from 'zod';
import { type Module, parameter } from '../module.js';
import { embedding, linear, rmsNorm } from '../modules/index.js';
import { flag, size } from './architecture.js';
import { decoderKeys } from './decoder.js';
import { expertMlps } from './experts.js';

// What Gemma 3n and Gemma 4 have in common: inputs of each layer's own, and last layers that take keys and values from layers before.

/** Their keys; a config lists kinds of layers, or they come round. */
export function gemmaKeys(defaults: Omit<Parameters<typeof decoderKeys>[0], 'pad_token_id' | 'tie_word_embeddings'>) {
  return {
    ...decoderKeys({ ...defaults, pad_token_id: 0, tie_word_embeddings: true }),
    head_dim: size().default(256),
    attention_bias: flag().default(false),
    layer_types: z
      .array(z.enum(['sliding_attention', 'full_attention'], { error: 'sliding_attention or full_attention' }))
      .nullish(),
    vocab_size_per_layer_input: size().default(262_144),
  };
}

interface Layers {
  readonly layer_types?: readonly string[] | null | undefined;
  readonly num_hidden_layers: number;
  readonly num_kv_shared_layers: number;
}

/** The kinds of all layers; every one in so many attends to all, where the config does not list them. */
export function kindsOf({ layer_types, num_hidden_layers }: Layers, every: number): readonly string[] {
  if (layer_types != null) return layer_types;
  const isFull = (index: number) => (index + 1) % every === 0;
  return Array.from({ length: num_hidden_layers }, (_, i) => (isFull(i) ? 'full_attention' : 'sliding_attention'));
}

/** The first layer that takes its keys and values from one before; none does where the config says more than there are. */
export function firstShared({ num_hidden_layers: layers, num_kv_shared_layers: shared }: Layers): number {
  return shared > layers ? layers : layers - shared;
}

/** Whether the reference finds for each of these layers one of its kind, where it looks: before those that share. */
export function haveSource(config: Layers, kinds: readonly string[], begin: number): boolean {
  const before = kinds.slice(0, config.num_hidden_layers - config.num_kv_shared_layers);
  return kinds.slice(begin).every((kind) => before.includes(kind));
}

interface PerLayer {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly hidden_size_per_layer_input: number;
  readonly vocab_size_per_layer_input: number;
  readonly pad_token_id: number | null;
}

/** For refine: that the padding has a row among the layers' own inputs. */
export const paddingFitsLayers: [fits: (config: PerLayer) => boolean, { path: string[]; error: string }] = [
  ({ pad_token_id: id, vocab_size_per_layer_input: rows, hidden_size_per_layer_input: width }) =>
    width === 0 || id === null || (id >= -rows && id < rows),
  { path: ['vocab_size_per_layer_input'], error: 'more than pad_token_id' },
];

/** The words' inputs to all layers in one table, and what is made for them of the words themselves. */
export function layerInputs(config: PerLayer): Readonly<Record<string, Module>> {
  const { hidden_size, hidden_size_per_layer_input: width, pad_token_id } = config;
  const all = config.num_hidden_layers * width;
  return {
    embed_tokens_per_layer: embedding(config.vocab_size_per_layer_input, all, pad_token_id),
    per_layer_model_projection: linear(hidden_size, all, false),
    per_layer_projection_norm: rmsNorm(width),
  };
}

/** How a layer takes in its own input. */
export function layerInput({
  hidden_size: width,
  hidden_size_per_layer_input: own,
}: PerLayer): Readonly<Record<string, Module>> {
  return {
    per_layer_input_gate: linear(width, own, false),
    per_layer_projection: linear(own, width, false),
    post_per_layer_input_norm: rmsNorm(width),
  };
}

/** Norms of a layer before and after each block. */
export function blockNorms(width: number): Readonly<Record<string, Module>> {
  const names = [
    'input_layernorm',
    'post_attention_layernorm',
    'pre_feedforward_layernorm',
    'post_feedforward_layernorm',
  ];
  return Object.fromEntries(names.map((name) => [name, rmsNorm(width)]));
}

interface Experts {
  readonly hidden_size: number;
  readonly num_experts?: number | null | undefined;
  readonly moe_intermediate_size?: number | null | undefined;
}

/** Gemma 4's experts, beside the MLP. */
export function expertsBeside({
  hidden_size: width,
  num_experts,
  moe_intermediate_size,
}: Experts): Readonly<Record<string, Module>> {
  const count = num_experts ?? 1;
  return {
    router: {
      kind: 'ScaledRouter',
      own: { scale: parameter([width], 'ones'), per_expert_scale: parameter([count], 'ones') },
      children: { proj: linear(width, count, false) },
      construction: ['proj', 'scale', 'per_expert_scale'],
    },
    experts: expertMlps(count, width, moe_intermediate_size ?? 1),
    post_feedforward_layernorm_1: rmsNorm(width),
    post_feedforward_layernorm_2: rmsNorm(width),
    pre_feedforward_layernorm_2: rmsNorm(width),
  };
}
