import { z } from 'zod';
import type { Flat } from '../flatten.js';
import type { Module } from '../module.js';
import type { Saved } from '../saved.js';

/** How a family of models turns its Hugging Face `config.json` into modules. One small file each. */
export interface Architecture<Config> {
  /** `model_type` in config.json. */
  readonly model_type: string;
  /** What is read of config.json, with the defaults of the reference; other keys are left alone. */
  readonly config: z.ZodType<Config>;
  /** What happens to the keys before that, such as aliases. */
  readonly prepare?: ((config: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>) | undefined;
  /** The configs within the config, each with the `model_type` by which it is read. */
  readonly parts?: ((config: Keys) => Readonly<Record<string, unknown>>) | undefined;
  /** The classes in `architectures` of config.json; the first one is meant where the config names none. */
  readonly classes: Readonly<Record<string, (config: Config, parts: Parts) => Module>>;
  /** Adds the layers that predict further tokens, where there are such. */
  readonly predict?: ((config: Config, flat: Flat) => Flat) | undefined;
  /** Where the file's names differ from the modules'. */
  readonly saved?: Saved | undefined;
}

/** A model within a model, as a config within the config describes it. */
export interface Part {
  readonly model_type: string;
  /** Its config, with defaults. */
  readonly config: Keys;
  /** One of its classes: by name, or the first whose name ends so. */
  build(name: string | RegExp): Module;
}

/** The models that `parts` of an architecture names. */
export interface Parts {
  /** Throws an InputError where the config does not have it. */
  get(key: string): Part;
}

type Keys = Readonly<Record<string, unknown>>;

/** An architecture behind its config's type: from the contents of a config.json to modules. */
export type KnownArchitecture = Architecture<unknown>;

export function defineArchitecture<Config>(architecture: Architecture<Config>): KnownArchitecture {
  const classes = Object.entries(architecture.classes).map(([name, build]) => {
    return [name, (config: unknown, parts: Parts) => build(config as Config, parts)] as const;
  });
  const { predict } = architecture;
  return {
    ...architecture,
    classes: Object.fromEntries(classes),
    predict: predict && ((config, flat) => predict(config as Config, flat)),
  };
}

/**
 * A size in a config. The limit keeps a slip of the keyboard from becoming a plan of millions of tensors. Beyond it nothing else is looked at: what
 * is refined counts on sizes.
 */
export function size(what = 'a whole number ≥ 1', max = Number.MAX_SAFE_INTEGER): z.ZodNumber {
  const error = max === Number.MAX_SAFE_INTEGER ? what : `${what} and ≤ ${max}`;
  return z.int({ error }).min(1, { error, abort: true }).max(max, { error, abort: true });
}

/** A number of layers, of which each makes a dozen tensors; none is possible too. */
export function layers(): z.ZodNumber {
  const error = 'a whole number ≥ 0 and ≤ 10000';
  return z.int({ error }).min(0, { error, abort: true }).max(10_000, { error, abort: true });
}

/** A size that may be missing, and null too. */
export function optionalSize() {
  return size('a whole number ≥ 1, or null').nullish();
}

/** Every how many layers something is so: no division by zero. */
export const interval = () => z.int().refine((every) => every !== 0, { error: 'a whole number, but not 0' });

/** A standard deviation in a config. */
export function std(): z.ZodNumber {
  const error = 'a finite number ≥ 0';
  return z.number({ error }).min(0, { error });
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: 'true or false' });
}

/** `pad_token_id`: a row of the embedding, from its end where it is negative; null for none. */
export function padding(initial: number | null) {
  return z.int({ error: 'a whole number, or null' }).nullable().default(initial);
}

type Refinement<Config> = [fits: (config: Config) => boolean, { path: string[]; error: string }];

