import { didYouMean, isPlainObject, quoted, show } from '../core/check.js';
import { type Dtype, dtypes } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import { documentOf, type JsonDocument, readJson, setKey } from '../core/json.js';
import { parseWith } from '../core/json-problems.js';
import { scanJson } from '../core/json-scan.js';
import type { Draw } from '../init/draw.js';
import type { KnownArchitecture, Part } from '../nn/families/architecture.js';
import { withLayerTypes } from '../nn/families/config-values.js';
import { architectures, namedModels } from '../nn/families/index.js';
import { type Flat, flatten } from '../nn/flatten.js';
import type { Module } from '../nn/module.js';
import { asSaved, savedWithin } from '../nn/saved.js';
import { checkConfig } from './config-checks.js';
import type { Plan } from './plan.js';
import type { Quantizer } from './quantize/quantize.js';

/** The names of the architectures that nninit knows: the `model_type` in config.json. */
export const modelTypes: readonly string[] = Object.keys(architectures);

/** The models that need no config: torchvision's, by their names there. */
export const modelNames: readonly string[] = Object.keys(namedModels);

/** A model's plan, the config.json that belongs beside its weights, and how the reference draws them. */
export interface ModelPlan extends Plan {
  /** Where the model is quantized: what makes a quantized checkpoint's tensors of these. */
  readonly quantizer?: Quantizer;
  /** The random draws of the reference's constructor in order, some of which no tensor keeps. */
  readonly draws: readonly Draw[];
}

/**
 * The plan of a model from its Hugging Face config.json.
 *
 * @param dtype of all tensors; by default the config's own (`dtype`, once called `torch_dtype`), or float32
 * @param quantize one of quantizationPresets, for a config that is not quantized
 * @param mtp with the layers that predict further tokens, which transformers does not make
 * @returns with `config`: the text of the config given; with another `dtype`, or without `architectures`, these keys set
 * @throws InputError for an unknown model_type or class, and a config that makes no sense
 */
export async function planOfConfig(
  document: JsonDocument,
  dtype?: Dtype,
  quantize?: string,
  mtp = false,
): Promise<ModelPlan & { readonly config: string }> {
  const { source } = document;
  const { config, architecture, parsed, modelClass, text, module, flat: own } = await modelOf(document);
  const saved = tensorsIn(source, () => {
    const { predict, model_type } = architecture;
    if (mtp && predict === undefined)
      throw new RangeError(
        `mtp: expected a family whose layers for further tokens are known, but received ${model_type}`,
      );
    const flat = mtp && predict !== undefined ? predict(parsed, own) : own;
    const scopes = savedWithin(module);
    return scopes.length === 0 ? flat : asSaved(flat, ...scopes);
  });
  const edited = configText(text, config, architecture.model_type, modelClass, dtype);
  const quantization = await quantizationOf(config, quantize, saved, own, source);
  return {
    ...planOf(saved, dtype ?? dtypeOf(config, source)),
    config:
      quantization?.settings === undefined ? edited : setKey(edited, 'quantization_config', quantization.settings),
    ...(quantization !== undefined && { quantizer: quantization.quantizer }),
    ...(quantization?.quantizer.count === 0 && {
      warnings: [`${source}: quantization_config: it quantizes none of the model's modules`],
    }),
  };
}

interface ReadModel {
  readonly architecture: KnownArchitecture;
  readonly part: Part;
  /** The text that belongs beside the weights. */
  readonly text: string;
}

/** Checks a config and those within it. */
async function readModel(document: JsonDocument, config: Readonly<Record<string, unknown>>): Promise<ReadModel> {
  const { source, isObject } = document;
  const architecture = await architectureOf(config, source);
  const { model_type, classes } = architecture;
  const named = withLayerTypes(config);
  const parsed = parseWith(architecture.config, architecture.prepare?.(named) ?? named, source);
  let text = checkConfig({ ...document, value: config }, model_type, parsed as Part['config']);
  const parts = new Map<string, Part>();
  for (const [key, nested] of Object.entries(architecture.parts?.(config) ?? {})) {
    const place = `${source}: ${key}`;
    if (!isPlainObject(nested)) {
      const found = nested === undefined ? 'it is missing' : `received ${show(nested)}`;
      throw new InputError(`${place}: expected a config, an object, but ${found}`, { path: source });
    }
    const spelt = isPlainObject(config[key]) ? memberOf(text, key) : undefined;
    const inner = spelt === undefined ? documentOf(nested, place) : readJson(Buffer.from(spelt), place, { isObject });
    if (!isEmptyConfig(nested.quantization_config))
      throw new InputError(`${place}: quantization_config: expected none in a part`, { path: source });
    const read = await readModel(inner, nested);
    if (spelt !== undefined && read.text !== spelt) text = setKey(text, key, nested, read.text);
    parts.set(key, read.part);
  }
  const get = (key: string): Part => {
    const part = parts.get(key);
    if (part === undefined) throw new Error(`no part ${key} of ${model_type}`);
    return part;
  };
  const build = (name: string | RegExp): Module => {
    const known = Object.keys(classes).find((each) => (typeof name === 'string' ? each === name : name.test(each)));
    const make = known === undefined ? undefined : classes[known];
    if (known !== undefined && make !== undefined) {
      const { saved } = architecture;
      const module = tensorsIn(source, () => make(parsed, { get }));
      return saved === undefined || saved.of?.includes(known) === false ? module : { ...module, saved };
    }
    throw new InputError(
      `${source}: model_type: expected one with a class ${String(name)}, but received ${model_type}`,
      {
        path: source,
      },
    );
  };
  return { architecture, part: { model_type, config: parsed as Part['config'], build }, text };
}

