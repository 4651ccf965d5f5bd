import { z } from 'zod';
import { container, type Module, parameter } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, interval, paddingFits, size } from './architecture.js';
import { attention, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';
import { expertCount, expertRules } from './experts.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 202048,
      hidden_size: 5120,
      intermediate_size: 8192,
      num_hidden_layers: 48,
      num_attention_heads: 40,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(8),
    head_dim: size().default(128),
    intermediate_size_mlp: size().default(16384),
    num_local_experts: expertCount().default(16),
    interleave_moe_layer_step: size().default(1),
    moe_layers: z.array(z.int({ error: 'a whole number' }), { error: 'an array of whole numbers, or null' }).nullish(),
    no_rope_layer_interval: interval().default(4),
    attention_bias: flag().default(false),
    no_rope_layers: z.array(z.unknown(), { error: 'an array, or null' }).nullish(),
    layer_types: z.unknown().optional(),
  })
  .refine(...paddingFits)
  .refine(
    ({ no_rope_layers: given, layer_types, num_hidden_layers: count }) =>
      given == null || given.length === 0 || (layer_types == null ? given.length === count : given.length >= count),
    { path: ['no_rope_layers'], error: 'as many as num_hidden_layers says' },
  )
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

function mixture(config: Config): Module {
  const { hidden_size: width, intermediate_size: inner, num_local_experts: experts } = config;
  return container('MoE', {
    experts: {
      kind: 'Experts',
      own: {
        gate_up_proj: parameter([experts, width, 2 * inner], 'zeros'),
        down_proj: parameter([experts, inner, width]),
      },
    },
    router: { ...linear(width, experts, false), kind: 'LinearRouter' },
    shared_expert: gatedMlp(config),
  });
}

function isSparse({ moe_layers, interleave_moe_layer_step: step }: Config, index: number): boolean {
  return moe_layers == null ? (index + 1) % step === 0 : moe_layers.includes(index);
}

const { causalLm, body } = decoderClasses<Config>({
  layer(config, index) {
    const { hidden_size, intermediate_size_mlp: intermediate_size } = config;
    return {
      self_attn: attention(config, { bias: config.attention_bias }),
      feed_forward: isSparse(config, index) ? mixture(config) : gatedMlp({ hidden_size, intermediate_size }),
      input_layernorm: rmsNorm(hidden_size),
      post_attention_layernorm: rmsNorm(hidden_size),
    };
  },
  norm: rmsNorm,
  rules: (config) => {
    const { initializer_range: std } = config;
    return {
      ...expertRules(config),
      LinearRouter: () => ({ weight: { init: 'normal', std: std === 0 ? 0.02 : std } }),
    };
  },
});

/** The text models of Llama 4 (Meta 2025): experts in two tensors, (inputs, outputs) each, and one that is shared. */
export const llama4Text = defineArchitecture({
  model_type: 'llama4_text',
  config,
  classes: { Llama4ForCausalLM: causalLm, Llama4TextModel: body },
});
