import { z } from 'zod';
import { container } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, size } from './architecture.js';
import { featureLayers, layerCount, llavaNames } from './llava.js';
import { aroundProjector, checkText, visionLanguage, widthOf } from './multimodal.js';

const config = z.looseObject({
  vision_feature_layer: featureLayers.default(-1),
  multimodal_projector_bias: flag().default(false),
  spatial_merge_size: size().default(2),
  tie_word_embeddings: flag().default(true),
});

const defaultVision = { patch_size: 14, image_size: 1540 };

const defaultText = {
  vocab_size: 131072,
  hidden_size: 5120,
  intermediate_size: 32768,
  num_hidden_layers: 40,
  head_dim: 128,
};

/** Mistral Small 3.1 and its kin (Mistral AI 2025): Pixtral's encoder of images, whose patches are merged, and Mistral. */
export const mistral3 = defineArchitecture({
  model_type: 'mistral3',
  config,
  parts: ({ text_config, vision_config }) => ({
    text_config: { model_type: 'mistral', ...(text_config ?? defaultText) },
    vision_config: { model_type: 'pixtral', ...(vision_config ?? defaultVision) },
  }),
  classes: visionLanguage<z.output<typeof config>>({
    name: 'Mistral3',
    tiedByText: false,
    body({ vision_feature_layer: layer, multimodal_projector_bias: bias, spatial_merge_size }, parts) {
      checkText(parts.get('text_config'), 'rms_norm_eps', "Mistral 3's projector");
      const children = aroundProjector(parts, (vision, text) => {
        const [inputs, width] = [widthOf(vision), widthOf(text)];
        return container('Projector', {
          norm: rmsNorm(inputs),
          patch_merger: container('Merger', { merging_layer: linear(inputs * spatial_merge_size ** 2, inputs, false) }),
          linear_1: linear(inputs * layerCount(layer), width, bias),
          linear_2: linear(width, width, bias),
        });
      });
      return { children };
    },
  }).classes,
  saved: llavaNames,
});
