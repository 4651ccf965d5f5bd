import { z } from 'zod';
import { isPlainObject, show } from '../../core/check.js';
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

/** What PaliGemma's config class does with its parts: it sets one key of the text's where that is null, and divides the images' sizes. */
function checkParts(text: Part, vision: unknown): void {
  const key = 'use_bidirectional_attention';
  checkText(text, key, 'PaliGemma');
  if (text.model_type === 'gemma4_text' && text.config[key] == null)
    throw new RangeError(
      `text_config: ${key}: expected 'all' or 'vision', since PaliGemma makes true of null, which is none of gemma4_text's`,
    );
  for (const size of ['image_size', 'patch_size']) {
    const found = isPlainObject(vision) ? vision[size] : undefined;
    if (Array.isArray(found))
      throw new RangeError(
        `vision_config: ${size}: expected one whole number, which PaliGemma divides, but received ${show(found)}`,
      );
  }
}

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
    body({ projection_dim, vision_config }, parts) {
      checkParts(parts.get('text_config'), vision_config);
      const projector = (vision: Part) => container('Projector', { linear: linear(widthOf(vision), projection_dim) });
      return { children: aroundProjector(parts, projector) };
    },
  }).classes,
  saved: llavaNames,
});
