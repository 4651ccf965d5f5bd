import { did_you_mean, quoted, show } from '../check.js';
import { InputError } from '../checkpoint/errors.js';
import { type JsonDocument, set_key } from '../checkpoint/json.js';
import type { Plan } from '../checkpoint/plan.js';
import { parse_with } from '../checkpoint/problems.js';
import { type Dtype, dtypes } from '../dtype.js';
import type { KnownArchitecture } from './architecture.js';
import { gpt2 } from './gpt2.js';

/** The architectures that nninit knows, by `model_type`. */
const architectures: ReadonlyMap<string, KnownArchitecture> = new Map([gpt2].map((known) => [known.model_type, known]));

/** The names of the architectures that nninit knows: the `model_type` in config.json. */
export const model_types: readonly string[] = [...architectures.keys()];

/** A model's plan, and the config.json that belongs beside its weights. */
export interface ModelPlan extends Plan {
  /** The text of the config.json given; with another `dtype`, or without `architectures`, these keys set. */
  readonly config: string;
}

/**
 * The plan of a model from its Hugging Face config.json.
 *
 * @param dtype of all tensors; by default the config's own (`dtype`, once called `torch_dtype`), or float32
 * @throws InputError for an unknown model_type and a config that makes no sense
 */
export function plan_of_config(document: JsonDocument, dtype?: Dtype): ModelPlan {
  const { source } = document;
  const config = document.value as Readonly<Record<string, unknown>>;
  const architecture = architecture_of(config, source);
  const settings = parse_with(architecture.config, config, source);
  const used = dtype ?? dtype_of(config, source);
  const tensors = Array.from(architecture.tensors(settings), ([name, shape, initializer]) => {
    return { name, shape, dtype: used, initializer };
  });
  return { tensors, config: config_text(document.text, config, architecture, dtype) };
}

function architecture_of(config: Readonly<Record<string, unknown>>, source: string): KnownArchitecture {
  const { model_type, architectures: classes } = config;
  const found = typeof model_type === 'string' ? architectures.get(model_type) : undefined;
  if (found === undefined) {
    const hint = typeof model_type === 'string' ? did_you_mean(model_type, model_types) : undefined;
    throw new InputError(
      `${source}: model_type: expected one of ${quoted(model_types)}, but received ${show(model_type)}` +
        `${hint === undefined ? '' : ` (${hint})`}. Any other model can be written from a recipe: see docs/recipes.md`,
      { path: source },
    );
  }
  const [first] = Array.isArray(classes) ? (classes as unknown[]) : [];
  if (first !== undefined && first !== found.model_class) {
    throw new InputError(
      `${source}: architectures[0]: expected ${show(found.model_class)}, but received ${show(first)}`,
      {
        path: source,
      },
    );
  }
  return found;
}

function dtype_of(config: Readonly<Record<string, unknown>>, source: string): Dtype {
  const key = config.dtype === undefined ? 'torch_dtype' : 'dtype';
  const given = config[key] ?? 'float32';
  const name = typeof given === 'string' ? given.replace(/^torch\./, '') : '';
  if (Object.hasOwn(dtypes, name)) return name as Dtype;
  const known = quoted(Object.keys(dtypes));
  throw new InputError(
    `${source}: ${key}: expected one of ${known}, but received ${show(given)}; --dtype overrides it`,
    {
      path: source,
    },
  );
}

function config_text(
  text: string,
  config: Readonly<Record<string, unknown>>,
  { model_class }: KnownArchitecture,
  dtype: Dtype | undefined,
): string {
  let edited = text;
  if (!Array.isArray(config.architectures)) edited = set_key(edited, 'architectures', [model_class]);
  if (dtype === undefined) return edited;
  const present = ['dtype', 'torch_dtype'].filter((key) => Object.hasOwn(config, key));
  // Every version of transformers reads torch_dtype; dtype only those since 4.56.
  for (const key of present.length > 0 ? present : ['torch_dtype']) {
    if (config[key] !== dtype) edited = set_key(edited, key, dtype);
  }
  return edited;
}
