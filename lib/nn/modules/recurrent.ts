import { rangeError } from '../../core/check.js';
import { type OwnTensor, parameter } from '../module.js';
import type { Known, When } from '../typed.js';
import { batchFirst, bias, define, dropout, flag, size } from './definition.js';
import { uniformBy } from './linear.js';

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

/** The tensors of all layers in one direction. */
type Layered<W, B, Suffix extends string> = {
  readonly [N in `weight_${'ih' | 'hh'}_l${number}${Suffix}`]: W;
} & { readonly [N in `bias_${'ih' | 'hh'}_l${number}${Suffix}`]: B };

type Recurrent = Layered<OwnTensor, When<{ bias: true }>, ''> &
  Layered<When<{ bidirectional: true }>, When<{ bias: true; bidirectional: true }>, '_reverse'>;

/** Of an LSTM with a projection. */
type Projected = { readonly [N in `weight_hr_l${number}${'' | '_reverse'}`]: OwnTensor };

/** All layers and directions of a recurrent module, whose `gates` are stacked in each matrix. */
function recurrent(kind: string, gates: number, values: Stack): Known<Recurrent> {
  const { input_size, hidden_size, num_layers, bias, bidirectional, proj_size = 0 } = values;
  const rows = gates * hidden_size;
  const state = proj_size > 0 ? proj_size : hidden_size;
  const suffixes = bidirectional ? ['', '_reverse'] : [''];
  const initial = uniformBy(hidden_size);
  const own: Record<string, OwnTensor> = {};
  for (let layer = 0; layer < num_layers; layer++) {
    const inputs = layer === 0 ? input_size : state * suffixes.length;
    for (const suffix of suffixes) {
      const add = (name: string, shape: readonly number[]) => {
        own[`${name}_l${layer}${suffix}`] = parameter(shape, initial);
      };
      add('weight_ih', [rows, inputs]);
      add('weight_hh', [rows, state]);
      if (bias) add('bias_ih', [rows]);
      if (bias) add('bias_hh', [rows]);
      if (proj_size > 0) add('weight_hr', [proj_size, hidden_size]);
    }
  }
  return { kind, own: own as Recurrent, children: {} };
}

interface Cell {
  readonly input_size: number;
  readonly hidden_size: number;
  readonly bias: boolean;
}

type Step = {
  readonly weight_ih: OwnTensor;
  readonly weight_hh: OwnTensor;
  readonly bias_ih?: When<{ bias: true }>;
  readonly bias_hh?: When<{ bias: true }>;
};

function cell(kind: string, gates: number, { input_size, hidden_size, bias }: Cell): Known<Step> {
  const rows = gates * hidden_size;
  const initial = uniformBy(hidden_size);
  const weights = {
    weight_ih: parameter([rows, input_size], initial),
    weight_hh: parameter([rows, hidden_size], initial),
  };
  const biases = { bias_ih: parameter([rows], initial), bias_hh: parameter([rows], initial) };
  return { kind, own: bias ? { ...weights, ...biases } : weights, children: {} };
}

const initialization = 'everything U(±1/√hidden_size), biases too';

export const recurrentLayers = {
  RNN: define({
    summary: "Elman's recurrent network, h' = tanh(W x + b + U h + c), in layers and one or two directions.",
    initialization,
    arguments: [...sizes, numLayers, nonlinearity, bias, batchFirst, dropout, bidirectional],
    build: (values, kind) => recurrent(kind, 1, values),
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
    build(values, kind) {
      const { proj_size, hidden_size } = values;
      if (proj_size >= hidden_size)
        throw rangeError(kind, 'proj_size', `less than hidden_size (${hidden_size})`, proj_size);
      return recurrent(kind, 4, values) as Known<Recurrent & Projected>;
    },
  }),
  GRU: define({
    summary: 'Gated recurrent units; gates r, z, n are stacked in this order.',
    initialization,
    arguments: [...sizes, numLayers, bias, batchFirst, dropout, bidirectional],
    build: (values, kind) => recurrent(kind, 3, values),
  }),
  RNNCell: define({
    summary: 'One step of an RNN.',
    initialization,
    arguments: [...cellSizes, bias, nonlinearity],
    build: (values, kind) => cell(kind, 1, values),
  }),
  LSTMCell: define({
    summary: 'One step of an LSTM.',
    initialization,
    arguments: [...cellSizes, bias],
    build: (values, kind) => cell(kind, 4, values),
  }),
  GRUCell: define({
    summary: 'One step of a GRU.',
    initialization,
    arguments: [...cellSizes, bias],
    build: (values, kind) => cell(kind, 3, values),
  }),
} as const;
