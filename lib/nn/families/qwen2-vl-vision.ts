import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { layerNorm, linear, rmsNorm } from '../modules/index.js';
import { aliases, defineArchitecture, size } from './architecture.js';
import { gatedMlp } from './decoder.js';
import { fusedAttention, headsFit, type Patches, patchEmbedding, qwenVisionKeys } from './qwen-vision.js';
import { transformersInit } from './transformers.js';
import { vitMlp } from './vit-layers.js';

interface Vision extends Patches {
  readonly depth: number;
  readonly spatial_merge_size: number;
  readonly initializer_range: number;
}

/** @param width within; `out` of what it gives */
function visionModel(
  config: Vision,
  width: number,
  out: number,
  norm: (width: number) => Module,
  mlp: () => Module,
): Module {
  const joined = width * config.spatial_merge_size ** 2;
  const block = () =>
    container('Block', { norm1: norm(width), norm2: norm(width), attn: fusedAttention(width), mlp: mlp() });
  const children = {
    patch_embed: patchEmbedding(config, width),
    blocks: repeat(config.depth, block),
    merger: container('Merger', {
      ln_q: norm(width),
      mlp: container('Sequential', { 0: linear(joined, joined), 2: linear(joined, out) }),
    }),
  };
  return container('VisionModel', children, { initialize: transformersInit(config.initializer_range) });
}

const headsName = aliases({ num_attention_heads: 'num_heads' });

const visionConfig2 = z
  .looseObject({
    ...qwenVisionKeys(32, 3584, 14),
    embed_dim: size().default(1280),
    mlp_ratio: size().default(4),
  })
  .refine(...headsFit('embed_dim'));

/** Qwen2-VL's encoder of images (Wang et al. 2024): a Vision Transformer, whose vectors are joined by four. */
export const qwen2VlVision = defineArchitecture({
  model_type: 'qwen2_vl_vision',
  config: visionConfig2,
  prepare: headsName,
  classes: {
    Qwen2VisionTransformerPretrainedModel: (config) => {
      const { embed_dim: width, mlp_ratio } = config;
      return visionModel(config, width, config.hidden_size, layerNorm, () => vitMlp(width, width * mlp_ratio));
    },
  },
});

const visionConfig25 = z
  .looseObject({
    ...qwenVisionKeys(32, 3584, 14),
    intermediate_size: size().default(3420),
    out_hidden_size: size().default(3584),
  })
  .refine(...headsFit('hidden_size'));

/** Qwen2.5-VL's (Bai et al. 2025), with the norms and the gated MLPs of its text models. */
export const qwen25VlVision = defineArchitecture({
  model_type: 'qwen2_5_vl_vision',
  config: visionConfig25,
  prepare: headsName,
  classes: {
    Qwen2_5_VisionTransformerPretrainedModel: (config) =>
      visionModel(config, config.hidden_size, config.out_hidden_size, rmsNorm, () => gatedMlp(config, true)),
  },
});
