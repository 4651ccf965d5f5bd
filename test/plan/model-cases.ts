import { readdirSync, readFileSync } from 'node:fs';

// Recorded from transformers and torchvision by fixtures/models/record.py: one file a family.

/** A model of the reference's. */
export interface Case {
  readonly model?: string;
  readonly name?: string;
  readonly class?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A small one in full. */
export interface Tiny extends Case {
  readonly tensors: readonly string[];
  readonly constants: Readonly<Record<string, number>>;
  readonly zero_rows: Readonly<Record<string, readonly number[]>>;
  readonly draws: readonly string[];
  /** Of tables, and of what is computed from random numbers. */
  readonly values?: Readonly<Record<string, string>>;
}

/** One of real size by the hash of its tensors. */
export interface Full extends Case {
  readonly count: number;
  readonly parameters: number;
  readonly sha256: string;
}

interface Recorded {
  readonly tiny: readonly Tiny[];
  readonly full: readonly Full[];
}

const folder = new URL('../fixtures/models/reference/', import.meta.url);
const families = readdirSync(folder)
  .sort()
  .map((name) => JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as Recorded);

export const tinyCases: readonly Tiny[] = families.flatMap(({ tiny }) => tiny);
export const fullCases: readonly Full[] = families.flatMap(({ full }) => full);

/** Keys without which transformers fails, by model_type. */
export const neededKeys: Readonly<Record<string, object>> = {
  nemotron: { num_key_value_heads: 8 },
  ministral: { head_dim: 128 },
  hunyuan_v1_dense: { head_dim: 128 },
  // The default's row is not in the default's vocabulary.
  idefics3: { pad_token_id: 0 },
  smolvlm: { pad_token_id: 0 },
  'vision-encoder-decoder': { encoder: { model_type: 'vit' }, decoder: { model_type: 'gpt2' } },
  'encoder-decoder': { encoder: { model_type: 'bert' }, decoder: { model_type: 'bert' } },
};
