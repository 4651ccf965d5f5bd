import { z } from 'zod';
import { parameter } from '../module.js';
import { linear, rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, labelCount, labels, size, std } from './architecture.js';
import { llavaNames } from './llava.js';
import { aroundProjector, visionLanguage, widthOf } from './multimodal.js';

const config = z.looseObject({
  ...labels,
  mm_tokens_per_image: size().default(256),
  initializer_range: std().nullable().default(0.02),
  tie_word_embeddings: flag().nullable().default(true),
});

const rules = () => ({
  Projector: () => ({ mm_input_projection_weight: 'zeros' as const }),
  RMSNorm: () => ({ weight: 'zeros' as const }),
});

const { classes, withHead } = visionLanguage<z.output<typeof config>>({
  name: 'Gemma3',
  tiedByText: false,
  rules,
  body(_, parts) {
    const children = aroundProjector(parts, (vision, text) => ({
      kind: 'Projector',
      own: { mm_input_projection_weight: parameter([widthOf(vision), widthOf(text)], 'zeros') },
      children: { mm_soft_emb_norm: rmsNorm(widthOf(vision), 'zeros') },
    }));
    return { children };
  },
});

/** Gemma 3 (Gemma Team 2025, arXiv:2503.19786) with SigLIP's encoder of images. */
export const gemma3 = defineArchitecture({
  model_type: 'gemma3',
  config,
  parts: ({ text_config, vision_config }) => ({
    text_config: { ...(text_config ?? {}), model_type: 'gemma3_text' },
    vision_config: { ...(vision_config ?? {}), model_type: 'siglip_vision_model' },
  }),
  classes: {
    ...classes,
    Gemma3ForSequenceClassification: withHead((config, text) => ({
      score: linear(widthOf(text), labelCount(config), false),
    })),
  },
  saved: llavaNames,
});
