import type { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { flag, labels, layers, padding, size, std } from './architecture.js';

/** The keys of config.json that encoders in the manner of BERT have in common, with BERT's defaults but for these. */
export function encoderKeys({ vocab_size, pad_token_id }: { vocab_size: number; pad_token_id: number }) {
  return {
    ...labels,
    vocab_size: size().default(vocab_size),
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(12),
    intermediate_size: size().default(3072),
    max_position_embeddings: size().default(512),
    type_vocab_size: size().default(2),
    initializer_range: std().default(0.02),
    pad_token_id: padding(pad_token_id),
    is_decoder: flag().default(false),
    add_cross_attention: flag().default(false),
    tie_word_embeddings: flag().default(true),
  };
}

/** What encoderKeys read. */
export type EncoderConfig = z.output<z.ZodObject<ReturnType<typeof encoderKeys>>>;

/** For refine: that only decoders attend to another model. */
export const crossFits: [
  fits: (config: Pick<EncoderConfig, 'is_decoder' | 'add_cross_attention'>) => boolean,
  { path: string[]; error: string },
] = [
  ({ is_decoder, add_cross_attention }) => is_decoder || !add_cross_attention,
  { path: ['is_decoder'], error: 'true, since add_cross_attention is true' },
];

/** A linear layer, and the norm after the residual that it is added to. */
export function output(inputs: number, width: number): Module {
  return container('Output', { dense: linear(inputs, width), LayerNorm: layerNorm(width) });
}

type Widths = Pick<EncoderConfig, 'hidden_size' | 'intermediate_size'>;

function attention({ hidden_size: width }: Widths): Module {
  const self = { query: linear(width, width), key: linear(width, width), value: linear(width, width) };
  return container('Attention', { self: container('SelfAttention', self), output: output(width, width) });
}

/** The part of a layer after its attention. */
export function feedForward({ hidden_size, intermediate_size }: Widths) {
  return {
    intermediate: container('Intermediate', { dense: linear(hidden_size, intermediate_size) }),
    output: output(intermediate_size, hidden_size),
  };
}

/** All of BERT's layers. */
export function encoder(config: Widths & Pick<EncoderConfig, 'num_hidden_layers' | 'add_cross_attention'>): Module {
  const layer = () =>
    container('Layer', {
      attention: attention(config),
      ...(config.add_cross_attention && { crossattention: attention(config) }),
      ...feedForward(config),
    });
  return container('Encoder', { layer: repeat(config.num_hidden_layers, layer) });
}

/** Layers whose norms come before each block. */
export function normedEncoder({ hidden_size: width, intermediate_size: inner, ...config }: EncoderConfig): Module {
  const square = () => linear(width, width);
  const attention = () =>
    container('Attention', {
      self: container('SelfAttention', { query: square(), key: square(), value: square() }),
      output: container('SelfOutput', { dense: square() }),
      LayerNorm: layerNorm(width),
    });
  const layer = () =>
    container('Layer', {
      attention: attention(),
      ...(config.add_cross_attention && { crossattention: attention() }),
      intermediate: container('Intermediate', { LayerNorm: layerNorm(width), dense: linear(width, inner) }),
      output: container('Output', { dense: linear(inner, width) }),
    });
  return container('Encoder', { layer: repeat(config.num_hidden_layers, layer) });
}

/** A layer of the body's width, then as many outputs as there are classes. */
export function classificationHead(width: number, classes: number): Module {
  return container('ClassificationHead', { dense: linear(width, width), out_proj: linear(width, classes) });
}
