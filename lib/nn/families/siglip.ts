import { z } from 'zod';
import { inverseRoot } from '../../core/inverse-root.js';
import { container, parameter, type Rule } from '../module.js';
import { conv2d, linear } from '../modules/index.js';
import { defineArchitecture, labelCount, labels, std } from './architecture.js';
import {
  siglip2VisionConfig,
  siglipInit,
  siglipTextConfig,
  siglipTextModel,
  siglipVisionConfig,
  siglipVisionModel,
} from './siglip-layers.js';

const config = z
  .looseObject({ ...labels, initializer_factor: std().default(1) })
  .refine((given) => labelCount(given) > 0, { path: ['num_labels'], error: 'a whole number ≥ 1' });

/** Both encoders, and a scale and a bias of their products; or a classifier of images. */
function family(model_type: string, name: string) {
  return defineArchitecture<z.output<typeof config>>({
    model_type,
    config,
    parts: ({ text_config, vision_config }) => ({
      text_config: { ...(text_config ?? {}), model_type: `${model_type}_text_model` },
      vision_config: { ...(vision_config ?? {}), model_type: `${model_type}_vision_model` },
    }),
    classes: {
      [`${name}Model`]: ({ initializer_factor }, parts) => ({
        kind: 'Whole',
        own: { logit_scale: parameter([1], 'normal'), logit_bias: parameter([1], 'normal') },
        children: {
          text_model: parts.get('text_config').build(`${name}TextModel`),
          vision_model: parts.get('vision_config').build(`${name}VisionModel`),
        },
        construction: ['text_model', 'vision_model', 'logit_scale', 'logit_bias'],
        initialize: siglipInit(initializer_factor, { Whole: () => ({ logit_scale: 'zeros', logit_bias: 'zeros' }) }, 0),
      }),
      [`${name}ForImageClassification`]: (config, parts) => {
        const vision = parts.get('vision_config');
        const { hidden_size: width } = vision.config as { readonly hidden_size: number };
        const std = inverseRoot(width, 2) * config.initializer_factor;
        const children = {
          vision_model: vision.build(`${name}VisionModel`),
          classifier: linear(width, labelCount(config)),
        };
        const own: Rule = () => ({ 'classifier.weight': { init: 'normal', std } });
        return container('Whole', children, { initialize: siglipInit(config.initializer_factor, { Whole: own }, 0) });
      },
    },
  });
}

function textFamily(model_type: string, name: string) {
  return defineArchitecture({ model_type, config: siglipTextConfig, classes: { [name]: siglipTextModel } });
}

/** SigLIP (Zhai et al. 2023): Xavier's uniform, as in Big Vision. */
export const siglip = family('siglip', 'Siglip');

/** SigLIP 2 (Tschannen et al. 2025), for images of any shape. */
export const siglip2 = family('siglip2', 'Siglip2');

/** The text encoder. */
export const siglipText = textFamily('siglip_text_model', 'SiglipTextModel');

/** The text encoder. */
export const siglip2Text = textFamily('siglip2_text_model', 'Siglip2TextModel');

/** The image encoder. */
export const siglipVision = defineArchitecture({
  model_type: 'siglip_vision_model',
  config: siglipVisionConfig,
  classes: {
    SiglipVisionModel: (config) => {
      const { num_channels, hidden_size, patch_size, image_size } = config;
      const patches = Math.floor(image_size / patch_size) ** 2;
      return siglipVisionModel(config, conv2d(num_channels, hidden_size, [patch_size, patch_size]), patches);
    },
  },
});

/** The image encoder. */
export const siglip2Vision = defineArchitecture({
  model_type: 'siglip2_vision_model',
  config: siglip2VisionConfig,
  classes: {
    Siglip2VisionModel: (config) => {
      const { num_channels, hidden_size, patch_size, num_patches } = config;
      return siglipVisionModel(config, linear(num_channels * patch_size ** 2, hidden_size), num_patches);
    },
  },
});
