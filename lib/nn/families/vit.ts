import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labelCount, labels, layers, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';

const error = 'a whole number ≥ 1, or two of them';
const pair = z
  .union([size(), z.tuple([size(), size()])], { error })
  .transform((given) => (typeof given === 'number' ? ([given, given] as const) : given));

const config = z
  .looseObject({
    ...labels,
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(12),
    head_dim: size().optional(),
    intermediate_size: size().default(3072),
    initializer_range: std().positive({ error: 'a finite number > 0' }).default(0.02),
    image_size: pair.default([224, 224]),
    patch_size: pair.default([16, 16]),
    num_channels: size().default(3),
    qkv_bias: flag().default(true),
    encoder_stride: size().default(16),
    pooler_output_size: z.int({ error: 'a whole number ≥ 0, or null' }).min(0).nullish(),
  })
  .refine(({ image_size, patch_size }) => image_size[0] >= patch_size[0] && image_size[1] >= patch_size[1], {
    path: ['image_size'],
    error: 'at least patch_size',
  });

type Config = z.output<typeof config>;

function rule({ initializer_range: std }: Config) {
  // Bounds are absolute, as everywhere in PyTorch: ±2, a hundred deviations away.
  const truncated = { init: 'trunc_normal', std } as const;
  return transformersInit(std, {
    Embeddings: ({ own }) => ({
      position_embeddings: truncated,
      cls_token: truncated,
      ...(own?.mask_token && { mask_token: 'zeros' }),
    }),
  });
}

function embeddings({ image_size, patch_size, num_channels, hidden_size: width }: Config, mask: boolean): Module {
  const patches = Math.floor(image_size[0] / patch_size[0]) * Math.floor(image_size[1] / patch_size[1]);
  return {
    kind: 'Embeddings',
    own: {
      cls_token: parameter([1, 1, width], 'normal'),
      ...(mask && { mask_token: parameter([1, 1, width], 'zeros') }),
      position_embeddings: parameter([1, patches + 1, width], 'normal'),
    },
    children: {
      patch_embeddings: container('PatchEmbeddings', { projection: conv2d(num_channels, width, patch_size) }),
    },
    construction: ['cls_token', ...(mask ? ['mask_token'] : []), 'patch_embeddings', 'position_embeddings'],
  };
}

function layer(config: Config): Module {
  const { hidden_size: width, num_attention_heads, intermediate_size, qkv_bias } = config;
  const inner = num_attention_heads * (config.head_dim ?? Math.floor(width / num_attention_heads));
  return container('Layer', {
    attention: container('Attention', {
      q_proj: linear(width, inner, qkv_bias),
      k_proj: linear(width, inner, qkv_bias),
      v_proj: linear(width, inner, qkv_bias),
      o_proj: linear(inner, width),
    }),
    layernorm_before: layerNorm(width),
    layernorm_after: layerNorm(width),
    mlp: container('MLP', { fc1: linear(width, intermediate_size), fc2: linear(intermediate_size, width) }),
  });
}

function body(config: Config, { pooler = true, mask = false } = {}): Module {
  const { hidden_size: width, num_hidden_layers, pooler_output_size } = config;
  const children = {
    embeddings: embeddings(config, mask),
    layers: repeat(num_hidden_layers, () => layer(config)),
    layernorm: layerNorm(width),
    ...(pooler && { pooler: container('Pooler', { dense: linear(width, pooler_output_size || width) }) }),
  };
  return container('ViTModel', children, { initialize: rule(config) });
}

/**
 * The Vision Transformer (Dosovitskiy et al. 2020) as transformers has it: N(0, initializer_range²), the class token and the
 * positions truncated at ±2, biases 0. Files keep the names of the first checkpoints.
 */
export const vit = defineArchitecture({
  model_type: 'vit',
  config,
  classes: {
    ViTForImageClassification: (config) => {
      const classes = labelCount(config);
      const head = classes === 0 ? {} : { classifier: linear(config.hidden_size, classes) };
      return headed({ vit: body(config, { pooler: false }) }, head, rule(config));
    },
    ViTModel: (config) => body(config),
    ViTForMaskedImageModeling: (config) => {
      const pixels = config.encoder_stride ** 2 * config.num_channels;
      const decoder = container('Sequential', [conv2d(config.hidden_size, pixels, [1, 1])]);
      return headed({ vit: body(config, { pooler: false, mask: true }) }, { decoder }, rule(config));
    },
  },
  saved: {
    rename: [
      [/(^|\.)layers\./, '$1encoder.layer.'],
      [/\.q_proj\./, '.attention.query.'],
      [/\.k_proj\./, '.attention.key.'],
      [/\.v_proj\./, '.attention.value.'],
      [/\.o_proj\./, '.output.dense.'],
      [/\.mlp\.fc1\./, '.intermediate.dense.'],
      [/\.mlp\.fc2\./, '.output.dense.'],
    ],
  },
});
