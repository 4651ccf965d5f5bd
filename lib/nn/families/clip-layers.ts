// Longer than others: both of CLIP's encoders, which are initialized by one rule.

import { z } from 'zod';
import { inverseRoot } from '../../core/inverse-root.js';
import { container, type Module, parameter, type Rule, repeat } from '../module.js';
import { conv2d, embedding, layerNorm, linear } from '../modules/index.js';
import { headsDivide, labels, layers, size, std } from './architecture.js';
import { transformersInit } from './transformers.js';

/** What one class needs and others leave alone: null is refused by that class. */
export function needed(key: string, value: number | null): number {
  if (value !== null) return value;
  throw new RangeError(`${key}: expected a number, which this class needs, but received null`);
}

/** `initializer_factor`. */
export const clipFactor = () => z.number({ error: 'a finite number' }).min(0).default(1);

const common = {
  ...labels,
  projection_dim: size().nullable().default(512),
  num_hidden_layers: layers().default(12),
  initializer_range: std().default(0.02),
  initializer_factor: clipFactor(),
};

/** The text encoder's config. */
export const clipTextConfig = z
  .looseObject({
    ...common,
    vocab_size: size().default(49408),
    hidden_size: size().default(512),
    intermediate_size: size().default(2048),
    num_attention_heads: size().default(8),
    max_position_embeddings: size().default(77),
  })
  .refine(...headsDivide);

/** The image encoder's config. */
export const clipVisionConfig = z
  .looseObject({
    ...common,
    hidden_size: size().default(768),
    intermediate_size: size().default(3072),
    num_attention_heads: size().default(12),
    num_channels: size().default(3),
    image_size: size().default(224),
    patch_size: size().default(32),
  })
  .refine(...headsDivide);

type Text = z.output<typeof clipTextConfig>;
type Vision = z.output<typeof clipVisionConfig>;

/** N(0, std²). */
export const scaled = (std: number) => ({ init: 'normal', std }) as const;

/** By widths and depth; see docs/models.md. */
export function clipRule({
  hidden_size: width,
  num_hidden_layers,
  initializer_range,
  initializer_factor,
}: Text | Vision): Rule {
  const byWidth = inverseRoot(width, 2);
  const byDepth = () => scaled(byWidth * inverseRoot(2 * num_hidden_layers, 2) * initializer_factor);
  const text = scaled(initializer_factor * 0.02);
  const vision = scaled(initializer_range * initializer_factor);
  const outward = scaled(byWidth * initializer_factor);
  return transformersInit(initializer_range, {
    TextEmbeddings: () => ({ 'token_embedding.weight': text, 'position_embedding.weight': text }),
    VisionEmbeddings: () => ({
      class_embedding: outward,
      'patch_embedding.weight': vision,
      'position_embedding.weight': vision,
    }),
    Attention: () => ({
      'q_proj.weight': byDepth(),
      'k_proj.weight': byDepth(),
      'v_proj.weight': byDepth(),
      'out_proj.weight': outward,
    }),
    MLP: () => ({ 'fc1.weight': scaled(inverseRoot(2 * width, 2) * initializer_factor), 'fc2.weight': byDepth() }),
    WithText: () => ({ 'text_projection.weight': outward }),
    WithVision: () => ({ 'visual_projection.weight': outward }),
  });
}

interface Encoder {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
}

/** The layers of an encoder. */
export function clipEncoder({ hidden_size: width, intermediate_size, num_hidden_layers }: Encoder): Module {
  const square = () => linear(width, width);
  const layer = () =>
    container('Layer', {
      self_attn: container('Attention', { k_proj: square(), v_proj: square(), q_proj: square(), out_proj: square() }),
      layer_norm1: layerNorm(width),
      mlp: container('MLP', { fc1: linear(width, intermediate_size), fc2: linear(intermediate_size, width) }),
      layer_norm2: layerNorm(width),
    });
  return container('Encoder', { layers: repeat(num_hidden_layers, layer) });
}

/** The text encoder. */
export function clipTextModel(config: Text): Module {
  const { hidden_size: width, vocab_size, max_position_embeddings } = config;
  const embeddings = container('TextEmbeddings', {
    token_embedding: embedding(vocab_size, width),
    position_embedding: embedding(max_position_embeddings, width),
  });
  const children = { embeddings, encoder: clipEncoder(config), final_layer_norm: layerNorm(width) };
  return container('TextModel', children, { initialize: clipRule(config) });
}

/** The image encoder. */
export function clipVisionModel(config: Vision): Module {
  const { hidden_size: width, image_size, patch_size, num_channels } = config;
  const embeddings: Module = {
    kind: 'VisionEmbeddings',
    own: { class_embedding: parameter([width], 'normal') },
    children: {
      patch_embedding: conv2d(num_channels, width, [patch_size, patch_size], false),
      position_embedding: embedding(Math.floor(image_size / patch_size) ** 2 + 1, width),
    },
  };
  const children = {
    embeddings,
    pre_layrnorm: layerNorm(width),
    encoder: clipEncoder(config),
    post_layernorm: layerNorm(width),
  };
  return container('VisionModel', children, { initialize: clipRule(config) });
}
