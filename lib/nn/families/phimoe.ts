import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';
import { expertCount, expertMlps, expertRules, expertsApart, expertsFit } from './experts.js';

const defaults = {
  vocab_size: 32064,
  hidden_size: 4096,
  intermediate_size: 6400,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  pad_token_id: null,
  tie_word_embeddings: false,
};

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().default(8),
    head_dim: size().optional(),
    num_local_experts: expertCount().default(16),
    attention_bias: flag().default(false),
    lm_head_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .refine(...expertsFit('num_local_experts'))
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

/** The router is a linear layer, which is drawn as such first. */
const router = (experts: number, width: number): Module => ({
  ...linear(width, experts, false),
  kind: 'LinearRouter',
});

function rules(config: Config) {
  const { initializer_range: std } = config;
  const general: Initializer = { init: 'normal', std: std === 0 ? 0.02 : std };
  const own: Initializer = { init: 'normal', std };
  return { ...expertRules(config), LinearRouter: () => ({ weight: [general, own] }) };
}

/** Phi-3.5-MoE (Microsoft 2024): N(0, initializer_range²), norms with biases. Files keep the names of Mixtral's. */
export const phimoe = defineArchitecture<Config>({
  model_type: 'phimoe',
  config,
  classes: decoderFamily<Config>(
    'Phimoe',
    {
      layer: (config) => {
        const { hidden_size: width, num_local_experts: experts, intermediate_size: inner } = config;
        return {
          self_attn: attention(config, { bias: config.attention_bias }),
          mlp: container('SparseMoeBlock', {
            router: router(experts, width),
            experts: expertMlps(experts, width, inner),
          }),
          input_layernorm: layerNorm(width),
          post_attention_layernorm: layerNorm(width),
        };
      },
      norm: layerNorm,
      lmBias: ({ lm_head_bias }) => lm_head_bias,
      rules,
    },
    { tokens: false },
  ),
  saved: expertsApart(
    ['w1', 'w3', 'w2'],
    [
      [/\.mlp\./, '.block_sparse_moe.'],
      [/\.router\.weight$/, '.gate.weight'],
    ],
  ),
});
