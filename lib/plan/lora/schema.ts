import { z } from 'zod';
import { objectError } from '../../core/json-problems.js';
import { oneOf } from '../../core/schemas.js';

const rank = { error: 'a whole number ≥ 1' };
const scale = { error: 'a number > 0' };
const width = { error: 'a finite number ≥ 0' };
const name = { error: 'a name' };
const targets = {
  error: "'all-linear', a regular expression over names of modules, or an array of one or more ends of names",
};

const keys = {
  r: z.int(rank).min(1, rank).default(8).describe('the rank'),
  alpha: z.number(scale).positive(scale).default(8).describe("lora_alpha: the adapter's part is scaled by alpha / r"),
  targets: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1, targets)], targets)
    .describe("target_modules: 'all-linear', a regular expression over whole names, or ends of names"),
  init: oneOf(['kaiming_uniform', 'gaussian'])
    .default('kaiming_uniform')
    .describe('of lora_A: U(±1/√inputs), or N(0, 1/r²)'),
  b: z.number(width).min(0, width).default(0).describe('the standard deviation of lora_B; with 0, as PEFT, it is zero'),
  base: z.string(name).min(1, name).optional().describe('base_model_name_or_path'),
};

/** What a LoRA adapter of a model is to be: the key `lora` of a recipe. */
export const loraSchema = z
  .strictObject(keys, { error: objectError(Object.keys(keys), 'an object with "targets"') })
  .meta({ id: 'lora', description: 'in place of the model, a LoRA adapter for it, as PEFT saves it' });

/** With the defaults in place. */
export type Lora = z.output<typeof loraSchema>;
