import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsDivide, headsRotate, layers, paddingFits, size } from './architecture.js';
import { decoderClasses, gatedMlp } from './decoder.js';
import {
  blockNorms,
  firstShared,
  gemmaKeys,
  haveSource,
  kindsOf,
  layerInput,
  layerInputs,
  paddingFitsLayers,
} from './gemma-layers.js';

const config = z
  .looseObject({
    ...gemmaKeys({
      vocab_size: 262_400,
      hidden_size: 2048,
      intermediate_size: 16_384,
      num_hidden_layers: 35,
      num_attention_heads: 8,
    }),
    num_key_value_heads: size().default(2),
    intermediate_size: z
      .union([size(), z.array(size())], { error: 'a whole number ≥ 1, or one for each layer' })
      .default(16_384),
    hidden_size_per_layer_input: size().default(256),
    altup_num_inputs: size().default(4),
    num_kv_shared_layers: layers().default(15),
    laurel_rank: size().default(64),
    activation_sparsity_pattern: z.array(z.number()).nullish(),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(...paddingFitsLayers)
  .refine((given) => haveSource(given, kindsOf(given, 5), firstShared(given) % given.num_hidden_layers), {
    path: ['num_kv_shared_layers'],
    error: 'fewer than the layers, with one of each kind before those that share',
  })
  .refine(
    ({ intermediate_size: sizes, num_hidden_layers: count }) => typeof sizes === 'number' || sizes.length === count,
    {
      path: ['intermediate_size'],
      error: 'as many as num_hidden_layers says, or one for all',
    },
  )
  .refine(
    ({ activation_sparsity_pattern: pattern, num_hidden_layers: count }) => pattern == null || pattern.length === count,
    {
      path: ['activation_sparsity_pattern'],
      error: 'as many as num_hidden_layers says',
    },
  )
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

function attention(config: Config, index: number): Module {
  const { hidden_size: width, num_attention_heads, num_key_value_heads, head_dim, attention_bias: bias } = config;
  const [queries, keys] = [num_attention_heads * head_dim, num_key_value_heads * head_dim];
  const own = { k_proj: linear(width, keys, bias), v_proj: linear(width, keys, bias), k_norm: rmsNorm(head_dim) };
  return container('Attention', {
    q_proj: linear(width, queries, bias),
    q_norm: rmsNorm(head_dim),
    ...(index < firstShared(config) && own),
    o_proj: linear(queries, width, bias),
  });
}

/** Several predictions of a layer, and what mixes them. */
function altUp({ hidden_size: width, altup_num_inputs: inputs }: Config): Module {
  return {
    kind: 'AltUp',
    own: { correct_output_scale: parameter([width], 'zeros') },
    children: {
      correction_coefs: linear(inputs, inputs, false),
      prediction_coefs: linear(inputs, inputs ** 2, false),
      modality_router: linear(width, inputs, false),
      router_norm: rmsNorm(width),
    },
  };
}

const { body, causalLm } = decoderClasses<Config>({
  layer: (config, index) => {
    const { hidden_size, intermediate_size: sizes, laurel_rank: rank } = config;
    return {
      self_attn: attention(config, index),
      mlp: gatedMlp({ hidden_size, intermediate_size: typeof sizes === 'number' ? sizes : (sizes[index] ?? 1) }),
      ...blockNorms(hidden_size),
      altup: altUp(config),
      laurel: container('Laurel', {
        linear_left: linear(hidden_size, rank, false),
        linear_right: linear(rank, hidden_size, false),
        post_laurel_norm: rmsNorm(hidden_size),
      }),
      ...layerInput(config),
    };
  },
  norm: rmsNorm,
  after: (config) => {
    const projections = () =>
      repeat(config.altup_num_inputs - 1, () => linear(config.hidden_size, config.hidden_size, false));
    return { ...layerInputs(config), altup_projections: projections(), altup_unembed_projections: projections() };
  },
  rules: () => ({ AltUp: () => ({ correct_output_scale: 'zeros' }) }),
});

/** Gemma 3n's text models (Gemma Team 2025): N(0, initializer_range²), norms 1. */
export const gemma3nText = defineArchitecture<Config>({
  model_type: 'gemma3n_text',
  config,
  classes: { Gemma3nForCausalLM: causalLm, Gemma3nTextModel: body },
});
