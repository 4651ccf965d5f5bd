import { didYouMean, quoted, show } from '../core/check.js';
import { type Dtype, dtypes } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import { type JsonDocument, setKey } from '../core/json.js';
import { parseWith } from '../core/json-problems.js';
import type { Draw } from '../init/draw.js';
import type { KnownArchitecture } from '../nn/families/architecture.js';
import { bert } from '../nn/families/bert.js';
import { gemma, gemma2, gemma3Text } from '../nn/families/gemma.js';
import { gpt2 } from '../nn/families/gpt2.js';
import { llama } from '../nn/families/llama.js';
import { mistral } from '../nn/families/mistral.js';
import { mixtral } from '../nn/families/mixtral.js';
import { qwen2 } from '../nn/families/qwen2.js';
import { qwen3 } from '../nn/families/qwen3.js';
import { resnets } from '../nn/families/resnet.js';
import { t5 } from '../nn/families/t5.js';
import { visionTransformers } from '../nn/families/vision-transformer.js';
import { vit } from '../nn/families/vit.js';
import { type Flat, flatten } from '../nn/flatten.js';
import type { Module } from '../nn/module.js';
import { asSaved } from '../nn/saved.js';
import type { Plan } from './plan.js';

/** The architectures that nninit knows, by `model_type`. */
const architectures: ReadonlyMap<string, KnownArchitecture> = new Map(
  [gpt2, llama, mistral, qwen2, qwen3, gemma, gemma2, gemma3Text, mixtral, bert, vit, t5].map((known) => {
    return [known.model_type, known];
  }),
);

const namedModels: ReadonlyMap<string, () => Module> = new Map(Object.entries({ ...resnets, ...visionTransformers }));

/** The names of the architectures that nninit knows: the `model_type` in config.json. */
export const modelTypes: readonly string[] = [...architectures.keys()];

/** The models that need no config: torchvision's, by their names there. */
export const modelNames: readonly string[] = [...namedModels.keys()];

/** A model's plan, the config.json that belongs beside its weights, and how the reference draws them. */
export interface ModelPlan extends Plan {
  /** The random draws of the reference's constructor in order, some of which no tensor keeps. */
  readonly draws: readonly Draw[];
}

/**
 * The plan of a model from its Hugging Face config.json.
 *
 * @param dtype of all tensors; by default the config's own (`dtype`, once called `torch_dtype`), or float32
 * @returns with `config`: the text of the config given; with another `dtype`, or without `architectures`, these keys set
 * @throws InputError for an unknown model_type or class, and a config that makes no sense
 */
export function planOfConfig(document: JsonDocument, dtype?: Dtype): ModelPlan & { readonly config: string } {
  const { source } = document;
  const config = document.value as Readonly<Record<string, unknown>>;
  const architecture = architectureOf(config, source);
  const [modelClass, build] = classOf(config, architecture, source);
  if (config.quantization_config != null) {
    throw new InputError(
      `${source}: quantization_config: expected none, since quantized checkpoints have other tensors; write one with --like`,
      { path: source },
    );
  }
  const flat = flatten(build(parseWith(architecture.config, architecture.prepare?.(config) ?? config, source)));
  const saved = architecture.saved === undefined ? flat : asSaved(flat, architecture.saved);
  return {
    ...planOf(saved, dtype ?? dtypeOf(config, source)),
    config: configText(document.text, config, modelClass, dtype),
  };
}

/**
 * The plan of a model that has a name and no config: torchvision's.
 *
 * @param name one of modelNames
 * @param dtype of all tensors but counters; float32 by default
 * @throws InputError for an unknown name
 */
export function planOfName(name: string, dtype: Dtype = 'float32'): ModelPlan {
  const build = namedModels.get(name);
  if (build !== undefined) return planOf(flatten(build()), dtype);
  const hint = didYouMean(name, modelNames);
  throw new InputError(
    `model: expected one of ${quoted(modelNames)}, but received ${show(name)}${hint === undefined ? '' : ` (${hint})`}`,
  );
}

function planOf({ tensors, draws }: Flat, dtype: Dtype): ModelPlan {
  return { tensors: tensors.map(({ buffer: _, ...tensor }) => ({ ...tensor, dtype: tensor.dtype ?? dtype })), draws };
}

function architectureOf(config: Readonly<Record<string, unknown>>, source: string): KnownArchitecture {
  const { model_type } = config;
  const found = typeof model_type === 'string' ? architectures.get(model_type) : undefined;
  if (found !== undefined) return found;
  const hint = typeof model_type === 'string' ? didYouMean(model_type, modelTypes) : undefined;
  throw new InputError(
    `${source}: model_type: expected one of ${quoted(modelTypes)}, but received ${show(model_type)}` +
      `${hint === undefined ? '' : ` (${hint})`}. Any other model can be written like a checkpoint of its kind, with ` +
      '--like, or from a recipe: see docs/models.md',
    { path: source },
  );
}

function classOf(config: Readonly<Record<string, unknown>>, { classes }: KnownArchitecture, source: string) {
  const known = Object.keys(classes);
  const listed = config.architectures ?? [];
  if (!Array.isArray(listed)) {
    const text = `architectures: expected a list of the name of a class, but received ${show(listed)}`;
    throw new InputError(`${source}: ${text}`, { path: source });
  }
  const given: unknown = listed[0];
  const name = given ?? known[0];
  const build = typeof name === 'string' && Object.hasOwn(classes, name) ? classes[name] : undefined;
  if (build !== undefined) return [name as string, build] as const;
  const hint = typeof name === 'string' ? didYouMean(name, known) : undefined;
  throw new InputError(
    `${source}: architectures[0]: expected one of ${quoted(known)}, but received ${show(name)}` +
      `${hint === undefined ? '' : ` (${hint})`}`,
    { path: source },
  );
}

function dtypeOf(config: Readonly<Record<string, unknown>>, source: string): Dtype {
  const key = config.dtype === undefined ? 'torch_dtype' : 'dtype';
  const given = config[key] ?? 'float32';
  const name = typeof given === 'string' ? given.replace(/^torch\./, '') : '';
  if (Object.hasOwn(dtypes, name)) return name as Dtype;
  const known = quoted(Object.keys(dtypes));
  throw new InputError(
    `${source}: ${key}: expected one of ${known}, but received ${show(given)}; --dtype overrides it`,
    { path: source },
  );
}

function configText(
  text: string,
  config: Readonly<Record<string, unknown>>,
  modelClass: string,
  dtype: Dtype | undefined,
): string {
  let edited = text;
  if (!Array.isArray(config.architectures) || config.architectures.length === 0) {
    edited = setKey(edited, 'architectures', [modelClass]);
  }
  if (dtype === undefined) return edited;
  const present = ['dtype', 'torch_dtype'].filter((key) => Object.hasOwn(config, key));
  // Every version of transformers reads torch_dtype; dtype only those since 4.56.
  for (const key of present.length > 0 ? present : ['torch_dtype']) {
    if (config[key] !== dtype) edited = setKey(edited, key, dtype);
  }
  return edited;
}
