import { z } from 'zod';
import { container, parameter } from '../module.js';
import { linear } from '../modules/index.js';
import type { Saved } from '../saved.js';
import { type Architecture, defineArchitecture, flag, type Parts } from './architecture.js';
import { aroundProjector, visionLanguage, widthOf } from './multimodal.js';

/** The names of the first checkpoints, in which the text model had its own head. */
export const llavaNames: Saved = {
  rename: [
    [/^(?:model\.)?language_model\./, 'language_model.model.'],
    [/^lm_head\./, 'language_model.lm_head.'],
    [/^model\.(?=vision_tower|multi_modal_projector|image_newline)/, ''],
  ],
};

/** CLIP's ViT-L/14 for images of 336 pixels. */
const clipLarge = {
  hidden_size: 1024,
  intermediate_size: 4096,
  num_hidden_layers: 24,
  num_attention_heads: 16,
  image_size: 336,
  patch_size: 14,
  projection_dim: 768,
};

const parts: Architecture<unknown>['parts'] = ({ text_config, vision_config }) => ({
  text_config: { model_type: 'llama', ...(text_config ?? {}) },
  vision_config: { model_type: 'clip_vision_model', ...(vision_config ?? clipLarge) },
});

const layerError = 'a whole number, or an array of them';

/** The layer of the image's model that is looked at, or several side by side. */
export const featureLayers = z.union([z.int(), z.array(z.int())], { error: layerError });

export const layerCount = (layers: z.output<typeof featureLayers>): number =>
  typeof layers === 'number' ? 1 : layers.length;

const config = z.looseObject({
  vision_feature_layer: featureLayers.default(-2),
  multimodal_projector_bias: flag().default(true),
  tie_word_embeddings: flag().default(false),
});

type Config = z.output<typeof config>;

function bodyOf({ vision_feature_layer: layer, multimodal_projector_bias: bias }: Config, parts: Parts) {
  return aroundProjector(parts, (vision, text) => {
    const width = widthOf(text);
    return container('Projector', {
      linear_1: linear(widthOf(vision) * layerCount(layer), width, bias),
      linear_2: linear(width, width, bias),
    });
  });
}

/** LLaVA (Liu et al. 2023): any of the models of images, and any of the text models, with an MLP between them. */
export const llava = defineArchitecture({
  model_type: 'llava',
  config,
  parts,
  classes: visionLanguage<Config>({ name: 'Llava', body: (config, parts) => ({ children: bodyOf(config, parts) }) })
    .classes,
  saved: llavaNames,
});

/** LLaVA-NeXT (Liu et al. 2024): as LLaVA, and a vector for the end of a row of pieces of an image. */
export const llavaNext = defineArchitecture({
  model_type: 'llava_next',
  config,
  parts,
  classes: visionLanguage<Config>({
    name: 'LlavaNext',
    tiedByText: false,
    body(config, parts) {
      const width = widthOf(parts.get('text_config'));
      return {
        // Its first values are made of others, which no tensor keeps.
        own: { image_newline: parameter([width]), drawn: parameter([width], 'normal') },
        unsaved: ['drawn'],
        children: bodyOf(config, parts),
        construction: ['vision_tower', 'multi_modal_projector', 'drawn', 'language_model'],
      };
    },
    rules: (parts) => ({
      Whole: () => ({ image_newline: { init: 'normal', std: 1 / Math.sqrt(widthOf(parts.get('text_config'))) } }),
    }),
  }).classes,
  saved: llavaNames,
});
