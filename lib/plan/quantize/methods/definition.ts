import { z } from 'zod';
import type { Method } from '../weight.js';

/** A method of quantization: one small file each. */
export interface Definition {
  /** What is read of `quantization_config`; other keys are left alone. */
  readonly config: z.ZodType<unknown>;
  /** What `quantize: NAME` writes there, `quant_method` aside. */
  readonly preset: Readonly<Record<string, unknown>>;
  /** The method as a config has set it; `place` is where that stands, for messages. */
  method(config: unknown, place: string): Method;
}

export function defineMethod<Config>(definition: {
  readonly config: z.ZodType<Config>;
  readonly preset: Readonly<Record<string, unknown>>;
  method(config: Config, place: string): Method;
}): Definition {
  return { ...definition, method: (config, place) => definition.method(config as Config, place) };
}

/** A list of modules. */
export const names = z.array(z.string({ error: 'a name' }), { error: 'a list of names' });

/** Rows and columns of a block. */
export const block = z.tuple([z.int().min(1), z.int().min(1)], { error: 'two whole numbers ≥ 1' }).readonly();

/** How many inputs share a scale; -1 for all. */
export const groupSize = z
  .int({ error: 'a whole number ≥ 1, or -1' })
  .refine((size) => size >= 1 || size === -1, { error: 'a whole number ≥ 1, or -1' });

/** Only this many bits. */
export const fourBits = z.literal(4, { error: '4, the number of bits that nninit packs' });