/** For refine: that the padding's row exists, as nn.Embedding demands. */
export const paddingFits: Refinement<{ pad_token_id: number | null; vocab_size: number }> = [
  ({ pad_token_id: id, vocab_size: rows }) => id === null || (id >= -rows && id < rows),
  { path: ['pad_token_id'], error: 'a row of the vocabulary, from -vocab_size to vocab_size - 1' },
];

/** For refine: that heads divide the width. */
export const headsDivide: Refinement<{ hidden_size: number; num_attention_heads: number }> = [
  ({ hidden_size, num_attention_heads }) => hidden_size % num_attention_heads === 0,
  { path: ['hidden_size'], error: 'a multiple of num_attention_heads' },
];

/** Refuses heads that do not divide the width, for layers that only some classes of a family have. */
export function checkHeads<K extends string>(config: Readonly<Record<K | 'd_model', number>>, key: K): void {
  if (config.d_model % config[key] === 0) return;
  throw new RangeError(`d_model: expected a multiple of ${key}, but received ${config.d_model}`);
}

interface RotaryConfig {
  readonly head_dim?: number | null | undefined;
  readonly hidden_size: number;
  readonly num_attention_heads: number;
}

/** Half of a head is rotated against the other. Heads of up to 4, as tiny test models have, pass in transformers too. */
const canRotate = (width: number): boolean => width <= 4 || width % 2 === 0;

/** For superRefine: that heads have two halves, as rotary position embeddings demand. */
export function headsRotate(
  { head_dim, hidden_size, num_attention_heads }: RotaryConfig,
  issues: { addIssue(issue: { code: 'custom'; path: string[]; message: string }): void },
): void {
  if (head_dim != null) {
    if (canRotate(head_dim)) return;
    const message = 'an even number, since rotary position embeddings turn one half of a head against the other';
    issues.addIssue({ code: 'custom', path: ['head_dim'], message });
    return;
  }
  const width = Math.floor(hidden_size / num_attention_heads);
  if (width < 1) {
    const message = 'at least num_attention_heads, or a head_dim';
    issues.addIssue({ code: 'custom', path: ['hidden_size'], message });
    return;
  }
  if (canRotate(width)) return;
  const message =
    `heads of an even width (hidden_size / num_attention_heads, here ${width}), since rotary position embeddings turn ` +
    'one half of a head against the other';
  issues.addIssue({ code: 'custom', path: ['hidden_size'], message });
}

/** What Python's int reads. */
const wholeNumber = /^\s*[+-]?\d+(?:_\d+)*\s*$/;

const maxLabels = 1_000_000_000;

/** The keys that say how many classes a classifier has. */
export const labels = {
  num_labels: z
    .int({ error: `a whole number from 0 to ${maxLabels}` })
    .min(0)
    .max(maxLabels)
    .optional(),
  id2label: z
    .record(z.string(), z.unknown(), { error: 'an object from numbers to names' })
    .refine((names) => Object.keys(names).every((key) => wholeNumber.test(key)), {
      error: 'an object from whole numbers to names, whose keys are numbers',
    })
    .nullish(),
};

/** How many classes a classifier has: `num_labels`, or as many as `id2label` names, or two. */
export function labelCount({
  num_labels,
  id2label,
}: {
  readonly num_labels?: number | undefined;
  readonly id2label?: Readonly<Record<string, unknown>> | null | undefined;
}): number {
  if (num_labels !== undefined || id2label == null) return num_labels ?? 2;
  return new Set(Object.keys(id2label).map((key) => BigInt(key.trim().replace(/^\+|_/g, '')))).size;
}

/**
 * The names that transformers takes for a config's own (`attribute_map`). It sets them after the own ones, so they win where both
 * are there.
 */
export function aliases(table: Readonly<Record<string, string>>): (config: Keys) => Keys {
  return (config) => {
    const given = new Map(Object.entries(config));
    for (const [alias, name] of Object.entries(table)) {
      if (given.has(alias)) given.set(name, given.get(alias));
    }
    return Object.fromEntries(given);
  };
}
