import { z } from 'zod';
import { container } from '../module.js';
import { linear } from '../modules/index.js';
import { defineArchitecture, flag, type Part, size } from './architecture.js';
import { llavaNames } from './llava.js';
import { aroundProjector, checkText, visionLanguage, widthOf } from './multimodal.js';

const config = z.looseObject({ projection_dim: size().default(2048), tie_word_embeddings: flag().default(true) });

/** SigLIP's So400m for images of 224 pixels. */
const siglipLarge = {
  hidden_size: 1152,
  intermediate_size: 4096,
  num_hidden_layers: 27,
  num_attention_heads: 16,
  image_size: 224,
  patch_size: 14,
  vision_use_head: false,
};

const gemmaSmall = {
  hidden_size: 2048,
  intermediate_size: 16384,
  num_hidden_layers: 18,
  num_attention_heads: 8,
  num_key_value_heads: 1,
};

/** PaliGemma (Beyer et al. 2024) and PaliGemma 2: SigLIP's encoder of images, a linear layer, and Gemma. */
export const paligemma = defineArchitecture({
  model_type: 'paligemma',
  config,
  parts: ({ text_config, vision_config, vocab_size = 257152 }) => ({
    text_config: { model_type: 'gemma', ...(text_config ?? { ...gemmaSmall, vocab_size }) },
    vision_config: { model_type: 'siglip_vision_model', ...(vision_config ?? siglipLarge) },
  }),
  classes: visionLanguage<z.output<typeof config>>({
    name: 'PaliGemma',
    tiedByText: false,
    body({ projection_dim }, parts) {
      checkText(parts.get('text_config'), 'use_bidirectional_attention', 'PaliGemma');
      const projector = (vision: Part) => container('Projector', { linear: linear(widthOf(vision), projection_dim) });
      return { children: aroundProjector(parts, projector) };
    },
  }).classes,
  saved: llavaNames,
});
