import { check_integer } from '../../core/check.js';
import { by_name, define, size, unused_flag, unused_number } from './definition.js';
import { in_order, type Layer } from './layer.js';

const sizes = [
  size('num_embeddings', 'rows: words of the vocabulary'),
  size('embedding_dim', 'features of a row'),
] as const;

const padding_idx = {
  name: 'padding_idx',
  kind: 'integer',
  nullable: true,
  default: null,
  positional: true,
  doc: 'the row that is zero; negative from the end',
} as const;

const renormalization = [
  {
    name: 'max_norm',
    kind: 'number',
    nullable: true,
    default: null,
    positional: true,
    unused: true,
    doc: 'the norm to which longer rows are shortened when they are used',
  },
  unused_number('norm_type', 2, 'the p of that norm'),
  unused_flag('scale_grad_by_freq', false, "whether gradients are divided by a row's frequency"),
] as const;

const sparse = unused_flag('sparse', false, 'whether the gradient is a sparse tensor');

interface Values {
  readonly num_embeddings: number;
  readonly embedding_dim: number;
  readonly padding_idx: number | null;
}

function table(fn: string, { num_embeddings, embedding_dim, padding_idx }: Values): Layer {
  const weight = { name: 'weight', shape: [num_embeddings, embedding_dim], initializer: 'normal' } as const;
  if (padding_idx === null) return in_order([weight]);
  const row = check_integer(fn, 'padding_idx', padding_idx, -num_embeddings, num_embeddings - 1);
  return in_order([{ ...weight, zero_row: row < 0 ? row + num_embeddings : row }]);
}

export const embedding_layers = {
  Embedding: define({
    summary: 'A table of vectors, looked up by index.',
    initialization: 'weight N(0, 1), then row padding_idx 0',
    arguments: [...sizes, padding_idx, ...renormalization, sparse],
    build: (values, fn) => table(fn, values),
  }),
  EmbeddingBag: define({
    summary: 'Sums, means or maxima of vectors looked up by index.',
    initialization: 'weight N(0, 1), then row padding_idx 0',
    arguments: [
      ...sizes,
      ...renormalization,
      {
        name: 'mode',
        kind: 'word',
        words: ['mean', 'sum', 'max'],
        default: 'mean',
        positional: true,
        unused: true,
        doc: 'how the vectors of a bag become one',
      },
      sparse,
      by_name(unused_flag('include_last_offset', false, 'whether the last offset is the size of the input')),
      by_name(padding_idx),
    ],
    build: (values, fn) => table(fn, values),
  }),
} as const;
