import { z } from 'zod';
import type { Initializer } from '../initializers.js';

/** A tensor of a model: its name, its shape, and the initializer that the reference code gives it. */
export type ModelTensor = readonly [name: string, shape: readonly number[], initializer: Initializer];

/** How a family of models turns its Hugging Face `config.json` into tensors. One small file each. */
export interface Architecture<Config> {
  /** `model_type` in config.json. */
  readonly model_type: string;
  /** The class whose checkpoint is written, for `architectures` in config.json. */
  readonly model_class: string;
  /** What is read of config.json, with the defaults of the reference; other keys are left alone. */
  readonly config: z.ZodType<Config>;
  /** Names, shapes and order as `save_pretrained` has them; tied weights once. */
  tensors(config: Config): Iterable<ModelTensor>;
}

/** An architecture behind its config's type: from the contents of a config.json to tensors. */
export interface KnownArchitecture {
  readonly model_type: string;
  readonly model_class: string;
  readonly config: z.ZodType;
  tensors(config: unknown): Iterable<ModelTensor>;
}

export function define_architecture<Config>(architecture: Architecture<Config>): KnownArchitecture {
  return { ...architecture, tensors: (config) => architecture.tensors(config as Config) };
}

/** A size in a config. The limit keeps a slip of the keyboard from becoming a plan of millions of tensors. */
export function size(what = 'a whole number ≥ 1', max = Number.MAX_SAFE_INTEGER): z.ZodNumber {
  const error = max === Number.MAX_SAFE_INTEGER ? what : `${what} and ≤ ${max}`;
  return z.int({ error }).min(1, { error }).max(max, { error });
}

/** A standard deviation in a config. */
export function std(): z.ZodNumber {
  const error = 'a finite number ≥ 0';
  return z.number({ error }).min(0, { error });
}

export function flag(): z.ZodBoolean {
  return z.boolean({ error: 'true or false' });
}
