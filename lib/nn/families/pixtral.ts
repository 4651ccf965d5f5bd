import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { conv2d, linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, headsRotate, labels, layers, optionalSize, size, std } from './architecture.js';
import { gatedMlp } from './decoder.js';
import { transformersInit } from './transformers.js';
import { pair } from './vit-layers.js';

const config = z
  .looseObject({
    ...labels,
    hidden_size: size().default(1024),
    intermediate_size: size().default(4096),
    num_hidden_layers: layers().default(24),
    num_attention_heads: size().default(16),
    head_dim: optionalSize(),
    num_channels: size().default(3),
    patch_size: pair.default([16, 16]),
    initializer_range: std().default(0.02),
  })
  .superRefine(headsRotate);

type Config = z.output<typeof config>;

function layer(config: Config): Module {
  const { hidden_size: width } = config;
  const square = () => linear(width, width, false);
  return container('Layer', {
    attention_norm: rmsNorm(width),
    feed_forward: gatedMlp(config),
    attention: container('Attention', { k_proj: square(), v_proj: square(), q_proj: square(), o_proj: square() }),
    ffn_norm: rmsNorm(width),
  });
}

/** Pixtral's encoder of images (Agrawal et al. 2024): layers as Llama's, positions turned along both sides. */
export const pixtral = defineArchitecture({
  model_type: 'pixtral',
  config,
  classes: {
    PixtralVisionModel: (config) => {
      const { hidden_size: width, num_channels, patch_size } = config;
      const children = {
        patch_conv: conv2d(num_channels, width, patch_size, false),
        ln_pre: rmsNorm(width),
        transformer: container('Transformer', { layers: repeat(config.num_hidden_layers, () => layer(config)) }),
      };
      return container('PixtralVisionModel', children, { initialize: transformersInit(config.initializer_range) });
    },
  },
});
