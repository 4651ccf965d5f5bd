import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labels, layers, size } from './architecture.js';
import { dinoInit, layerScale } from './dinov2.js';
import { pair, positiveStd } from './vit-layers.js';

const config = z
  .looseObject({
    ...labels,
    patch_size: pair.default([16, 16]),
    hidden_size: size().default(384),
    intermediate_size: size().default(1536),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(6),
    initializer_range: positiveStd().default(0.02),
    num_channels: size().default(3),
    query_bias: flag().default(true),
    key_bias: flag().default(false),
    value_bias: flag().default(true),
    proj_bias: flag().default(true),
    mlp_bias: flag().default(true),
    layerscale_value: z.number({ error: 'a finite number' }).default(1),
    use_gated_mlp: flag().default(false),
    num_register_tokens: z.int({ error: 'a whole number ≥ 0' }).min(0).default(0),
  })
  .refine(({ hidden_size, num_attention_heads }) => hidden_size >= num_attention_heads, {
    path: ['hidden_size'],
    error: 'at least num_attention_heads',
  });

type Config = z.output<typeof config>;

function rule({ initializer_range: std, layerscale_value, num_register_tokens }: Config) {
  const truncated = { init: 'trunc_normal', std } as const;
  return dinoInit(std, layerscale_value, () => ({
    cls_token: truncated,
    register_tokens: num_register_tokens > 0 ? truncated : 'zeros',
    mask_token: 'zeros',
  }));
}

function layer(config: Config): Module {
  const { hidden_size: width, intermediate_size: inner, mlp_bias: bias } = config;
  return container('Layer', {
    norm1: layerNorm(width),
    attention: container('Attention', {
      k_proj: linear(width, width, config.key_bias),
      v_proj: linear(width, width, config.value_bias),
      q_proj: linear(width, width, config.query_bias),
      o_proj: linear(width, width, config.proj_bias),
    }),
    layer_scale1: layerScale(width),
    norm2: layerNorm(width),
    mlp: container('MLP', {
      ...(config.use_gated_mlp && { gate_proj: linear(width, inner, bias) }),
      up_proj: linear(width, inner, bias),
      down_proj: linear(inner, width, bias),
    }),
    layer_scale2: layerScale(width),
  });
}

/** DINOv3's Vision Transformer (Siméoni et al. 2025): as DINOv2, with register tokens, and positions that are computed. */
export const dinov3 = defineArchitecture({
  model_type: 'dinov3_vit',
  config,
  classes: {
    DINOv3ViTModel: (config) => {
      const { hidden_size: width, num_channels, patch_size, num_register_tokens } = config;
      const layers = { layer: repeat(config.num_hidden_layers, () => layer(config)) };
      const embeddings: Module = {
        kind: 'Embeddings',
        own: {
          cls_token: parameter([1, 1, width], 'normal'),
          mask_token: parameter([1, 1, width], 'zeros'),
          register_tokens: parameter([1, num_register_tokens, width]),
        },
        children: { patch_embeddings: conv2d(num_channels, width, patch_size) },
      };
      const children = {
        embeddings,
        model: container('Encoder', layers, { initialize: rule(config) }),
        norm: layerNorm(width),
      };
      return container('DINOv3ViTModel', children, { initialize: rule(config) });
    },
  },
  saved: { rename: [[/(^|\.)model\.layer\./, '$1layer.']] },
});
