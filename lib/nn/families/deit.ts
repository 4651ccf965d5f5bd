import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, labelCount } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { imageConfig, patchCount, vitLayer, vitNames } from './vit-layers.js';

const config = imageConfig({ pooler_output_size: z.int({ error: 'a whole number ≥ 0, or null' }).min(0).nullish() });

type Config = z.output<typeof config>;

/** Draws the class token and the positions, then writes 0 over them. */
function rule({ initializer_range: std }: Config) {
  const inVain = [{ init: 'trunc_normal', std } as const, 'zeros' as const];
  return transformersInit(std, {
    Embeddings: ({ own }) => ({
      position_embeddings: inVain,
      cls_token: inVain,
      ...(own?.mask_token && { mask_token: 'zeros' }),
      distillation_token: 'zeros',
    }),
  });
}

function embeddings(config: Config, mask: boolean): Module {
  const { num_channels, hidden_size: width, patch_size } = config;
  const token = () => parameter([1, 1, width], 'zeros');
  return {
    kind: 'Embeddings',
    own: {
      cls_token: token(),
      ...(mask && { mask_token: token() }),
      position_embeddings: parameter([1, patchCount(config) + 2, width], 'zeros'),
      distillation_token: token(),
    },
    children: {
      patch_embeddings: container('PatchEmbeddings', { projection: conv2d(num_channels, width, patch_size) }),
    },
  };
}

function body(config: Config, { pooler = false, mask = false } = {}): Module {
  const { hidden_size: width, num_hidden_layers, pooler_output_size } = config;
  const children = {
    embeddings: embeddings(config, mask),
    layers: repeat(num_hidden_layers, () => vitLayer(config)),
    layernorm: layerNorm(width),
    ...(pooler && { pooler: container('Pooler', { dense: linear(width, pooler_output_size || width) }) }),
  };
  return container('DeiTModel', children, { initialize: rule(config) });
}

function classifiers(config: Config, ...names: string[]): Module {
  const classes = labelCount(config);
  const heads = names.map((name) => [name, linear(config.hidden_size, classes)] as const);
  return headed({ deit: body(config) }, classes === 0 ? {} : Object.fromEntries(heads), rule(config));
}

/** DeiT (Touvron et al. 2020): ViT with a second token, from which a teacher is imitated. Tokens and positions begin with 0. */
export const deit = defineArchitecture({
  model_type: 'deit',
  config,
  classes: {
    DeiTForImageClassification: (config) => classifiers(config, 'classifier'),
    DeiTForImageClassificationWithTeacher: (config) => classifiers(config, 'cls_classifier', 'distillation_classifier'),
    DeiTModel: (config) => body(config, { pooler: true }),
    DeiTForMaskedImageModeling: (config) => {
      const pixels = config.encoder_stride ** 2 * config.num_channels;
      const decoder = container('Sequential', [conv2d(config.hidden_size, pixels, [1, 1])]);
      return headed({ deit: body(config, { mask: true }) }, { decoder }, rule(config));
    },
  },
  saved: vitNames,
});
