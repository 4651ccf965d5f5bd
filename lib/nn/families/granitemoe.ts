import { z } from 'zod';
import { container } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsRotate, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys } from './decoder.js';
import { expertCount, expertMlps, expertRules, router } from './experts.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 32000,
      hidden_size: 4096,
      intermediate_size: 11008,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    head_dim: size().optional(),
    num_local_experts: expertCount().default(8),
    shared_intermediate_size: z.int().min(0).default(0),
    attention_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .superRefine(headsRotate);

function family(model_type: string, name: string, shares: boolean) {
  return defineArchitecture({
    model_type,
    config,
    classes: decoderFamily<z.output<typeof config>>(
      name,
      {
        layer: (config) => {
          const { hidden_size: width, intermediate_size, num_local_experts: experts } = config;
          const shared = shares ? config.shared_intermediate_size : 0;
          return {
            self_attn: attention(config, { bias: config.attention_bias }),
            input_layernorm: rmsNorm(width),
            post_attention_layernorm: rmsNorm(width),
            block_sparse_moe: container('MoE', {
              router: router(experts, width),
              experts: expertMlps(experts, width, intermediate_size),
            }),
            ...(shared > 0 && {
              shared_mlp: container('MLP', {
                input_linear: linear(width, 2 * shared, false),
                output_linear: linear(shared, width, false),
              }),
            }),
          };
        },
        norm: rmsNorm,
        rules: expertRules,
      },
      { sequences: false, tokens: false },
    ),
    saved: {
      rename: [
        [/\.experts\.gate_up_proj$/, '.input_linear.weight'],
        [/\.experts\.down_proj$/, '.output_linear.weight'],
        [/\.router\.weight$/, '.router.layer.weight'],
      ],
    },
  });
}

/** Granite 3's mixtures of experts (IBM 2024): Granite with experts, in two tensors a layer. */
export const graniteMoe = family('granitemoe', 'GraniteMoe', false);

/** The same with one more expert, which every token goes to. */
export const graniteMoeShared = family('granitemoeshared', 'GraniteMoeShared', true);
