// Longer than others: the encoders of both SigLIPs.

import { z } from 'zod';
import { container, type Module, parameter, type Rule, repeat } from '../module.js';
import { embedding, layerNorm, linear, multiheadAttention } from '../modules/index.js';
import { flag, headsDivide, labels, layers, size, std } from './architecture.js';
import { transformersInit } from './transformers.js';
import { vitMlp } from './vit-layers.js';

const common = {
  ...labels,
  hidden_size: size().default(768),
  intermediate_size: size().default(3072),
  num_hidden_layers: layers().default(12),
  num_attention_heads: size().default(12),
  // No key of its config, but read where it stands there; null is none.
  initializer_range: std()
    .nullish()
    .transform((given) => given ?? 0.02),
};

/** The config of SigLIP's text encoders. */
export const siglipTextConfig = z
  .looseObject({
    ...common,
    vocab_size: size().default(32000),
    max_position_embeddings: size().default(64),
    projection_size: size().nullish(),
  })
  .refine(...headsDivide);

const images = {
  ...common,
  num_channels: size().default(3),
  patch_size: size().default(16),
  vision_use_head: flag().nullable().default(true),
};

/** The config of SigLIP's image encoder. */
export const siglipVisionConfig = z.looseObject({ ...images, image_size: size().default(224) }).refine(...headsDivide);

/** The config of SigLIP 2's, which takes images cut into patches, at most so many. */
export const siglip2VisionConfig = z
  .looseObject({ ...images, num_patches: size().default(256) })
  .refine(...headsDivide);

type Text = z.output<typeof siglipTextConfig>;
interface Base {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly initializer_range: number;
}

const xavier = 'xavier_uniform';

/** Linear layers and convolutions N(0, 1/fan_in) truncated at two deviations and widened again, as JAX's lecun_normal. */
export function siglipInit(std: number, own: Readonly<Record<string, Rule>>, zero?: number): Rule {
  const normal = { init: 'normal', std: std === 0 ? (zero ?? 0.02) : std } as const;
  const lecun = ({ own }: Module) => {
    const fan = (own?.weight?.shape ?? []).slice(1).reduce((product, size) => product * size, 1);
    const truncated = { init: 'trunc_normal', std: Math.sqrt(1 / fan) / 0.87962566103423978 } as const;
    return { weight: [normal, truncated], ...(own?.bias && { bias: 'zeros' as const }) };
  };
  return transformersInit(std, { Linear: lecun, Conv2d: lecun, ...own }, zero);
}

function rule({ hidden_size: width, initializer_range: std }: Base): Rule {
  const normal = { init: 'normal', std: std === 0 ? 0.02 : std } as const;
  const names = ['q_proj', 'k_proj', 'v_proj', 'out_proj'];
  const inward = { in_proj_weight: xavier, in_proj_bias: 'zeros' } as const;
  return siglipInit(std, {
    Embedding: () => ({ weight: [normal, { init: 'normal', std: Math.sqrt(1 / width) }] }),
    VisionEmbeddings: () => ({ 'position_embedding.weight': { init: 'normal', std: 1 / Math.sqrt(width) } }),
    Attention: () =>
      Object.fromEntries([
        ...names.map((name) => [`${name}.weight`, xavier] as const),
        ...names.map((name) => [`${name}.bias`, 'zeros'] as const),
      ]),
    MLP: () => ({
      'fc1.weight': xavier,
      'fc2.weight': xavier,
      'fc1.bias': { init: 'normal', std: 1e-6 },
      'fc2.bias': { init: 'normal', std: 1e-6 },
    }),
    MultiheadAttention: () => ({ ...inward, 'out_proj.bias': 'zeros' }),
    PoolingHead: () => ({ probe: xavier, 'attention.in_proj_weight': xavier, 'attention.in_proj_bias': 'zeros' }),
  });
}

function encoder({ hidden_size: width, intermediate_size, num_hidden_layers }: Base): Module {
  const square = () => linear(width, width);
  const layer = () =>
    container('Layer', {
      layer_norm1: layerNorm(width),
      self_attn: container('Attention', { k_proj: square(), v_proj: square(), q_proj: square(), out_proj: square() }),
      layer_norm2: layerNorm(width),
      mlp: vitMlp(width, intermediate_size),
    });
  return container('Encoder', { layers: repeat(num_hidden_layers, layer) });
}

/** The text encoder. */
export function siglipTextModel(config: Text): Module {
  const { hidden_size: width, vocab_size, max_position_embeddings, projection_size } = config;
  const children = {
    embeddings: container('TextEmbeddings', {
      token_embedding: embedding(vocab_size, width),
      position_embedding: embedding(max_position_embeddings, width),
    }),
    encoder: encoder(config),
    final_layer_norm: layerNorm(width),
    head: linear(width, projection_size ?? width),
  };
  return container('TextModel', children, { initialize: rule(config) });
}

/** The image encoder, by what makes a vector of a patch. */
export function siglipVisionModel(
  config: Base & { readonly vision_use_head: boolean | null },
  patch_embedding: Module,
  patches: number,
): Module {
  const { hidden_size: width } = config;
  const head: Module = {
    kind: 'PoolingHead',
    own: { probe: parameter([1, 1, width], 'normal') },
    children: {
      // Initialized by the model around it.
      attention: { ...multiheadAttention(width), initialize: undefined },
      layernorm: layerNorm(width),
      mlp: vitMlp(width, config.intermediate_size),
    },
  };
  const children = {
    embeddings: container('VisionEmbeddings', { patch_embedding, position_embedding: embedding(patches, width) }),
    encoder: encoder(config),
    post_layernorm: layerNorm(width),
    ...(config.vision_use_head && { head }),
  };
  return container('VisionModel', children, { initialize: rule(config) });
}
