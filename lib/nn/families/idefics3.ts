import { z } from 'zod';
import { container } from '../module.js';
import { conv2d, embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, layers, padding, size, std } from './architecture.js';
import { clipEncoder } from './clip-layers.js';
import { bodyClass, checkText, visionLanguage, widthOf } from './multimodal.js';

import { transformersInit } from './transformers.js';

const visionConfig = z
  .looseObject({
    hidden_size: size().default(1152),
    intermediate_size: size().default(3072),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(16),
    num_channels: size().default(3),
    image_size: size().default(224),
    patch_size: size().default(32),
    initializer_range: std().default(0.02),
  })
  .refine(...headsDivide);

/** The encoder of images: SigLIP's modules. */
function visionFamily(model_type: string, name: string) {
  return defineArchitecture({
    model_type,
    config: visionConfig,
    classes: {
      [`${name}VisionTransformer`]: (config: z.output<typeof visionConfig>) => {
        const { hidden_size: width, num_channels, image_size, patch_size: patch } = config;
        const children = {
          embeddings: container('VisionEmbeddings', {
            patch_embedding: conv2d(num_channels, width, [patch, patch]),
            position_embedding: embedding(Math.floor(image_size / patch) ** 2, width),
          }),
          encoder: clipEncoder(config),
          post_layernorm: layerNorm(width),
        };
        return container('VisionModel', children, { initialize: transformersInit(config.initializer_range) });
      },
    },
  });
}

const config = z.looseObject({
  scale_factor: size().default(2),
  pad_token_id: padding(128_002),
  tie_word_embeddings: flag().default(false),
});

/** Vectors of an image are joined by scale_factor² and projected to the text model's width. */
function family(model_type: string, name: string) {
  return defineArchitecture({
    model_type,
    config,
    parts: ({ text_config, vision_config, pad_token_id = 128_002 }) => ({
      text_config: { model_type: 'llama', ...(text_config ?? { pad_token_id }) },
      vision_config: { ...(vision_config ?? {}), model_type: `${model_type}_vision` },
    }),
    classes: visionLanguage<z.output<typeof config>>({
      name,
      language: 'text_model',
      tiedByText: false,
      body({ scale_factor }, parts) {
        const [text, vision] = [parts.get('text_config'), parts.get('vision_config')];
        checkText(text, 'pad_token_id', name);
        const proj = linear(widthOf(vision) * scale_factor ** 2, widthOf(text), false);
        const connector = container('Connector', { modality_projection: container('SimpleMLP', { proj }) });
        return {
          children: { vision_model: vision.build(bodyClass), connector, text_model: text.build(bodyClass) },
        };
      },
    }).classes,
  });
}

/** The encoder of images. */
export const idefics3Vision = visionFamily('idefics3_vision', 'Idefics3');

/** The encoder of images. */
export const smolvlmVision = visionFamily('smolvlm_vision', 'SmolVLM');

/** Idefics 3 (Laurençon et al. 2024). */
export const idefics3 = family('idefics3', 'Idefics3');

/** SmolVLM (Marafioti et al. 2025): Idefics 3's modules. */
export const smolvlm = family('smolvlm', 'SmolVLM');
