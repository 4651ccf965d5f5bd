import { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module, type Own, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labelCount, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { imageConfig, patchCount, vitLayer, vitNames } from './vit-layers.js';

const config = imageConfig({
  vocab_size: size().default(8192),
  initializer_range: std().default(0.02),
  qkv_bias: z
    .unknown()
    .optional()
    .transform(() => true),
  use_mask_token: flag().default(false),
  use_absolute_position_embeddings: flag().default(false),
  use_relative_position_bias: flag().default(false),
  use_shared_relative_position_bias: flag().default(false),
  layer_scale_init_value: z.number({ error: 'a finite number' }).default(0.1),
  use_mean_pooling: flag().default(true),
  add_fpn: flag().default(false),
})
  .refine(
    ({ add_fpn, out_indices, segmentation_indices, out_features }) => {
      const indices = out_indices ?? segmentation_indices;
      return !add_fpn || out_features != null || (Array.isArray(indices) && indices.length === 4);
    },
    { path: ['out_indices'], error: 'four whole numbers, since there is add_fpn' },
  )
  .refine(
    ({ patch_size: [a, b], ...config }) =>
      a === b || !(config.use_relative_position_bias || config.use_shared_relative_position_bias),
    { path: ['patch_size'], error: 'one number, since there is a relative position bias' },
  );

type Config = z.output<typeof config>;

function rule({ initializer_range, layer_scale_init_value: val }: Config) {
  const scale: Initializer = { init: 'constant', val };
  const zeros = ({ own = {} }: Module) => Object.fromEntries(Object.keys(own).map((name) => [name, 'zeros' as const]));
  return transformersInit(initializer_range, {
    Embeddings: zeros,
    RelativePositionBias: zeros,
    ScaledLayer: () => ({ lambda_1: scale, lambda_2: scale }),
  });
}

function embeddings(config: Config): Module {
  const { hidden_size: width, num_channels, patch_size } = config;
  const token = () => parameter([1, 1, width], 'zeros');
  return {
    kind: 'Embeddings',
    own: {
      cls_token: token(),
      ...(config.use_mask_token && { mask_token: token() }),
      ...(config.use_absolute_position_embeddings && {
        position_embeddings: parameter([1, patchCount(config) + 1, width], 'zeros'),
      }),
    },
    children: {
      patch_embeddings: container('PatchEmbeddings', { projection: conv2d(num_channels, width, patch_size) }),
    },
  };
}

/** A bias for each distance of two patches, and for three pairs with the class token. */
function relativePositionBias({ image_size, patch_size, num_attention_heads }: Config): Module {
  const [height, width] = image_size.map((side) => 2 * Math.floor(side / patch_size[0]) - 1) as [number, number];
  const relative_position_bias_table = parameter([height * width + 3, num_attention_heads], 'zeros');
  return { kind: 'RelativePositionBias', own: { relative_position_bias_table } };
}

function layer(config: Config): Module {
  const { hidden_size: width, layer_scale_init_value: val } = config;
  const { children } = vitLayer(config, false) as { children: Record<string, Module> };
  const scale = () => parameter([width], { init: 'constant', val });
  const own: Own = val > 0 ? { lambda_1: scale(), lambda_2: scale() } : {};
  const bias = config.use_relative_position_bias ? { relative_position_bias: relativePositionBias(config) } : {};
  return { kind: val > 0 ? 'ScaledLayer' : 'Layer', own, children: { ...children, ...bias } };
}

function body(config: Config, { pooler = false } = {}): Module {
  const { hidden_size: width, use_mean_pooling: mean } = config;
  const children = {
    embeddings: embeddings(config),
    ...(config.use_shared_relative_position_bias && { shared_position_bias: relativePositionBias(config) }),
    layers: repeat(config.num_hidden_layers, () => layer(config)),
    ...(!mean && { layernorm: layerNorm(width) }),
    ...(pooler && mean && { pooler: container('Pooler', { layernorm: layerNorm(width) }) }),
  };
  return container('BeitModel', children, { initialize: rule(config) });
}

/** BEiT (Bao et al. 2021): ViT without biases of the keys; tokens, positions and biases by distance 0, layers scaled from 0.1. */
export const beit = defineArchitecture({
  model_type: 'beit',
  config,
  classes: {
    BeitForImageClassification: (config) => {
      const classes = labelCount(config);
      const head = classes === 0 ? {} : { classifier: linear(config.hidden_size, classes) };
      return headed({ beit: body(config, { pooler: true }) }, head, rule(config));
    },
    BeitModel: (config) => body(config, { pooler: true }),
    BeitForMaskedImageModeling: (config) => {
      const head = { layernorm: layerNorm(config.hidden_size), lm_head: linear(config.hidden_size, config.vocab_size) };
      return headed({ beit: body(config) }, head, rule(config));
    },
  },
  saved: {
    rename: [
      [/(?<=layers\.\d+\.)(?=relative_position_bias\.)/, 'attention.attention.'],
      [/shared_position_bias/, 'encoder.relative_position_bias'],
      ...vitNames.rename,
    ],
  },
});
