// Longer than others: BART, mBART and M2M-100, whose layers Marian, Pegasus, TrOCR and Whisper have too.

import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import {
  aliases,
  checkHeads,
  defineArchitecture,
  flag,
  labelCount,
  labels,
  layers,
  optionalSize,
  padding,
  paddingFits,
  size,
  std,
} from './architecture.js';
import { classificationHead } from './bert-layers.js';
import { headed, initByStd } from './transformers.js';

/** What differs between the families of BART. */
export interface Variant {
  readonly vocab_size: number;
  readonly pad_token_id: number;
  /** Positions that are learned, from 2 or 0 on, or a table of sinusoids (drawn, then overwritten), or computed and no tensor. */
  readonly positions: 'learned' | 'learned from 0' | 'table' | 'computed';
  readonly normEmbeddings: boolean;
  readonly normLast: boolean;
}

export function configOf({ vocab_size, pad_token_id }: Variant) {
  return z
    .looseObject({
      ...labels,
      vocab_size: size().default(vocab_size),
      decoder_vocab_size: optionalSize(),
      max_position_embeddings: size().default(1024),
      encoder_layers: layers().default(12),
      encoder_ffn_dim: size().default(4096),
      encoder_attention_heads: size().default(16),
      decoder_layers: layers().default(12),
      decoder_ffn_dim: size().default(4096),
      decoder_attention_heads: size().default(16),
      d_model: size().default(1024),
      init_std: std().default(0.02),
      initializer_range: std().nullish(),
      pad_token_id: padding(pad_token_id),
      share_encoder_decoder_embeddings: flag().default(true),
      tie_word_embeddings: flag().default(true),
    })
    .refine(...paddingFits)
    .refine(
      ({ decoder_vocab_size: rows, pad_token_id: id }) => id === null || rows == null || (id >= -rows && id < rows),
      {
        path: ['decoder_vocab_size'],
        error: 'more than pad_token_id, or null',
      },
    );
}

export type Config = z.output<ReturnType<typeof configOf>>;

const rule = (config: Config) => initByStd(config, { TableStack: () => ({ 'embed_positions.weight': 'sinusoidal' }) });

/** @param inputs the width of what keys and values are made of */
export function attention(width: number, inputs = width): Module {
  const [square, given] = [() => linear(width, width), () => linear(inputs, width)];
  return container('Attention', { k_proj: given(), v_proj: given(), q_proj: square(), out_proj: square() });
}

function layer({ d_model: width, encoder_ffn_dim, decoder_ffn_dim }: Config, decoder: boolean): Module {
  const inner = decoder ? decoder_ffn_dim : encoder_ffn_dim;
  return container('Layer', {
    self_attn: attention(width),
    self_attn_layer_norm: layerNorm(width),
    ...(decoder && { encoder_attn: attention(width), encoder_attn_layer_norm: layerNorm(width) }),
    fc1: linear(width, inner),
    fc2: linear(inner, width),
    final_layer_norm: layerNorm(width),
  });
}

/** Learned positions begin at 2. */
function stack(config: Config, { positions, normEmbeddings, normLast }: Variant, decoder: boolean): Module {
  const { vocab_size, decoder_vocab_size, d_model: width, pad_token_id, max_position_embeddings } = config;
  const rows = max_position_embeddings + (positions === 'learned' ? 2 : 0);
  checkHeads(config, decoder ? 'decoder_attention_heads' : 'encoder_attention_heads');
  const children = {
    embed_tokens: embedding(decoder ? (decoder_vocab_size ?? vocab_size) : vocab_size, width, pad_token_id),
    ...(positions !== 'computed' && { embed_positions: embedding(rows, width) }),
    layers: repeat(decoder ? config.decoder_layers : config.encoder_layers, () => layer(config, decoder)),
    ...(normEmbeddings && { layernorm_embedding: layerNorm(width) }),
    ...(normLast && { layer_norm: layerNorm(width) }),
  };
  return container(positions === 'table' ? 'TableStack' : 'Stack', children, { initialize: rule(config) });
}

const words = { 'encoder.embed_tokens.weight': 'shared.weight', 'decoder.embed_tokens.weight': 'shared.weight' };

export function body(config: Config, variant: Variant): Module {
  const { vocab_size, d_model, pad_token_id, share_encoder_decoder_embeddings: shares, tie_word_embeddings } = config;
  const children = {
    ...(shares && { shared: embedding(vocab_size, d_model, pad_token_id) }),
    encoder: stack(config, variant, false),
    decoder: stack(config, variant, true),
  };
  return container('BartModel', children, {
    initialize: rule(config),
    tied: shares && tie_word_embeddings ? words : undefined,
  });
}

