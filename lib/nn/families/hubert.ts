import type { z } from 'zod';
import type { Initializer } from '../../init/initializers.js';
import { container, type Module } from '../module.js';
import { batchNorm, conv1d } from '../modules/index.js';
import { defineArchitecture, flag, size } from './architecture.js';
import { transformersInit } from './transformers.js';
import { speech } from './wav2vec2.js';
import { type Wav2Vec2Config, config as wav2vec2Config } from './wav2vec2-config.js';
import { encoder, positions } from './wav2vec2-layers.js';

const config = wav2vec2Config.safeExtend({
  vocab_size: size().default(32),
  feat_proj_layer_norm: flag().default(true),
  conv_pos_batch_norm: flag().default(false),
});

type Config = z.output<typeof config>;

/** Convolutions are kaiming_normal, those of positions too, and their biases 0. */
function rule({ initializer_range: std }: Wav2Vec2Config) {
  const general: Initializer = { init: 'normal', std: std === 0 ? 0.02 : std };
  return transformersInit(std, {
    Conv1d: ({ own }) => ({
      weight: [general, 'kaiming_normal'],
      ...(own?.bias !== undefined && { bias: 'zeros' as const }),
    }),
    SpeechModel: ({ own }) => (own?.masked_spec_embed === undefined ? undefined : { masked_spec_embed: 'uniform' }),
  });
}

function normed(config: Wav2Vec2Config): Module {
  const { hidden_size: width, num_conv_pos_embeddings: kernel, num_conv_pos_embedding_groups: groups } = config;
  const conv = conv1d(width, width, kernel, { groups });
  return container('PositionalConvEmbedding', { conv, batch_norm: batchNorm(width) });
}

const { body, ctc, sequences } = speech({
  prefix: 'hubert',
  encoder: (config) =>
    encoder(config, { positions: (config as Config).conv_pos_batch_norm ? normed(config) : positions(config) }),
  rule,
  norms: (config) => (config as Config).feat_proj_layer_norm,
});

/** HuBERT (Hsu et al. 2021): wav2vec 2.0 without its quantizer and adapter. */
export const hubert = defineArchitecture<Config>({
  model_type: 'hubert',
  config,
  classes: {
    HubertForCTC: (config) => ctc({ ...config, add_adapter: false }),
    HubertModel: (config) => body({ ...config, add_adapter: false }),
    HubertForSequenceClassification: sequences,
  },
});