/** With the numbers that JSON lacks as transformers 5 writes them: `{ "__float__": "Infinity" }`. */
function withFloats(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withFloats);
  if (!isPlainObject(value)) return value;
  const entries = Object.entries(value);
  const { __float__: tagged } = value;
  if (entries.length === 1 && typeof tagged === 'string' && /^(?:NaN|-?Infinity)$/.test(tagged)) return Number(tagged);
  return Object.fromEntries(entries.map(([key, inner]) => [key, withFloats(inner)]));
}

function memberOf(text: string, key: string): string | undefined {
  const member = scanJson(text).members.findLast((each) => each.key === key);
  return member === undefined ? undefined : text.slice(member.valueBegin, member.valueEnd);
}

const isEmptyConfig = (given: unknown): boolean =>
  given == null || (isPlainObject(given) && Object.keys(given).length === 0);

/**
 * The model of a config.json as its code has it: its class, and its tensors by the names of its modules.
 *
 * @throws InputError as planOfConfig
 */
export async function modelOf(document: JsonDocument) {
  const { source } = document;
  const config = withFloats(document.value) as Readonly<Record<string, unknown>>;
  const { architecture, part, text } = await readModel(document, config);
  const modelClass = classOf(config, architecture, source);
  return tensorsIn(source, () => {
    const module = part.build(modelClass);
    return { config, architecture, parsed: part.config, modelClass, text, module, flat: flatten(module) };
  });
}

/** How the model is quantized, by its config or by a name; `settings` are what the config lacks. */
async function quantizationOf(
  { quantization_config: given }: Readonly<Record<string, unknown>>,
  name: string | undefined,
  saved: Flat,
  model: Flat,
  source: string,
) {
  const isEmpty = isEmptyConfig(given);
  if (isEmpty && name === undefined) return undefined;
  const { quantizationPresets, quantizerOf } = await import('./quantize/quantize.js');
  if (name === undefined) return { quantizer: quantizerOf(given, saved, model, source), settings: undefined };
  if (!isEmpty) {
    const what = `expected a config without one beside quantize ${quoted([name])}, but it is there`;
    throw new InputError(`${source}: quantization_config: ${what}`, { path: source });
  }
  const preset = quantizationPresets[name];
  const quantizer = quantizerOf(preset, saved, model, source);
  // A loader would look for the scales of what the list does not name.
  const ignore = Array.isArray(preset?.ignore) && { ignore: [...new Set([...preset.ignore, ...quantizer.left])] };
  if (quantizer.count > 0) return { quantizer, settings: { ...preset, ...ignore } };
  const what = 'expected a model with modules that it is for, but there is none';
  throw new InputError(`${source}: quantize ${quoted([name])}: ${what}`, { path: source });
}

function tensorsIn<Made>(source: string, make: () => Made): Made {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new InputError(`${source}: ${cause.message}`, { path: source, cause });
  }
}

/**
 * The plan of a model that has a name and no config: torchvision's.
 *
 * @param name one of modelNames
 * @param dtype of all tensors but counters; float32 by default
 * @throws InputError for an unknown name
 */
export async function planOfName(name: string, dtype: Dtype = 'float32'): Promise<ModelPlan> {
  const load = Object.hasOwn(namedModels, name) ? namedModels[name] : undefined;
  const build = (await load?.())?.[name];
  if (build !== undefined) return planOf(flatten(build()), dtype);
  const hint = didYouMean(name, modelNames);
  throw new InputError(
    `model: expected one of ${quoted(modelNames)}, but received ${show(name)}${hint === undefined ? '' : ` (${hint})`}`,
  );
}

