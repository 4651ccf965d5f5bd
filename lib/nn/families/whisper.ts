// Longer than others: convolutions, a table, two stacks and four classes.

import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv1d, embedding, layerNorm, linear } from '../modules/index.js';
import {
  aliases,
  checkHeads,
  defineArchitecture,
  flag,
  labelCount,
  labels,
  layers,
  padding,
  paddingFits,
  size,
  std,
} from './architecture.js';
import { headed, initByStd } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(51865),
    num_mel_bins: size().default(80),
    encoder_layers: layers().default(4),
    encoder_attention_heads: size().default(6),
    encoder_ffn_dim: size().default(1536),
    decoder_layers: layers().default(4),
    decoder_attention_heads: size().default(6),
    decoder_ffn_dim: size().default(1536),
    d_model: size()
      .refine((width) => width >= 4 && width % 2 === 0, { error: 'an even number ≥ 4' })
      .default(384),
    max_source_positions: size('a whole number from 1', 2 ** 20 + 1).default(1500),
    max_target_positions: size().default(448),
    init_std: std().default(0.02),
    initializer_range: std().nullish(),
    pad_token_id: padding(50256),
    use_weighted_layer_sum: flag().default(false),
    classifier_proj_size: size().default(256),
    tie_word_embeddings: flag().default(true),
  })
  .refine(...paddingFits);

type Config = z.output<typeof config>;

const rule = (config: Config) =>
  initByStd(config, {
    Encoder: () => ({ 'embed_positions.weight': { init: 'sinusoidal', endpoint: true } }),
    Classifier: ({ own }) => {
      const weights = own?.layer_weights;
      return weights && { layer_weights: { init: 'constant', val: 1 / (weights.shape[0] ?? 1) } };
    },
  });

function attention(width: number): Module {
  return container('Attention', {
    k_proj: linear(width, width, false),
    v_proj: linear(width, width),
    q_proj: linear(width, width),
    out_proj: linear(width, width),
  });
}

function layer(width: number, inner: number, decoder: boolean): Module {
  return container('Layer', {
    self_attn: attention(width),
    self_attn_layer_norm: layerNorm(width),
    ...(decoder && { encoder_attn: attention(width), encoder_attn_layer_norm: layerNorm(width) }),
    fc1: linear(width, inner),
    fc2: linear(inner, width),
    final_layer_norm: layerNorm(width),
  });
}

function encoder(config: Config): Module {
  const { d_model: width, encoder_ffn_dim, encoder_layers, num_mel_bins, max_source_positions } = config;
  checkHeads(config, 'encoder_attention_heads');
  const children = {
    conv1: conv1d(num_mel_bins, width, 3),
    conv2: conv1d(width, width, 3),
    embed_positions: embedding(max_source_positions, width),
    layers: repeat(encoder_layers, () => layer(width, encoder_ffn_dim, false)),
    layer_norm: layerNorm(width),
  };
  return container('Encoder', children, { initialize: rule(config) });
}

function decoder(config: Config): Module {
  const { d_model: width, decoder_ffn_dim, decoder_layers, vocab_size, pad_token_id, max_target_positions } = config;
  checkHeads(config, 'decoder_attention_heads');
  const children = {
    embed_tokens: embedding(vocab_size, width, pad_token_id),
    embed_positions: embedding(max_target_positions, width),
    layers: repeat(decoder_layers, () => layer(width, decoder_ffn_dim, true)),
    layer_norm: layerNorm(width),
  };
  return container('Decoder', children, { initialize: rule(config) });
}

function body(config: Config): Module {
  const children = { encoder: encoder(config), decoder: decoder(config) };
  return container('WhisperModel', children, { initialize: rule(config) });
}

/** The head over the vocabulary, and a model under the name `model`. */
function generation(config: Config, model: Module): Module {
  const proj_out = linear(config.d_model, config.vocab_size, false);
  const tied = { 'proj_out.weight': 'model.decoder.embed_tokens.weight' };
  return headed({ model }, { proj_out }, rule(config), config.tie_word_embeddings ? tied : undefined);
}

function classification(config: Config): Module {
  const { d_model, encoder_layers, use_weighted_layer_sum, classifier_proj_size: inner } = config;
  const states = encoder_layers + 1;
  return {
    kind: 'Classifier',
    own: use_weighted_layer_sum ? { layer_weights: parameter([states]) } : {},
    children: {
      encoder: encoder(config),
      projector: linear(d_model, inner),
      classifier: linear(inner, labelCount(config)),
    },
    initialize: rule(config),
  };
}

/** Whisper (Radford et al. 2022): N(0, init_std²); the encoder's positions are a table of sinusoids, the decoder's are learned. */
export const whisper = defineArchitecture({
  model_type: 'whisper',
  config,
  prepare: aliases({
    num_key_value_heads: 'encoder_attention_heads',
    num_attention_heads: 'encoder_attention_heads',
    hidden_size: 'd_model',
    num_hidden_layers: 'encoder_layers',
  }),
  classes: {
    WhisperForConditionalGeneration: (config) => generation(config, body(config)),
    WhisperModel: body,
    WhisperForCausalLM: (config) =>
      generation(config, container('Wrapper', { decoder: decoder(config) }, { initialize: rule(config) })),
    WhisperForAudioClassification: classification,
  },
});
