import type { Executor } from './executor.js';
import { isWorthKeeping, type KeyedTensor, partsOf, type TensorList } from './range.js';
import type { Sink } from './task.js';
import type { Lease, WholeTensors } from './whole-tensors.js';

/** A file of a checkpoint, every byte of it defined: a head, and tensors one after another. A text is all head. */
export interface VirtualFile {
  readonly name: string;
  /** Bytes of the whole file. */
  readonly size: number;
  readonly head: Uint8Array;
  /** In the order of the file; `offset` counts from the end of the head. */
  readonly tensors: TensorList;
}

/** Bytes of a file's tensors. */
export const dataBytesOf = ({ size, head }: VirtualFile): number => size - head.length;

/** Bytes [begin, end) of a file's tensors, to be made in one task. */
export interface Span {
  readonly begin: number;
  readonly end: number;
  /** The one tensor that it is a part of, where that is made whole and kept. */
  readonly whole?: KeyedTensor | undefined;
}

/** Tasks are cloned for each worker: this many tensors are little. */
const mostParts = 256;

/**
 * Cuts bytes [begin, end) of a file's tensors into spans of at most `most` bytes, which begin at multiples of 8 but for the first and those at
 * the ends of tensors that are made whole.
 */
export function* spansOf({ tensors }: VirtualFile, begin: number, end: number, most: number): Generator<Span> {
  let at = begin;
  while (at < end) {
    let last = Math.min(end, at + most);
    const parts = partsOf(tensors, at, last, mostParts + 1);
    const first = parts.find(({ tensor }) => isWorthKeeping(tensor));
    let whole: KeyedTensor | undefined;
    if (first !== undefined && first.at > 0) {
      last = at + first.at; // it gets a span of its own
    } else if (first !== undefined) {
      whole = first.tensor;
      last = at + first.end - first.begin;
    }
    const beyond = parts[mostParts];
    if (beyond !== undefined && at + beyond.at < last) last = at + beyond.at;
    yield { begin: at, end: last, whole };
    at = last;
  }
}

export interface MakeOptions {
  readonly executor: Executor;
  readonly wholes: WholeTensors;
  readonly pieceBytes: number;
  readonly signal?: AbortSignal | undefined;
  /** Called now and then with the bytes of the span that are made. */
  readonly onProgress?: ((bytes: number) => void) | undefined;
}

/** Makes the bytes of a span, into memory or a file; a tensor that is made whole comes from those that are kept. */
export async function makeSpan(file: VirtualFile, span: Span, sink: Sink, options: MakeOptions): Promise<void> {
  const { executor, wholes, pieceBytes, signal, onProgress } = options;
  const { begin, end, whole } = span;
  let lease: Lease | undefined;
  if (whole !== undefined) lease = await wholes.lease(whole, executor, signal);
  try {
    const made = lease?.bytes;
    const parts = partsOf(file.tensors, begin, end).map((part) => ({ ...part, made }));
    const bytes = end - begin;
    const range = { parts, bytes, pieceBytes };
    await executor.run({ of: 'range', range, sink }, Math.ceil(bytes / pieceBytes), bytes, { signal, onProgress });
  } finally {
    lease?.release();
  }
}
