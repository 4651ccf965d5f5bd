import { z } from 'zod';
import { container, type Module } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import type { Saved } from '../saved.js';
import { flag, labels, layers, size, std } from './architecture.js';

const error = 'a whole number ≥ 1, or two of them';

/** A size along both sides of an image. */
export const pair = z
  .union([size(), z.tuple([size(), size()])], { error })
  .transform((given) => (typeof given === 'number' ? ([given, given] as const) : given));

type Pair = z.output<typeof pair>;

/** A standard deviation by which PyTorch divides. */
export const positiveStd = () => std().positive({ error: 'a finite number > 0' });

interface Patches {
  readonly image_size: Pair;
  readonly patch_size: Pair;
}

/** How many patches an image has. */
export function patchCount({ image_size, patch_size }: Patches): number {
  return Math.floor(image_size[0] / patch_size[0]) * Math.floor(image_size[1] / patch_size[1]);
}

/** For refine: that there is one patch at least. */
export const patchesFit: [fits: (config: Patches) => boolean, { path: string[]; error: string }] = [
  (config) => patchCount(config) > 0,
  { path: ['image_size'], error: 'at least patch_size' },
];

/** The config of a Vision Transformer, with ViT's defaults, and other keys. */
export function imageConfig<const More extends z.ZodRawShape>(more: More) {
  const keys = z.looseObject({
    ...labels,
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(12),
    head_dim: size().optional(),
    intermediate_size: size().default(3072),
    initializer_range: positiveStd().default(0.02),
    image_size: pair.default([224, 224]),
    patch_size: pair.default([16, 16]),
    num_channels: size().default(3),
    qkv_bias: flag().default(true),
    encoder_stride: size().default(16),
  });
  return keys
    .extend(more)
    .refine(
      (config) => {
        const { head_dim, hidden_size, num_attention_heads } = config as z.output<typeof keys>;
        return head_dim !== undefined || hidden_size >= num_attention_heads;
      },
      { path: ['hidden_size'], error: 'at least num_attention_heads, or a head_dim' },
    )
    .refine((config) => patchesFit[0](config as z.output<typeof keys>), patchesFit[1]);
}

interface Widths {
  readonly hidden_size: number;
  readonly num_attention_heads: number;
  readonly head_dim?: number | undefined;
  readonly intermediate_size: number;
  readonly qkv_bias: boolean;
}

/** The projections of attention. */
export function vitAttention(config: Omit<Widths, 'intermediate_size'>, keyBias = config.qkv_bias): Module {
  const { hidden_size: width, num_attention_heads: heads, head_dim, qkv_bias } = config;
  const inner = heads * (head_dim ?? Math.floor(width / heads));
  return container('Attention', {
    q_proj: linear(width, inner, qkv_bias),
    k_proj: linear(width, inner, keyBias),
    v_proj: linear(width, inner, qkv_bias),
    o_proj: linear(inner, width),
  });
}

/** Two layers, the inner one wider. */
export function vitMlp(width: number, inner: number): Module {
  return container('MLP', { fc1: linear(width, inner), fc2: linear(inner, width) });
}

/** One of ViT's layers. */
export function vitLayer(config: Widths, keyBias?: boolean): Module {
  const { hidden_size: width, intermediate_size } = config;
  return container('Layer', {
    attention: vitAttention(config, keyBias),
    layernorm_before: layerNorm(width),
    layernorm_after: layerNorm(width),
    mlp: vitMlp(width, intermediate_size),
  });
}

/** The names of the first checkpoints. */
export const vitNames: Saved = {
  rename: [
    [/(^|\.)layers\./, '$1encoder.layer.'],
    [/\.q_proj\./, '.attention.query.'],
    [/\.k_proj\./, '.attention.key.'],
    [/\.v_proj\./, '.attention.value.'],
    [/\.o_proj\./, '.output.dense.'],
    [/\.mlp\.fc1\./, '.intermediate.dense.'],
    [/\.mlp\.fc2\./, '.output.dense.'],
  ],
};
