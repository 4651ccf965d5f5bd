import { rangeError } from '../../core/check.js';
import { batchFirst, bias, define, dropout, flag, size } from './definition.js';
import { inOrder, type Layer, type LayerTensor } from './layer.js';
import { uniformWithin } from './linear.js';

const sizes = [size('input_size', 'features of an input', 1), size('hidden_size', 'features of the state', 1)] as const;
const cellSizes = [size('input_size', 'features of an input'), size('hidden_size', 'features of the state')] as const;

const numLayers = {
  name: 'num_layers',
  kind: 'integer',
  min: 1,
  max: 100_000,
  default: 1,
  positional: true,
  doc: 'layers, one above the other',
} as const;

const nonlinearity = {
  name: 'nonlinearity',
  kind: 'word',
  words: ['tanh', 'relu'],
  default: 'tanh',
  positional: true,
  unused: true,
  doc: 'what makes the new state',
} as const;

const bidirectional = flag('bidirectional', false, 'whether a second direction runs from the end');

interface Stack {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly num_layers: number;
  readonly bias: boolean;
  readonly bidirectional: boolean;
  readonly proj_size?: number;
}

/** All layers and directions of a recurrent module, whose `gates` are stacked in each matrix. */
function recurrent(
  gates: number,
  { input_size, hidden_size, num_layers, bias, bidirectional, proj_size = 0 }: Stack,
): Layer {
  const rows = gates * hidden_size;
  const state = proj_size > 0 ? proj_size : hidden_size;
  const suffixes = bidirectional ? ['', '_reverse'] : [''];
  const initializer = uniformWithin(1 / Math.sqrt(hidden_size));
  const tensors: LayerTensor[] = [];
  for (let layer = 0; layer < num_layers; layer++) {
    const inputs = layer === 0 ? input_size : state * suffixes.length;
    for (const suffix of suffixes) {
      const add = (name: string, shape: readonly number[]) =>
        tensors.push({ name: `${name}_l${layer}${suffix}`, shape, initializer });
      add('weight_ih', [rows, inputs]);
      add('weight_hh', [rows, state]);
      if (bias) add('bias_ih', [rows]);
      if (bias) add('bias_hh', [rows]);
      if (proj_size > 0) add('weight_hr', [proj_size, hidden_size]);
    }
  }
  return inOrder(tensors);
}

interface Cell {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly bias: boolean;
}

function cell(gates: number, { input_size, hidden_size, bias }: Cell): Layer {
  const rows = gates * hidden_size;
  const initializer = uniformWithin(hidden_size > 0 ? 1 / Math.sqrt(hidden_size) : 0);
  return inOrder([
    { name: 'weight_ih', shape: [rows, input_size], initializer },
    { name: 'weight_hh', shape: [rows, hidden_size], initializer },
    bias && { name: 'bias_ih', shape: [rows], initializer },
    bias && { name: 'bias_hh', shape: [rows], initializer },
  ]);
}

const initialization = 'everything U(±1/√hidden_size), biases too';

export const recurrentLayers = {
  RNN: define({
    summary: "Elman's recurrent network, h' = tanh(W x + b + U h + c), in layers and one or two directions.",
    initialization,
    arguments: [...sizes, numLayers, nonlinearity, bias, batchFirst, dropout, bidirectional],
    build: (values) => recurrent(1, values),
  }),
  LSTM: define({
    summary: 'Long short-term memory; gates i, f, g, o are stacked in this order.',
    initialization,
    arguments: [
      ...sizes,
      numLayers,
      bias,
      batchFirst,
      dropout,
      bidirectional,
      {
        name: 'proj_size',
        kind: 'integer',
        min: 0,
        default: 0,
        positional: true,
        doc: 'features that the state is projected to; 0 for none',
      },
    ],
    build(values, fn) {
      const { proj_size, hidden_size } = values;
      if (proj_size >= hidden_size)
        throw rangeError(fn, 'proj_size', `less than hidden_size (${hidden_size})`, proj_size);
      return recurrent(4, values);
    },
  }),
  GRU: define({
    summary: 'Gated recurrent units; gates r, z, n are stacked in this order.',
    initialization,
    arguments: [...sizes, numLayers, bias, batchFirst, dropout, bidirectional],
    build: (values) => recurrent(3, values),
  }),
  RNNCell: define({
    summary: 'One step of an RNN.',
    initialization,
    arguments: [...cellSizes, bias, nonlinearity],
    build: (values) => cell(1, values),
  }),
  LSTMCell: define({
    summary: 'One step of an LSTM.',
    initialization,
    arguments: [...cellSizes, bias],
    build: (values) => cell(4, values),
  }),
  GRUCell: define({
    summary: 'One step of a GRU.',
    initialization,
    arguments: [...cellSizes, bias],
    build: (values) => cell(3, values),
  }),
} as const;
