import { z } from 'zod';
import { linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labelCount, labels } from './architecture.js';
import { hasTokenBias, tokenKeys } from './decoder.js';
import { visionLanguage, widthOf } from './multimodal.js';
import { headsFit, qwenBody } from './qwen-vision.js';
import { qwen3Vision, qwen3VisionKeys } from './qwen3-vl.js';

const visionConfig = z.looseObject(qwen3VisionKeys).refine(...headsFit('hidden_size'));
const config = z.looseObject({ ...labels, ...tokenKeys, tie_word_embeddings: flag().default(false) });

function vision(model_type: string, name: string) {
  return defineArchitecture<z.output<typeof visionConfig>>({
    model_type,
    config: visionConfig,
    prepare: aliases({ num_attention_heads: 'num_heads' }),
    classes: { [name]: ({ deepstack_visual_indexes: _, ...config }) => qwen3Vision(config) },
  });
}

type Classes = typeof whole.classes;
type Whole = z.output<typeof config>;

const whole = visionLanguage<Whole>({ name: 'Qwen3_5', tiedByText: false, body: qwenBody });
const { classes: sparse } = visionLanguage<Whole>({ name: 'Qwen3_5Moe', tiedByText: false, body: qwenBody });

function family(model_type: string, classes: Classes) {
  return defineArchitecture({
    model_type,
    config,
    parts: ({ text_config, vision_config }) => ({
      text_config: { ...(text_config ?? {}), model_type: `${model_type}_text` },
      vision_config: { ...(vision_config ?? {}), model_type: `${model_type}_vision` },
    }),
    classes,
  });
}

/** The encoder of images: Qwen3-VL's, without what goes past it. */
export const qwen35Vision = vision('qwen3_5_vision', 'Qwen3_5VisionModel');

/** The same. */
export const qwen35MoeVision = vision('qwen3_5_moe_vision', 'Qwen3_5MoeVisionModel');

/** Qwen3.5 (Qwen Team 2026). */
export const qwen35 = family('qwen3_5', {
  ...whole.classes,
  Qwen3_5ForSequenceClassification: whole.withHead((config, text) => ({
    score: linear(widthOf(text), labelCount(config), false),
  })),
  Qwen3_5ForTokenClassification: whole.withHead((config, text) => ({
    score: linear(widthOf(text), labelCount(config), hasTokenBias(config)),
  })),
});

/** Qwen3.5-MoE. */
export const qwen35Moe = family('qwen3_5_moe', sparse);
