import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, parameter } from '../module.js';
import { rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';
import { expertCount } from './experts.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 201088,
      hidden_size: 2880,
      intermediate_size: 2880,
      num_hidden_layers: 36,
      num_attention_heads: 64,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(8),
    head_dim: size().default(64),
    num_local_experts: expertCount().default(128),
    attention_bias: flag().default(true),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

/** The experts of a layer in two tensors and two biases, (inputs, outputs) each; gate and up take turns in the columns. */
function mlp({ hidden_size: width, intermediate_size: inner, num_local_experts: experts }: Config): Module {
  return container('MLP', {
    router: {
      kind: 'Router',
      own: { weight: parameter([experts, width], 'zeros'), bias: parameter([experts], 'zeros') },
    },
    experts: {
      kind: 'Experts',
      own: {
        gate_up_proj: parameter([experts, width, 2 * inner]),
        gate_up_proj_bias: parameter([experts, 2 * inner]),
        down_proj: parameter([experts, inner, width]),
        down_proj_bias: parameter([experts, width]),
      },
    },
  });
}

function rules({ initializer_range: std }: Config) {
  const normal: Initializer = { init: 'normal', std };
  return {
    Attention: () => ({ sinks: normal }),
    Router: () => ({ weight: normal, bias: normal }),
    Experts: () => ({
      gate_up_proj: normal,
      gate_up_proj_bias: 'zeros' as const,
      down_proj: normal,
      down_proj_bias: 'zeros' as const,
    }),
  };
}

/** gpt-oss (OpenAI 2025): experts with biases, and a sink for each head's attention. Not quantized: the published files are MXFP4. */
export const gptOss = defineArchitecture({
  model_type: 'gpt_oss',
  config,
  prepare: aliases({ num_experts: 'num_local_experts' }),
  classes: decoderFamily<Config>('GptOss', {
    layer: (config) => ({
      self_attn: {
        ...attention(config, { bias: config.attention_bias }),
        own: { sinks: parameter([config.num_attention_heads]) },
      },
      mlp: mlp(config),
      input_layernorm: rmsNorm(config.hidden_size),
      post_attention_layernorm: rmsNorm(config.hidden_size),
    }),
    norm: rmsNorm,
    rules,
  }),
});
