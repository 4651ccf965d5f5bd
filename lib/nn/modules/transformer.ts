import { rangeError } from '../../core/check.js';
import { byKind, container, copiesOf, eachTensor, type Module } from '../module.js';
import type { Given, Known } from '../typed.js';
import { checkHeads, multiheadAttention } from './attention.js';
import { batchFirst, bias, define, dropout, size, unusedFlag, unusedNumber } from './definition.js';
import { linear } from './linear.js';
import { layerNorm } from './normalization.js';

/** Copies of copies of copies multiply: this many fit in memory. */
const mostTensors = 5_000_000;

interface Block {
  readonly d_model: number;
  readonly nhead: number;
  readonly dim_feedforward: number;
  readonly bias: boolean;
}

/** What encoder and decoder layers are made of. */
function parts(fn: string, { d_model, nhead, dim_feedforward, bias }: Block) {
  checkHeads(fn, d_model, nhead);
  return {
    attention: multiheadAttention(d_model, { bias }),
    feedForward: { linear1: linear(d_model, dim_feedforward, bias), linear2: linear(dim_feedforward, d_model, bias) },
    norm: layerNorm(d_model, bias),
  };
}

function encoderLayer(fn: string, values: Block) {
  const { attention, feedForward, norm } = parts(fn, values);
  return container('TransformerEncoderLayer', { self_attn: attention, ...feedForward, norm1: norm, norm2: norm });
}

function decoderLayer(fn: string, values: Block) {
  const { attention, feedForward, norm } = parts(fn, values);
  const attentions = { self_attn: attention, multihead_attn: attention };
  return container('TransformerDecoderLayer', { ...attentions, ...feedForward, norm1: norm, norm2: norm, norm3: norm });
}

/** How many tensors a module has. */
function count(module: Module): number {
  const { own = {}, children = {}, copies } = module;
  const each = Object.values(children);
  const below = copies === undefined ? each.map(count) : [each.length * count(copies)];
  return below.reduce((sum, tensors) => sum + tensors, Object.keys(own).length);
}

/** The norm is there where there is one: without any its type has no tensors. */
type Stack<L extends Module, N extends Module> = Known<
  Record<never, never>,
  { readonly layers: Known<Record<never, never>, readonly L[]>; readonly norm: N }
>;

/** Deep copies of one layer, and a norm behind them. Both were constructed before, the layer first. */
function stack<L extends Module, N extends Module>(
  fn: string,
  kind: string,
  layer: L,
  num_layers: number,
  norm: N | null,
) {
  if (num_layers * count(layer) > mostTensors) {
    throw rangeError(fn, 'num_layers', `at most ${mostTensors} tensors`, num_layers);
  }
  const layers = copiesOf(layer, num_layers);
  return container(kind, norm === null ? { layers } : { layers, norm }) as Stack<L, N>;
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
const xavierIfMatrix = byKind({
  Transformer(module) {
    const matrices: Record<string, 'xavier_uniform'> = {};
    eachTensor(module, (name, { shape, buffer }) => {
      if (shape.length > 1 && buffer !== true) matrices[name] = 'xavier_uniform';
    });
    return matrices;
  },
});

const blockInitialization = "attention as MultiheadAttention's, linear1 and linear2 as Linear's, norms 1 and 0";

export const transformerLayers = {
  TransformerEncoderLayer: define({
    summary: 'Self-attention and a feed-forward network (Vaswani et al. 2017, arXiv:1706.03762).',
    initialization: blockInitialization,
    arguments: blockArguments,
    build: (values, kind) => encoderLayer(kind, values),
  }),
  TransformerDecoderLayer: define({
    summary: "Self-attention, attention to an encoder's output, and a feed-forward network.",
    initialization: blockInitialization,
    arguments: blockArguments,
    build: (values, kind) => decoderLayer(kind, values),
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
    build: ({ encoder_layer, num_layers, norm }, kind) =>
      stack(kind, kind, encoder_layer as Given<'encoder_layer'>, num_layers, norm as Given<'norm'> | null),
  }),
  TransformerDecoder: define({
    summary: 'Deep copies of one decoder layer: they begin with the same values.',
    initialization: "the layer's, the same in every copy",
    arguments: [layerArgument('decoder_layer', 'the layer that is copied'), numLayers, finalNorm],
    build: ({ decoder_layer, num_layers, norm }, kind) =>
      stack(kind, kind, decoder_layer as Given<'decoder_layer'>, num_layers, norm as Given<'norm'> | null),
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
    build(values, kind) {
      const { d_model, custom_encoder, custom_decoder, num_encoder_layers, num_decoder_layers, bias } = values;
      const half = <L extends Module>(name: string, layer: L, layers: number) =>
        stack(kind, name, layer, layers, layerNorm(d_model, bias));
      const ownEncoder = half('TransformerEncoder', encoderLayer(kind, values), num_encoder_layers);
      const ownDecoder = half('TransformerDecoder', decoderLayer(kind, values), num_decoder_layers);
      const encoder = (custom_encoder ?? ownEncoder) as Given<'custom_encoder', typeof ownEncoder>;
      const decoder = (custom_decoder ?? ownDecoder) as Given<'custom_decoder', typeof ownDecoder>;
      // A custom decoder is an argument, and so is constructed before the encoder that the constructor makes.
      const decoderFirst = custom_encoder === null && custom_decoder !== null;
      const construction = decoderFirst ? ['decoder', 'encoder'] : ['encoder', 'decoder'];
      return container(kind, { encoder, decoder }, { construction, initialize: xavierIfMatrix });
    },
  }),
} as const;
