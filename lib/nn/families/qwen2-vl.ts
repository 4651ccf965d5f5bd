import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, headsRotate, optionalSize, paddingFits } from './architecture.js';
import { attention, decoderClasses, decoderKeys, gatedMlp } from './decoder.js';
import { visionLanguage } from './multimodal.js';
import { qwenBody } from './qwen-vision.js';

const textConfig = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 152064,
      hidden_size: 8192,
      intermediate_size: 29568,
      num_hidden_layers: 80,
      num_attention_heads: 64,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: optionalSize().default(8),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .superRefine(headsRotate);

const { body: textModel } = decoderClasses<z.output<typeof textConfig>>({
  layer: (given) => {
    const config = { ...given, head_dim: undefined };
    return {
      self_attn: attention(config, { bias: true, outputBias: false }),
      mlp: gatedMlp(config),
      input_layernorm: rmsNorm(config.hidden_size),
      post_attention_layernorm: rmsNorm(config.hidden_size),
    };
  },
  norm: rmsNorm,
});

const wholeConfig = z.looseObject({ tie_word_embeddings: flag().default(false) });

/** The whole: what stands beside the parts' configs belongs to the text, where it has none. */
function whole(model_type: string, name: string) {
  return defineArchitecture({
    model_type,
    config: wholeConfig,
    // The text's.
    prepare: ({ initializer_range: _, ...config }) => config,
    parts: ({ text_config, vision_config, quantization_config: _, tie_word_embeddings: __, ...rest }) => ({
      text_config: { ...(text_config ?? rest), model_type: `${model_type}_text` },
      vision_config: { ...(vision_config ?? {}), model_type: `${model_type}_vision` },
    }),
    classes: visionLanguage<z.output<typeof wholeConfig>>({ name, body: qwenBody }).classes,
    saved: {
      of: [`${name}ForConditionalGeneration`],
      rename: [
        [/^model\.language_model\./, 'model.'],
        [/^model\.visual\./, 'visual.'],
      ],
    },
  });
}

/** Qwen2-VL's text models: Qwen2. */
export const qwen2VlText = defineArchitecture({
  model_type: 'qwen2_vl_text',
  config: textConfig,
  classes: { Qwen2VLTextModel: textModel },
});

/** Qwen2.5-VL's text models: Qwen2. */
export const qwen25VlText = defineArchitecture({
  model_type: 'qwen2_5_vl_text',
  config: textConfig,
  classes: { Qwen2_5_VLTextModel: textModel },
});

/** Qwen2-VL (Wang et al. 2024). */
export const qwen2Vl = whole('qwen2_vl', 'Qwen2VL');

/** Qwen2.5-VL (Bai et al. 2025). */
export const qwen25Vl = whole('qwen2_5_vl', 'Qwen2_5_VL');
