import { checkInteger } from '../../core/check.js';
import type { OwnTensor } from '../module.js';
import type { Known } from '../typed.js';
import { byName, define, size, unusedFlag, unusedNumber } from './definition.js';

const sizes = [
  size('num_embeddings', 'rows: words of the vocabulary'),
  size('embedding_dim', 'features of a row'),
] as const;

const paddingIdx = {
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
  unusedNumber('norm_type', 2, 'the p of that norm'),
  unusedFlag('scale_grad_by_freq', false, "whether gradients are divided by a row's frequency"),
] as const;

const sparse = unusedFlag('sparse', false, 'whether the gradient is a sparse tensor');

type Weight = Known<{ readonly weight: OwnTensor }>;

/** `torch.nn.Embedding`: N(0, 1), the padding's row zero; a negative index counts from the end. */
export function embedding(rows: number, width: number, padding_idx?: number | null, kind = 'Embedding'): Weight {
  const zeroRow = padding_idx == null ? undefined : padding_idx < 0 ? padding_idx + rows : padding_idx;
  return { kind, own: { weight: { shape: [rows, width], initial: 'normal', zeroRow } }, children: {} };
}

interface Values {
  readonly num_embeddings: number;
  readonly embedding_dim: number;
  readonly padding_idx: number | null;
}

function table({ num_embeddings: rows, embedding_dim, padding_idx }: Values, kind: string): Weight {
  if (padding_idx !== null) checkInteger(kind, 'padding_idx', padding_idx, -rows, rows - 1);
  return embedding(rows, embedding_dim, padding_idx, kind);
}

export const embeddingLayers = {
  Embedding: define({
    summary: 'A table of vectors, looked up by index.',
    initialization: 'weight N(0, 1), then row padding_idx 0',
    arguments: [...sizes, paddingIdx, ...renormalization, sparse],
    build: table,
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
      byName(unusedFlag('include_last_offset', false, 'whether the last offset is the size of the input')),
      byName(paddingIdx),
    ],
    build: table,
  }),
} as const;