/** The plan of a model known by name; undefined if there is none of that name. */
export async function namedModel(name: string, dtype: Dtype | undefined): Promise<ModelPlan | undefined> {
  return modelNames.includes(name) ? planOfName(name, dtype) : undefined;
}

function planOf({ tensors, draws }: Flat, dtype: Dtype): ModelPlan {
  return {
    tensors: tensors.map(({ kind: _, inCode: __, ...tensor }) => ({ ...tensor, dtype: tensor.dtype ?? dtype })),
    draws,
  };
}

async function architectureOf(config: Readonly<Record<string, unknown>>, source: string): Promise<KnownArchitecture> {
  const { model_type } = config;
  if (model_type === undefined) {
    const byClass = await architectureOfClass(listedClass(config));
    if (byClass !== undefined) return byClass;
  }
  const isKnown = typeof model_type === 'string' && Object.hasOwn(architectures, model_type);
  const load = isKnown ? architectures[model_type] : undefined;
  if (load !== undefined) return load();
  throw new InputError(
    `${source}: model_type: expected one of ${quoted(modelTypes)}, but ${await receivedType(model_type)}. Any other model can be written ` +
      'like a checkpoint of its kind, with { like: path }, or from a recipe: see docs/models.md',
    { path: source },
  );
}

async function receivedType(given: unknown): Promise<string> {
  if (given === undefined) return 'it is missing';
  if (typeof given !== 'string') return `received ${show(given)}`;
  const { otherTypes } = await import('../nn/families/other-types.js');
  if (otherTypes.has(given)) return `received ${show(given)}, a family of transformers' that nninit does not know`;
  const hint = didYouMean(given, modelTypes);
  return `received ${show(given)}${hint === undefined ? '' : ` (${hint})`}`;
}

/** The class that a config names, which is a list of one, or as some write it the name itself. */
function listedClass({ architectures: listed }: Readonly<Record<string, unknown>>): unknown {
  return Array.isArray(listed) ? (listed[0] as unknown) : listed;
}

/** The family of a class; all families are loaded for it. */
async function architectureOfClass(name: unknown): Promise<KnownArchitecture | undefined> {
  if (typeof name !== 'string') return undefined;
  const known = await Promise.all(Object.values(architectures).map((load) => load()));
  return known.find(({ classes }) => Object.hasOwn(classes, name));
}

const letters = (name: string): string => name.replaceAll('_', '').toLowerCase();

function classOf(config: Readonly<Record<string, unknown>>, { classes }: KnownArchitecture, source: string): string {
  const known = Object.keys(classes);
  const name = listedClass(config) ?? known[0];
  if (typeof name === 'string' && Object.hasOwn(classes, name)) return name;
  // Configs from before transformers had the family write its class otherwise: LLaMAForCausalLM, MPTForCausalLM, PhiMoEForCausalLM.
  const same = typeof name === 'string' ? known.find((each) => letters(each) === letters(name)) : undefined;
  if (same !== undefined) return same;
  const hint = typeof name === 'string' ? didYouMean(name, known) : undefined;
  throw new InputError(
    `${source}: architectures[0]: expected one of ${quoted(known)}, but received ${show(name)}` +
      `${hint === undefined ? '' : ` (${hint})`}`,
    { path: source },
  );
}

/** torch's other names. */
const torchDtypes: ReadonlyMap<string, Dtype> = new Map([
  ['half', 'float16'],
  ['float', 'float32'],
  ['double', 'float64'],
]);

/** As configs of many versions of transformers have it; null counts as missing. */
function dtypeOf(config: Readonly<Record<string, unknown>>, source: string): Dtype {
  const key = config.dtype == null ? 'torch_dtype' : 'dtype';
  const given = config[key] ?? 'float32';
  const name = typeof given === 'string' ? given.replace(/^torch\./, '') : '';
  if (Object.hasOwn(dtypes, name)) return name as Dtype;
  const alias = torchDtypes.get(name);
  if (alias !== undefined) return alias;
  const known = quoted(Object.keys(dtypes));
  throw new InputError(
    `${source}: ${key}: expected one of ${known}, but received ${show(given)}; the option dtype overrides it`,
    { path: source },
  );
}

function configText(
  text: string,
  config: Readonly<Record<string, unknown>>,
  modelType: string,
  modelClass: string,
  dtype: Dtype | undefined,
): string {
  let edited = config.model_type === undefined ? setKey(text, 'model_type', modelType) : text;
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
