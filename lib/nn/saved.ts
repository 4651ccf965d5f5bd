import type { Flat, ModelTensor } from './flatten.js';

/**
 * How transformers' save_pretrained turns the names of a model's modules into those of the file, for families whose code has
 * changed since their first checkpoints (transformers 5.18, conversion_mapping.py).
 */
export interface Saved {
  /** Substitutions on every name, one after another. */
  readonly rename: readonly (readonly [pattern: RegExp, replacement: string])[];
  /** The parts in which a tensor is saved, by the model's names; undefined where it is saved whole. */
  split?(tensor: ModelTensor): readonly ModelTensor[] | undefined;
}

/**
 * The tensors as they are saved: sorted by the model's names, numbers by value; then in parts, then renamed. Draws are renamed
 * too, except those of tensors that are saved in parts: the parts say where they belong (`partOf`).
 */
export function asSaved({ tensors, draws }: Flat, { rename, split }: Saved): Flat {
  const renamed = (name: string) => rename.reduce((text, [pattern, by]) => text.replace(pattern, by), name);
  const whole = new Set<string>();
  const sorted = tensors.map((tensor) => ({ tensor, key: naturalKey(tensor.name) }));
  sorted.sort((a, b) => compareKeys(a.key, b.key));
  const saved = sorted.flatMap(({ tensor }) => {
    const parts = split?.(tensor);
    if (parts === undefined) whole.add(tensor.name);
    return parts ?? [tensor];
  });
  return {
    tensors: saved.map((tensor) => ({ ...tensor, name: renamed(tensor.name) })),
    draws: draws.map((draw) => (whole.has(draw.tensor) ? { ...draw, tensor: renamed(draw.tensor) } : draw)),
  };
}

/**
 * The experts of a tensor (experts, matrices · rows, columns) as they are saved, one matrix (rows, columns) each: all experts'
 * first matrices, then all their second ones.
 */
export function splitExperts(tensor: ModelTensor, name: string, matrices: readonly string[]): ModelTensor[] {
  const [experts = 0, stacked = 0, columns = 0] = tensor.shape;
  const rows = stacked / matrices.length;
  return matrices.flatMap((matrix, index) =>
    Array.from({ length: experts }, (_, expert) => ({
      ...tensor,
      name: `${name}.${expert}.${matrix}`,
      shape: [rows, columns],
      partOf: { tensor: tensor.name, begin: (expert * stacked + index * rows) * columns },
    })),
  );
}

type Key = readonly (readonly [text: string, number: number])[];

/** A name's pieces between dots: numbers before words, and a word's trailing digits by their value. */
function naturalKey(name: string): Key {
  return name.split('.').map((piece) => {
    const [, text = '', digits = ''] = /^(.*?)(\d*)$/.exec(piece) ?? [];
    return [text, digits === '' ? -1 : Number(digits)];
  });
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const [text, number] = a[i] ?? ['', -1];
    const [otherText, otherNumber] = b[i] ?? ['', -1];
    if (text !== otherText) return text < otherText ? -1 : 1;
    if (number !== otherNumber) return number - otherNumber;
  }
  return a.length - b.length;
}
