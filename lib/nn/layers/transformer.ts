import { rangeError } from '../../core/check.js';
import { multiheadAttention } from './attention.js';
import { batchFirst, bias, define, dropout, size, unusedFlag, unusedNumber } from './definition.js';
import { copies, join, type Layer, type LayerTensor, named, redrawn } from './layer.js';
import { linear } from './linear.js';
import { affine } from './normalization.js';

/** Copies of copies of copies multiply: this many fit in memory. */
const mostTensors = 5_000_000;

interface Block {
  readonly d_model: number;
  readonly nhead: number;
  readonly dim_feedforward: number;
  readonly bias: boolean;
}

/** An encoder or decoder layer: attentions, then the feed-forward part, then the norms. */
function block(fn: string, attentions: readonly string[], norms: number, values: Block): Layer {
  const { d_model, nhead, dim_feedforward, bias } = values;
  return join(
    ...attentions.map((name) => named(name, multiheadAttention(fn, { embed_dim: d_model, num_heads: nhead, bias }))),
    named('linear1', linear(d_model, dim_feedforward, bias)),
    named('linear2', linear(dim_feedforward, d_model, bias)),
    ...Array.from({ length: norms }, (_, i) => named(`norm${i + 1}`, affine([d_model], true, bias))),
  );
}

function encoderLayer(fn: string, values: Block): Layer {
  return block(fn, ['self_attn'], 2, values);
}

function decoderLayer(fn: string, values: Block): Layer {
  return block(fn, ['self_attn', 'multihead_attn'], 3, values);
}

/** Deep copies of one layer, and a norm behind them. Both were constructed before: their draws come first. */
function stack(fn: string, layer: Layer, num_layers: number, norm: Layer | null): Layer {
  const tensors = num_layers * layer.tensors.length;
  if (tensors > mostTensors) throw rangeError(fn, 'num_layers', `at most ${mostTensors} tensors`, num_layers);
  const layers = named('layers', copies(layer, num_layers));
  return norm === null ? layers : join(layers, named('norm', norm));
}

const wide = {
  name: 'dim_feedforward',
  kind: 'integer',
  min: 0,
  default: 2048,
  positional: true,
  doc: 'features between the two linear layers',
} as const;

const activation = {
  name: 'activation',
  kind: 'word',
  words: ['relu', 'gelu'],
  default: 'relu',
  positional: true,
  unused: true,
  doc: 'what stands between the two linear layers',
} as const;

const thinned = { ...dropout, default: 0.1 } as const;
const layerNormEps = unusedNumber('layer_norm_eps', 1e-5, 'what norms add to the variance');
const normFirst = unusedFlag('norm_first', false, 'whether norms come before attention and linear layers');

const blockArguments = [
  size('d_model', 'features of inputs and outputs', 1),
  size('nhead', 'heads; divides d_model', 1),
  wide,
  thinned,
  activation,
  layerNormEps,
  batchFirst,
  normFirst,
  bias,
] as const;

function layerArgument<const N extends string>(name: N, doc: string) {
  return { name, kind: 'layer', required: true, positional: true, doc } as const;
}

function optionalLayer<const N extends string>(name: N, doc: string) {
  return { name, kind: 'layer', nullable: true, default: null, positional: true, doc } as const;
}

const numLayers = {
  name: 'num_layers',
  kind: 'integer',
  min: 0,
  max: 100_000,
  required: true,
  positional: true,
  doc: 'how many copies of the layer',
} as const;

function some<const N extends string>(name: N, value: number, doc: string, min: number) {
  return { name, kind: 'integer', min, max: 100_000, default: value, positional: true, doc } as const;
}

const finalNorm = optionalLayer('norm', 'the norm behind the last layer, or null');

/** PyTorch redraws what has more than one dimension, in the end and wherever it came from. */
function xavierIfMatrix({ shape, buffer }: LayerTensor) {
  return shape.length > 1 && buffer !== true ? ('xavier_uniform' as const) : undefined;
}

const blockInitialization = "attention as MultiheadAttention's, linear1 and linear2 as Linear's, norms 1 and 0";

export const transformerLayers = {
  TransformerEncoderLayer: define({
    summary: 'Self-attention and a feed-forward network (Vaswani et al. 2017, arXiv:1706.03762).',
    initialization: blockInitialization,
    arguments: blockArguments,
    build: (values, fn) => encoderLayer(fn, values),
  }),
  TransformerDecoderLayer: define({
    summary: "Self-attention, attention to an encoder's output, and a feed-forward network.",
    initialization: blockInitialization,
    arguments: blockArguments,
    build: (values, fn) => decoderLayer(fn, values),
  }),
  TransformerEncoder: define({
    summary: 'Deep copies of one encoder layer: they begin with the same values.',
    initialization: "the layer's, the same in every copy",
    arguments: [
      layerArgument('encoder_layer', 'the layer that is copied'),
      numLayers,
      finalNorm,
      unusedFlag('enable_nested_tensor', true, 'whether padding may be skipped'),
      unusedFlag('mask_check', true, 'whether masks are checked'),
    ],
    build: ({ encoder_layer, num_layers, norm }, fn) => stack(fn, encoder_layer, num_layers, norm),
  }),
  TransformerDecoder: define({
    summary: 'Deep copies of one decoder layer: they begin with the same values.',
    initialization: "the layer's, the same in every copy",
    arguments: [layerArgument('decoder_layer', 'the layer that is copied'), numLayers, finalNorm],
    build: ({ decoder_layer, num_layers, norm }, fn) => stack(fn, decoder_layer, num_layers, norm),
  }),
  Transformer: define({
    summary: 'An encoder and a decoder, each with a norm behind its last layer.',
    initialization:
      'Xavier uniform where there is more than one dimension; the others as their layers have them, the same in each',
    arguments: [
      some('d_model', 512, 'features of inputs and outputs', 1),
      some('nhead', 8, 'heads; divides d_model', 1),
      some('num_encoder_layers', 6, 'layers of the encoder', 0),
      some('num_decoder_layers', 6, 'layers of the decoder', 0),
      wide,
      thinned,
      activation,
      optionalLayer('custom_encoder', 'a layer in place of the encoder'),
      optionalLayer('custom_decoder', 'a layer in place of the decoder'),
      layerNormEps,
      batchFirst,
      normFirst,
      bias,
    ],
    build(values, fn) {
      const { custom_encoder, custom_decoder, num_encoder_layers, num_decoder_layers } = values;
      const norm = affine([values.d_model], true, values.bias);
      const encoder = named('encoder', custom_encoder ?? stack(fn, encoderLayer(fn, values), num_encoder_layers, norm));
      const decoder = named('decoder', custom_decoder ?? stack(fn, decoderLayer(fn, values), num_decoder_layers, norm));
      // A custom decoder is an argument, and so is drawn before the encoder that the constructor makes.
      const decoderFirst = custom_encoder === null && custom_decoder !== null;
      const { tensors } = join(encoder, decoder);
      const { draws } = decoderFirst ? join(decoder, encoder) : join(encoder, decoder);
      return redrawn({ tensors, draws }, xavierIfMatrix);
    },
  }),
} as const;
