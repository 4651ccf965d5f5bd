import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, labelCount } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { imageConfig, patchCount, vitLayer, vitNames } from './vit-layers.js';

const config = imageConfig({ pooler_output_size: z.int({ error: 'a whole number ≥ 0, or null' }).min(0).nullish() });

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
  const patches = patchCount({ image_size, patch_size });
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

function body(config: Config, { pooler = true, mask = false } = {}): Module {
  const { hidden_size: width, num_hidden_layers, pooler_output_size } = config;
  const children = {
    embeddings: embeddings(config, mask),
    layers: repeat(num_hidden_layers, () => vitLayer(config)),
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
  saved: vitNames,
});
