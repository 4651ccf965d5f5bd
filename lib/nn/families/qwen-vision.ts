import { container, type Module } from '../module.js';
import { conv3d, linear } from '../modules/index.js';
import { layers, type Parts, size, std } from './architecture.js';
import { bodyClass } from './multimodal.js';

// What Qwen's models of images have in common.

/** What is read of the config of images by all of Qwen's. */
export const qwenVisionKeys = (depth: number, width: number, patch: number) => ({
  depth: layers().default(depth),
  hidden_size: size().default(width),
  num_heads: size().default(16),
  in_channels: size().default(3),
  patch_size: size().default(patch),
  spatial_merge_size: size().default(2),
  temporal_patch_size: size().default(2),
  initializer_range: std().default(0.02),
});

/** For refine: that a head is at least one wide, as transformers demands. */
export const headsFit = (
  key: string,
): [(config: Readonly<Record<string, unknown>>) => boolean, { path: string[]; error: string }] => [
  ({ [key]: width, num_heads }) => Number(width) >= Number(num_heads),
  { path: [key], error: 'at least num_heads' },
];

/** The weights of attention in one matrix. */
export const fusedAttention = (width: number): Module =>
  container('Attention', { qkv: linear(width, 3 * width), proj: linear(width, width) });

export interface Patches {
  readonly in_channels: number;
  readonly patch_size: number;
  readonly temporal_patch_size: number;
}

/** A vector of each patch of some images in a row. */
export const patchEmbedding = (
  { in_channels, patch_size: patch, temporal_patch_size }: Patches,
  width: number,
  bias = false,
) => container('PatchEmbed', { proj: conv3d(in_channels, width, [temporal_patch_size, patch, patch], bias) });

/** A whole of both models. */
export const qwenBody = (_: unknown, parts: Parts) => ({
  children: {
    visual: parts.get('vision_config').build(bodyClass),
    language_model: parts.get('text_config').build(bodyClass),
  },
});
