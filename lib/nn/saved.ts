import { checkCount, type Flat, type ModelTensor } from './flatten.js';
import type { Module } from './module.js';

/**
 * How transformers' save_pretrained turns the names of a model's modules into those of the file, for families whose code has
 * changed since their first checkpoints (transformers 5.18, conversion_mapping.py).
 */
export interface Saved {
  /** The classes of which this is true; all of the family unless given. */
  readonly of?: readonly string[] | undefined;
  /** Substitutions on every name, one after another. */
  readonly rename: readonly (readonly [pattern: RegExp, replacement: string])[];
  /**
   * The parts in which a tensor is saved, by the model's names; undefined where it is saved whole. Where several are saved as one, the first has that
   * (`joinOf`), the others none.
   */
  split?(tensor: ModelTensor): readonly ModelTensor[] | undefined;
}

/** What is said of the names within one model: those that begin so. */
interface Scope extends Saved {
  readonly prefix?: string;
}

/** What a model says of its names, after what the models within it say of theirs. */
export function savedWithin({ saved, children = {} }: Module, prefix = ''): Scope[] {
  const inner = Object.entries(children).flatMap(([name, child]) => savedWithin(child, `${prefix}${name}.`));
  return saved === undefined ? inner : [...inner, { ...saved, prefix }];
}

function renamedIn(name: string, { rename, prefix = '' }: Scope): string {
  if (!name.startsWith(prefix)) return name;
  const own = rename.reduce((text, [pattern, by]) => text.replace(pattern, by), name.slice(prefix.length));
  return prefix + own;
}

/**
 * The tensors as they are saved: sorted by the model's names, numbers by value; then in parts, then renamed. Draws are renamed
 * too, except those of tensors that are saved in parts or joined: what is saved says where they belong (`partOf`, `joinOf`).
 */
export function asSaved({ tensors, draws }: Flat, ...scopes: readonly Scope[]): Flat {
  const renamed = (name: string) => scopes.reduce(renamedIn, name);
  const split = (tensor: ModelTensor) => {
    for (const { prefix = '', ...scope } of scopes) {
      const parts = tensor.name.startsWith(prefix) ? scope.split?.(tensor) : undefined;
      if (parts !== undefined) return parts;
    }
    return undefined;
  };
  const whole = new Set<string>();
  const sorted = tensors.map((tensor) => ({ tensor, key: naturalKey(tensor.name) }));
  sorted.sort((a, b) => compareKeys(a.key, b.key));
  let total = 0;
  const saved = sorted.flatMap(({ tensor }) => {
    const parts = split(tensor);
    total += parts?.length ?? 1;
    checkCount(total);
    if (parts === undefined) whole.add(tensor.name);
    return parts ?? [tensor];
  });
  return {
    tensors: saved.map((tensor) => {
      const name = renamed(tensor.name);
      return name === tensor.name ? tensor : { ...tensor, name, inCode: tensor.name };
    }),
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
  // transformers drops dimensions of 1 when it cuts them apart.
  const shape = [rows, columns].filter((width) => width !== 1);
  return matrices.flatMap((matrix, index) =>
    Array.from({ length: experts }, (_, expert) => ({
      ...tensor,
      name: `${name}.${expert}.${matrix}`,
      shape,
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
