// Longer than others: each layer may have heads of its own, share another's, and have experts beside its MLP.

import { z } from 'zod';
import { container, type Module } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, layers, optionalSize, paddingFits, size } from './architecture.js';
import { decoderClasses, gatedMlp } from './decoder.js';
import {
  blockNorms,
  expertsBeside,
  firstShared,
  gemmaKeys,
  haveSource,
  kindsOf,
  layerInput,
  layerInputs,
  paddingFitsLayers,
} from './gemma-layers.js';

/** What a layer has of its own: others are read by no module. */
const override = z.looseObject({ head_dim: size().optional(), num_key_value_heads: size().optional() });

const keys = z.looseObject({
  ...gemmaKeys({
    vocab_size: 262_144,
    hidden_size: 2304,
    intermediate_size: 9216,
    num_hidden_layers: 30,
    num_attention_heads: 8,
  }),
  num_key_value_heads: size().default(4),
  global_head_dim: size().default(512),
  num_global_key_value_heads: optionalSize(),
  // transformers writes the layers' numbers all alike wide: '05'.
  per_layer_config: z
    .record(z.string().regex(/^\d{1,9}$/, { error: 'the number of a layer' }), override)
    .transform((layers) => new Map(Object.entries(layers).map(([layer, own]) => [Number(layer), own])))
    .optional(),
  hidden_size_per_layer_input: layers().default(256),
  attention_k_eq_v: flag().default(false),
  num_kv_shared_layers: layers().default(0),
  use_double_wide_mlp: flag().default(false),
  enable_moe_block: flag().default(false),
  num_experts: optionalSize(),
  moe_intermediate_size: optionalSize(),
});

type Config = z.output<typeof keys>;

/** Every sixth layer attends to all, and the last one whatever a config lists. */
function attendsToAll({ layer_types: kinds, num_hidden_layers: count }: Config, index: number): boolean {
  return index === count - 1 || (kinds == null ? (index + 1) % 6 === 0 : kinds[index] === 'full_attention');
}

/** The heads of a layer. Those that attend to all have wider ones, unless the config lists each layer's. */
function headsOf(config: Config, index: number): { readonly dim: number; readonly keyHeads: number } {
  const { head_dim, num_key_value_heads, global_head_dim, num_global_key_value_heads, attention_k_eq_v } = config;
  const globalHeads = attention_k_eq_v ? (num_global_key_value_heads ?? undefined) : undefined;
  const wider = attendsToAll(config, index) ? { head_dim: global_head_dim, num_key_value_heads: globalHeads } : {};
  const own = config.per_layer_config === undefined ? wider : (config.per_layer_config.get(index) ?? {});
  return { dim: own.head_dim ?? head_dim, keyHeads: own.num_key_value_heads ?? num_key_value_heads };
}

/** Positions are turned by the width of a kind's heads. */
function kindsAlike(config: Config): boolean {
  const heads = new Map<boolean, string>();
  return Array.from({ length: config.num_hidden_layers }).every((_, index) => {
    const [kind, text] = [attendsToAll(config, index), JSON.stringify(headsOf(config, index))];
    if (!heads.has(kind)) heads.set(kind, text);
    return heads.get(kind) === text;
  });
}

const config = keys
  .refine(...paddingFits)
  .refine(...paddingFitsLayers)
  .refine((given) => given.num_kv_shared_layers <= given.num_hidden_layers || haveSource(given, kindsOf(given, 6), 0), {
    path: ['num_kv_shared_layers'],
    error: 'at most num_hidden_layers',
  })
  .refine(
    ({ per_layer_config: own = new Map(), num_hidden_layers: count }) =>
      [...own.keys()].every((layer) => Number(layer) < count),
    { path: ['per_layer_config'], error: 'numbers of layers, below num_hidden_layers' },
  )
  .refine(kindsAlike, { path: ['per_layer_config'], error: 'the same for all layers of a kind' })
  .refine((given) => !given.enable_moe_block || (given.num_experts != null && given.moe_intermediate_size != null), {
    path: ['enable_moe_block'],
    error: 'num_experts and moe_intermediate_size beside it',
  });

function attention(config: Config, index: number): Module {
  const { hidden_size: width, num_attention_heads, attention_bias: bias, attention_k_eq_v } = config;
  const { dim, keyHeads } = headsOf(config, index);
  const own = {
    k_norm: rmsNorm(dim),
    k_proj: linear(width, keyHeads * dim, bias),
    ...(!(attention_k_eq_v && attendsToAll(config, index)) && { v_proj: linear(width, keyHeads * dim, bias) }),
  };
  return container('Attention', {
    q_proj: linear(width, num_attention_heads * dim, bias),
    q_norm: rmsNorm(dim),
    ...(index < firstShared(config) && own),
    o_proj: linear(num_attention_heads * dim, width, bias),
  });
}

function layer(config: Config, index: number): Readonly<Record<string, Module>> {
  const { hidden_size, intermediate_size, use_double_wide_mlp } = config;
  const first = firstShared(config);
  const isWide = use_double_wide_mlp && first > 0 && index >= first;
  return {
    self_attn: attention(config, index),
    mlp: gatedMlp({ hidden_size, intermediate_size: intermediate_size * (isWide ? 2 : 1) }),
    ...blockNorms(hidden_size),
    ...(config.hidden_size_per_layer_input > 0 && layerInput(config)),
    ...(config.enable_moe_block && expertsBeside(config)),
  };
}

const { body, causalLm } = decoderClasses<Config>({
  layer,
  layerOwn: { layer_scalar: { shape: [1], initial: 'ones', buffer: true } },
  norm: rmsNorm,
  after: (config) => (config.hidden_size_per_layer_input > 0 ? layerInputs(config) : {}),
  rules: ({ initializer_range: std }) => ({
    Experts: () => ({ gate_up_proj: { init: 'normal', std }, down_proj: { init: 'normal', std } }),
  }),
});

/** Gemma 4's text models (Gemma Team 2026): N(0, initializer_range²), norms and scales 1. */
export const gemma4Text = defineArchitecture<Config>({
  model_type: 'gemma4_text',
  config,
  classes: { Gemma4ForCausalLM: causalLm, Gemma4TextModel: body },
});