export function generation(config: Config, variant: Variant, hasBias: boolean): Module {
  const { share_encoder_decoder_embeddings: shares, vocab_size, decoder_vocab_size } = config;
  const outputs = shares ? vocab_size : (decoder_vocab_size ?? vocab_size);
  const lm_head = linear(config.d_model, outputs, false);
  const tied = { 'lm_head.weight': shares ? 'model.shared.weight' : 'model.decoder.embed_tokens.weight' };
  const ties = config.tie_word_embeddings ? tied : undefined;
  const model = headed({ model: body(config, variant) }, { lm_head }, rule(config), ties);
  if (!hasBias) return model;
  return { ...model, own: { final_logits_bias: { shape: [1, outputs], initial: 'zeros', buffer: true } } };
}

/** The decoder alone. */
export function causalLm(config: Config, variant: Variant): Module {
  const decoder = container('Decoder', { decoder: stack(config, variant, true) }, { initialize: rule(config) });
  const lm_head = linear(config.d_model, config.vocab_size, false);
  const tied = { 'lm_head.weight': 'model.decoder.embed_tokens.weight' };
  return headed({ model: decoder }, { lm_head }, rule(config), config.tie_word_embeddings ? tied : undefined);
}

export const general = aliases({
  num_attention_heads: 'encoder_attention_heads',
  hidden_size: 'd_model',
  num_hidden_layers: 'encoder_layers',
});

type Keys = Readonly<Record<string, unknown>>;

/** These two know one vocabulary, that both stacks share. */
export const oneVocabulary = (config: Keys): Keys =>
  general({ ...config, decoder_vocab_size: null, share_encoder_decoder_embeddings: true });

function family(model_type: string, name: string, variant: Variant, classes = 2) {
  const withHead = (head: (config: Config) => Record<string, Module>) => (config: Config) =>
    headed({ model: body(config, variant) }, head(config), rule(config));
  return defineArchitecture<Config>({
    model_type,
    config: configOf(variant),
    prepare: oneVocabulary,
    classes: {
      [`${name}ForConditionalGeneration`]: (config) => generation(config, variant, true),
      [`${name}Model`]: (config) => body(config, variant),
      [`${name}ForCausalLM`]: (config) => causalLm(config, variant),
      [`${name}ForSequenceClassification`]: withHead((config) => ({
        classification_head: classificationHead(
          config.d_model,
          labelCount({ ...config, num_labels: config.num_labels ?? (config.id2label == null ? classes : undefined) }),
        ),
      })),
      [`${name}ForQuestionAnswering`]: withHead(({ d_model }) => ({ qa_outputs: linear(d_model, 2) })),
    },
  });
}

const learned = { vocab_size: 50265, pad_token_id: 1, positions: 'learned', normEmbeddings: true } as const;

/** BART (Lewis et al. 2019): N(0, init_std²); three classes unless the config says how many. */
export const bart = family('bart', 'Bart', { ...learned, normLast: false }, 3);

/** mBART (Liu et al. 2020): BART with a norm after the last layer. */
export const mbart = family('mbart', 'MBart', { ...learned, normLast: true });

const m2m: Variant = {
  vocab_size: 128112,
  pad_token_id: 1,
  positions: 'computed',
  normEmbeddings: false,
  normLast: true,
};

/** M2M-100 (Fan et al. 2020) and NLLB: positions are computed, not saved. Their table is made all the same, with a row for the padding. */
export const m2m100 = defineArchitecture<Config>({
  model_type: 'm2m_100',
  config: configOf(m2m)
    .refine(
      ({ pad_token_id: id, max_position_embeddings: positions }) => {
        const rows = positions + 2;
        return id === null || (id >= -rows && id < rows);
      },
      {
        path: ['pad_token_id'],
        error: 'a row of the positions, from -(max_position_embeddings + 2) on, below its opposite',
      },
    )
    .refine(({ d_model }) => d_model !== 2 && d_model !== 3, {
      path: ['d_model'],
      error: 'no 2 and no 3, at which the frequencies of positions are a division by 0',
    }),
  prepare: oneVocabulary,
  classes: {
    M2M100ForConditionalGeneration: (config) => generation(config, m2m, false),
    M2M100Model: (config) => body(config, m2m),
  },
});
