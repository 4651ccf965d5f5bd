import type { z } from 'zod';
import type { Module } from '../module.js';
import { parameter } from '../module.js';
import { embedding, linear } from '../modules/index.js';
import { defineArchitecture, size } from './architecture.js';
import { attention } from './bart.js';
import { speech } from './wav2vec2.js';
import { type Wav2Vec2Config, config as wav2vec2Config } from './wav2vec2-config.js';
import { encoder, rule } from './wav2vec2-layers.js';

const config = wav2vec2Config.safeExtend({
  vocab_size: size().default(32),
  num_buckets: size().default(320),
});

type Config = z.output<typeof config>;

/** Attention with gated biases by distance, whose table the first layer has. */
function gatedAttention(given: Wav2Vec2Config, index: number): Module {
  const { hidden_size: width, num_attention_heads: heads, num_buckets } = given as Config;
  const { children } = attention(width) as { readonly children: Readonly<Record<string, Module>> };
  return {
    kind: 'Attention',
    own: { gru_rel_pos_const: parameter([1, heads, 1, 1], 'ones') },
    children: {
      ...children,
      gru_rel_pos_linear: linear(width / heads, 8),
      ...(index === 0 && { rel_attn_embed: embedding(num_buckets, heads) }),
    },
  };
}

const { body, ctc, sequences, frames, xVector } = speech({
  prefix: 'wavlm',
  encoder: (config) =>
    encoder({ ...config, adapter_attn_dim: null }, { attention: (index) => gatedAttention(config, index) }),
  rule,
});

/** WavLM (Chen et al. 2021): wav2vec 2.0 with gated biases by distance. */
export const wavlm = defineArchitecture<Config>({
  model_type: 'wavlm',
  config,
  classes: {
    WavLMForCTC: ctc,
    WavLMModel: body,
    WavLMForSequenceClassification: sequences,
    WavLMForAudioFrameClassification: frames,
    WavLMForXVector: xVector,
  },
});
