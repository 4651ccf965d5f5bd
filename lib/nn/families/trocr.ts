import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import {
  aliases,
  defineArchitecture,
  flag,
  layers,
  optionalSize,
  padding,
  paddingFits,
  size,
  std,
} from './architecture.js';
import { attention } from './bart.js';
import { headed, initByStd } from './transformers.js';

const config = z
  .looseObject({
    vocab_size: size().default(50265),
    d_model: size().default(1024),
    decoder_layers: layers().default(12),
    decoder_attention_heads: size().default(16),
    decoder_ffn_dim: size().default(4096),
    max_position_embeddings: size().default(512),
    init_std: std().default(0.02),
    initializer_range: std().nullish(),
    use_learned_position_embeddings: flag().default(true),
    layernorm_embedding: flag().default(true),
    pad_token_id: padding(1),
    cross_attention_hidden_size: optionalSize(),
    tie_word_embeddings: flag().default(true),
  })
  .refine(...paddingFits)
  .refine(({ d_model, decoder_attention_heads: heads }) => d_model % heads === 0, {
    path: ['d_model'],
    error: 'a multiple of decoder_attention_heads',
  })
  .refine((config) => config.use_learned_position_embeddings || config.pad_token_id !== null, {
    path: ['pad_token_id'],
    error: 'a row of the vocabulary, from which positions that are computed count',
  })
  .refine((config) => config.use_learned_position_embeddings || config.d_model < 2 || config.d_model > 3, {
    path: ['d_model'],
    error: '4 or more where positions are computed',
  });

type Config = z.output<typeof config>;

const rule = (config: Config) => initByStd(config);

function layer({ d_model: width, decoder_ffn_dim: inner, cross_attention_hidden_size: inputs }: Config): Module {
  return container('Layer', {
    self_attn: attention(width),
    self_attn_layer_norm: layerNorm(width),
    encoder_attn: attention(width, inputs ?? width),
    encoder_attn_layer_norm: layerNorm(width),
    fc1: linear(width, inner),
    fc2: linear(inner, width),
    final_layer_norm: layerNorm(width),
  });
}

/** Learned positions begin at 2; computed ones are no tensor. */
function decoder(config: Config): Module {
  const { vocab_size, d_model: width, pad_token_id, max_position_embeddings: positions } = config;
  const children = {
    embed_tokens: embedding(vocab_size, width, pad_token_id),
    ...(config.use_learned_position_embeddings && { embed_positions: embedding(positions + 2, width) }),
    ...(config.layernorm_embedding && { layernorm_embedding: layerNorm(width) }),
    layers: repeat(config.decoder_layers, () => layer(config)),
  };
  return container('Decoder', children, { initialize: rule(config) });
}

/** TrOCR (Li et al. 2021), the decoder of text from images: N(0, init_std²). It always attends to an encoder. */
export const trocr = defineArchitecture<Config>({
  model_type: 'trocr',
  config,
  prepare: aliases({
    num_attention_heads: 'decoder_attention_heads',
    hidden_size: 'd_model',
    num_hidden_layers: 'decoder_layers',
  }),
  classes: {
    TrOCRForCausalLM: (config) => {
      const model = container('Wrapper', { decoder: decoder(config) }, { initialize: rule(config) });
      const head = { output_projection: linear(config.d_model, config.vocab_size, false) };
      const tied = { 'output_projection.weight': 'model.decoder.embed_tokens.weight' };
      return headed({ model }, head, rule(config), config.tie_word_embeddings ? tied : undefined);
    },
  },
});
