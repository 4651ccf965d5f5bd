import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, labelCount } from './architecture.js';
import { decoderWidth, embeddings, general, keys, type SwinConfig, widthOf } from './swin-layers.js';
import { headed, transformersInit } from './transformers.js';

const config = keys
  .safeExtend({
    pretrained_window_sizes: z.array(z.int(), { error: 'an array of whole numbers' }).default([0, 0, 0, 0]),
  })
  .refine(({ depths, pretrained_window_sizes: given }) => given.length >= depths.length, {
    path: ['pretrained_window_sizes'],
    error: 'a number for each of depths',
  })
  .refine(
    (config) => config.depths.every((_, stage) => widthOf(config, stage) % (config.num_heads[stage] ?? 1) === 0),
    {
      path: ['num_heads'],
      error: 'divisors of the widths, embed_dim · 2^stage',
    },
  )
  .refine(
    ({ depths, image_size, patch_size }) =>
      depths.every(
        (layers, stage) =>
          layers === 0 || image_size.every((side, i) => Math.floor(side / (patch_size[i] ?? 1)) >> stage > 0),
      ),
    { path: ['image_size'], error: 'at least patch_size · 2^stage in each stage' },
  );

const logScale: Initializer = { init: 'constant', val: Math.log(10) };

const rule = ({ initializer_range }: SwinConfig) =>
  transformersInit(initializer_range, {
    Embeddings: ({ own = {} }) => Object.fromEntries(Object.keys(own).map((name) => [name, 'zeros' as const])),
    SelfAttention: () => ({ logit_scale: logScale }),
  });

/** Attention of cosines, with biases by distance that a small network makes. */
function layer({ mlp_ratio, qkv_bias }: SwinConfig, width: number, heads: number): Module {
  const positions = [linear(2, 512), container('ReLU', {}), linear(512, heads, false)];
  const inner = Math.trunc(mlp_ratio * width);
  return container('Layer', {
    attention: container('Attention', {
      self: {
        kind: 'SelfAttention',
        own: { logit_scale: parameter([heads, 1, 1], logScale) },
        children: {
          continuous_position_bias_mlp: container('Sequential', positions),
          query: linear(width, width, qkv_bias),
          key: linear(width, width, false),
          value: linear(width, width, qkv_bias),
        },
      },
      output: container('Output', { dense: linear(width, width) }),
    }),
    layernorm_before: layerNorm(width),
    intermediate: container('Intermediate', { dense: linear(width, inner) }),
    output: container('Output', { dense: linear(inner, width) }),
    layernorm_after: layerNorm(width),
  });
}

function stage(config: SwinConfig, index: number): Module {
  const width = widthOf(config, index);
  const merging = () =>
    container('PatchMerging', { reduction: linear(4 * width, 2 * width, false), norm: layerNorm(2 * width) });
  return container('Stage', {
    blocks: repeat(config.depths[index] ?? 0, () => layer(config, width, config.num_heads[index] ?? 1)),
    ...(index < config.depths.length - 1 && { downsample: merging() }),
  });
}

function body(config: SwinConfig, { mask = false } = {}): Module {
  const encoder = container('Encoder', { layers: repeat(config.depths.length, (index) => stage(config, index)) });
  const children = {
    embeddings: embeddings(config, { mask, more: 1 }),
    encoder,
    layernorm: layerNorm(widthOf(config)),
  };
  return container('Swinv2Model', children, { initialize: rule(config) });
}

/** Swin V2 (Liu et al. 2022): N(0, initializer_range²), scales of attention's cosines ln 10. */
export const swinv2 = defineArchitecture<SwinConfig>({
  model_type: 'swinv2',
  config,
  prepare: general,
  classes: {
    Swinv2ForImageClassification: (config) => {
      const classes = labelCount(config);
      const head = classes === 0 ? {} : { classifier: linear(widthOf(config), classes) };
      return headed({ swinv2: body(config) }, head, rule(config));
    },
    Swinv2Model: (config) => body(config),
    Swinv2ForMaskedImageModeling: (config) => {
      const decoder = conv2d(decoderWidth(config), config.encoder_stride ** 2 * config.num_channels, [1, 1]);
      const head = { decoder: container('Sequential', [decoder]) };
      return headed({ swinv2: body(config, { mask: true }) }, head, rule(config));
    },
  },
});
