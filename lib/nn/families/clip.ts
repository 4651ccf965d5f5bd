import { z } from 'zod';
import { inverseRoot } from '../../core/inverse-root.js';
import { container, parameter, type Rule } from '../module.js';
import { linear } from '../modules/index.js';
import { defineArchitecture, labelCount, labels, type Part, size } from './architecture.js';
import {
  clipFactor,
  clipRule,
  clipTextConfig,
  clipTextModel,
  clipVisionConfig,
  clipVisionModel,
  needed,
  scaled,
} from './clip-layers.js';
import { headed, transformersInit } from './transformers.js';

const config = z.looseObject({
  ...labels,
  projection_dim: size().nullable().default(512),
  logit_scale_init_value: z.number({ error: 'a number with a point' }).nullable().default(2.6592),
  initializer_factor: clipFactor(),
});

/** CLIP's text encoder. */
export const clipText = defineArchitecture({
  model_type: 'clip_text_model',
  config: clipTextConfig,
  classes: {
    CLIPTextModel: clipTextModel,
    CLIPTextModelWithProjection: (config) => {
      const text_projection = linear(config.hidden_size, needed('projection_dim', config.projection_dim), false);
      return container(
        'WithText',
        { text_model: clipTextModel(config), text_projection },
        { initialize: clipRule(config) },
      );
    },
  },
});

/** CLIP's image encoder. */
export const clipVision = defineArchitecture({
  model_type: 'clip_vision_model',
  config: clipVisionConfig,
  classes: {
    CLIPVisionModel: clipVisionModel,
    CLIPVisionModelWithProjection: (config) => {
      const visual_projection = linear(config.hidden_size, needed('projection_dim', config.projection_dim), false);
      const children = { vision_model: clipVisionModel(config), visual_projection };
      return container('WithVision', children, { initialize: clipRule(config) });
    },
  },
});

const widthOf = ({ config }: Part) => (config as { readonly hidden_size: number }).hidden_size;

/** The whole's config has no range, but a factor, which transformers takes in its place. */
const whole = (factor: number, own: Readonly<Record<string, Rule>>) => transformersInit(factor, own, 0);

/** CLIP (Radford et al. 2021): N(0, s²), s by widths and depth; see docs/models.md. */
export const clip = defineArchitecture({
  model_type: 'clip',
  config,
  // The `_dict` ones are what older versions wrote; their values win, and their defaults too.
  parts: ({ text_config, vision_config, text_config_dict, vision_config_dict }) => ({
    text_config: { ...(text_config_dict ?? text_config ?? {}), model_type: 'clip_text_model' },
    vision_config: { ...(vision_config_dict ?? vision_config ?? {}), model_type: 'clip_vision_model' },
  }),
  classes: {
    CLIPModel: ({ initializer_factor: factor, ...config }, parts) => {
      const projection = needed('projection_dim', config.projection_dim);
      const val = needed('logit_scale_init_value', config.logit_scale_init_value);
      const [text, vision] = [parts.get('text_config'), parts.get('vision_config')];
      return {
        kind: 'CLIPModel',
        own: { logit_scale: parameter([], { init: 'constant', val }) },
        children: {
          text_model: text.build('CLIPTextModel'),
          vision_model: vision.build('CLIPVisionModel'),
          visual_projection: linear(widthOf(vision), projection, false),
          text_projection: linear(widthOf(text), projection, false),
        },
        initialize: whole(factor, {
          CLIPModel: () => ({
            'text_projection.weight': scaled(inverseRoot(widthOf(text), 2) * factor),
            'visual_projection.weight': scaled(inverseRoot(widthOf(vision), 2) * factor),
          }),
        }),
      };
    },
    CLIPForImageClassification: (config, parts) => {
      const vision = parts.get('vision_config');
      const classes = labelCount(config);
      const head = classes === 0 ? {} : { classifier: linear(widthOf(vision), classes) };
      const own = () => ({ 'classifier.weight': scaled(inverseRoot(widthOf(vision), 2) * config.initializer_factor) });
      const initialize = whole(config.initializer_factor, classes === 0 ? {} : { Headed: own });
      return headed({ vision_model: vision.build('CLIPVisionModel') }, head, initialize);
    },
  },
});
