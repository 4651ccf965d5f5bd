import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { aliases, flag, labelCount, labels, layers, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { pair, patchCount, patchesFit } from './vit-layers.js';

export const keys = z
  .looseObject({
    ...labels,
    image_size: pair.default([224, 224]),
    patch_size: pair.default([4, 4]),
    num_channels: size().default(3),
    embed_dim: size().default(96),
    depths: z.array(layers()).min(1).max(20).default([2, 2, 6, 2]),
    // Of a saved config.
    num_layers: layers().max(20).optional(),
    num_heads: z.array(size()).default([3, 6, 12, 24]),
    window_size: size().default(7),
    mlp_ratio: z.number({ error: 'a finite number > 0' }).positive().default(4),
    qkv_bias: flag().default(true),
    use_absolute_embeddings: flag().default(false),
    initializer_range: std().default(0.02),
    encoder_stride: size().default(32),
  })
  .refine(...patchesFit)
  .refine(({ depths, num_heads }) => num_heads.length >= depths.length, {
    path: ['num_heads'],
    error: 'a number for each of depths',
  });

export type SwinConfig = z.output<typeof keys>;

export const rule = ({ initializer_range }: SwinConfig) =>
  transformersInit(initializer_range, {
    Embeddings: ({ own = {} }) => Object.fromEntries(Object.keys(own).map((name) => [name, 'zeros' as const])),
    RelativePositionBias: () => ({ relative_position_bias_table: 'zeros' }),
  });

export const widthOf = ({ embed_dim, depths }: SwinConfig, stage = depths.length - 1): number => embed_dim * 2 ** stage;

/** Of the decoder for masked images, which follows a saved config's number of stages, whatever `depths` has become since. */
export const decoderWidth = ({ embed_dim, depths, num_layers = depths.length }: SwinConfig): number =>
  Math.trunc(embed_dim * 2 ** (num_layers - 1));

/** @param layer one of a stage, by its width and heads */
export function encoder(
  config: SwinConfig,
  layer: (config: SwinConfig, width: number, heads: number) => Module,
): Module {
  const { depths, num_heads } = config;
  const stage = (index: number) => {
    const width = widthOf(config, index);
    const merging = () =>
      container('PatchMerging', { reduction: linear(4 * width, 2 * width, false), norm: layerNorm(4 * width) });
    return container('Stage', {
      blocks: repeat(depths[index] ?? 0, () => layer(config, width, num_heads[index] ?? 1)),
      ...(index < depths.length - 1 && { downsample: merging() }),
    });
  };
  return container('Encoder', { layers: repeat(depths.length, stage) });
}

/** @param more positions than patches */
export function embeddings(config: SwinConfig, { mask = false, more = 0 } = {}): Module {
  const { embed_dim: width, num_channels, patch_size, use_absolute_embeddings } = config;
  const positions = patchCount(config) + more;
  return {
    kind: 'Embeddings',
    own: {
      ...(mask && { mask_token: parameter([1, 1, width], 'zeros') }),
      ...(use_absolute_embeddings && { position_embeddings: parameter([1, positions, width], 'zeros') }),
    },
    children: {
      patch_embeddings: container('PatchEmbeddings', { projection: conv2d(num_channels, width, patch_size) }),
      norm: layerNorm(width),
    },
  };
}

/** A head over the classes, where there are any. */
export function classification(body: Readonly<Record<string, Module>>, config: SwinConfig): Module {
  const classes = labelCount(config);
  return headed(body, classes === 0 ? {} : { classifier: linear(widthOf(config), classes) }, rule(config));
}

export const general = aliases({ num_attention_heads: 'num_heads', num_hidden_layers: 'num_layers' });
