import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, headsRotate, optionalSize, paddingFits, size } from './architecture.js';
import { decoderClasses } from './decoder.js';
import { visionLanguage } from './multimodal.js';
import { fusedAttention, headsFit, patchEmbedding, qwenBody, qwenVisionKeys } from './qwen-vision.js';
import { qwen3Keys, qwen3Parts } from './qwen3.js';
import { transformersInit } from './transformers.js';

/** What is read of the config of images. */
export const qwen3VisionKeys = {
  ...qwenVisionKeys(27, 1152, 16),
  intermediate_size: size().default(4304),
  out_hidden_size: size().default(3584),
  num_position_embeddings: size().default(2304),
};

const visionConfig = z
  .looseObject({ ...qwen3VisionKeys, deepstack_visual_indexes: z.array(z.int()).default([8, 16, 24]) })
  .refine(...headsFit('hidden_size'));

const fcs = (inputs: number, inner: number, outputs: number) => ({
  linear_fc1: linear(inputs, inner),
  linear_fc2: linear(inner, outputs),
});

/** The encoder of images: a Vision Transformer. What comes of some of its layers goes to the text model too, where a config says so. */
export function qwen3Vision(
  config: z.output<z.ZodObject<typeof qwen3VisionKeys>> & { readonly deepstack_visual_indexes?: readonly number[] },
): Module {
  const { hidden_size: width, intermediate_size: inner, out_hidden_size, deepstack_visual_indexes: deep } = config;
  const joined = width * config.spatial_merge_size ** 2;
  const block = () =>
    container('Block', {
      norm1: layerNorm(width),
      norm2: layerNorm(width),
      attn: fusedAttention(width),
      mlp: container('MLP', fcs(width, inner, width)),
    });
  const merger = (normed: number) =>
    container('Merger', { norm: layerNorm(normed), ...fcs(joined, joined, out_hidden_size) });
  const children = {
    patch_embed: patchEmbedding(config, width, true),
    pos_embed: embedding(config.num_position_embeddings, width),
    blocks: repeat(config.depth, block),
    merger: merger(width),
    ...(deep !== undefined && { deepstack_merger_list: repeat(deep.length, () => merger(joined)) }),
  };
  return container('VisionModel', children, { initialize: transformersInit(config.initializer_range) });
}

/** The encoder of images. */
export const qwen3VlVision = defineArchitecture({
  model_type: 'qwen3_vl_vision',
  config: visionConfig,
  prepare: aliases({ num_attention_heads: 'num_heads' }),
  classes: { Qwen3VLVisionModel: qwen3Vision },
});

const textConfig = z
  .looseObject({ ...qwen3Keys, num_key_value_heads: optionalSize().default(32) })
  .refine(...paddingFits)
  .superRefine(headsRotate);

/** The text models: Qwen3. */
export const qwen3VlText = defineArchitecture({
  model_type: 'qwen3_vl_text',
  config: textConfig,
  classes: { Qwen3VLTextModel: decoderClasses<z.output<typeof textConfig>>(qwen3Parts).body },
});

const config = z.looseObject({ tie_word_embeddings: flag().default(false) });

/** Qwen3-VL (Bai et al. 2025). */
export const qwen3Vl = defineArchitecture({
  model_type: 'qwen3_vl',
  config,
  parts: ({ text_config, vision_config }) => ({
    text_config: { ...(text_config ?? {}), model_type: 'qwen3_vl_text' },
    vision_config: { ...(vision_config ?? {}), model_type: 'qwen3_vl_vision' },
  }),
  classes: visionLanguage<z.output<typeof config>>({
    name: 'Qwen3VL',
    tiedByText: false,
    body: qwenBody,
  }).classes,
});
