import { z } from 'zod';
import { didYouMean, isPlainObject, quoted, show } from '../core/check.js';
import { InputError } from '../core/errors.js';
import { type JsonDocument, setKey } from '../core/json.js';
import { parseWith } from '../core/json-problems.js';
import { scanJson } from '../core/json-scan.js';
import { labels } from '../nn/families/architecture.js';
import { configFields } from '../nn/families/config-fields.js';
import {
  activations,
  computedKeys,
  headDimReaders,
  layerTypes,
  mlpLayerTypes,
  renamedLayerTypes,
} from '../nn/families/config-values.js';
import { checkRope, type Refuse } from './rope-checks.js';

type Config = Readonly<Record<string, unknown>>;

/** What transformers' config classes call types, in JSON's words. */
const words: Readonly<Record<string, string>> = {
  int: 'a whole number, written without a point',
  float: 'a number with a point or an exponent, such as 1.0',
  bool: 'true or false',
  str: 'a string',
  list: 'an array',
  dict: 'an object',
  'list[int]': 'an array of whole numbers, written without a point',
  'list[float]': 'an array of numbers with a point or an exponent, such as 1.0',
  'list[str]': 'an array of strings',
};

/**
 * Refuses of a config.json what transformers refuses though it gives no tensor its shape: values of other types than its classes declare (1 is no
 * float, 16.0 no int), names of activations and rotary positions that it does not know, kinds of layers of another number than the layers,
 * layers of different shapes, stages of a backbone that it has not.
 *
 * @param sizes the config with its defaults
 * @returns the text that belongs beside the weights; without `torch.` before a dtype, and for a config that was given as an object with 1.0 where JavaScript has 1
 * @throws InputError naming the key
 */
export function checkConfig({ source, text, value, isObject }: JsonDocument, modelType: string, sizes: Config): string {
  const config = value as Config;
  const refuse = (key: string, what: string) => {
    const found = Object.hasOwn(config, key) ? `received ${spelt(key)}` : 'it is missing';
    return new InputError(`${source}: ${key}: expected ${what}, but ${found}`, { path: source });
  };
  const { members } = scanJson(text);
  const spelling = new Map(members.map(({ key, valueBegin, valueEnd }) => [key, text.slice(valueBegin, valueEnd)]));
  const spelt = (key: string) => (typeof config[key] === 'number' ? (spelling.get(key) ?? '') : show(config[key]));
  for (const key of [...(computedKeys['*'] ?? []), ...(computedKeys[modelType] ?? [])])
    if (Object.hasOwn(config, key)) throw refuse(key, "no such key, which transformers' config class computes");
  let repaired = text;
  for (const [kind, keys] of Object.entries(configFields[modelType] ?? {})) {
    for (const key of keys.split(' ').filter((name) => Object.hasOwn(config, name))) {
      const literal = spelling.get(key) ?? '';
      if (isOfKind(kind, config[key], literal)) continue;
      const pointed = literal.replace(/(?<![\d.eE+-])-?\d+(?![\d.eE])/g, '$&.0');
      if (!(isObject && isOfKind(kind, config[key], pointed))) throw refuse(key, expected(kind));
      repaired = setKey(repaired, key, config[key], pointed);
    }
  }
  for (const key of ['dtype', 'torch_dtype']) {
    const given = config[key];
    // Older versions of transformers wrote this; newer ones refuse it.
    if (typeof given === 'string' && given.startsWith('torch.'))
      repaired = setKey(repaired, key, given.slice('torch.'.length));
  }
  // Read by models whose config classes do not declare them.
  for (const key of headDimReaders.includes(modelType) ? ['num_labels', 'head_dim'] : ['num_labels'])
    if (!isObject && typeof config[key] === 'number' && !isOfKind('int', config[key], spelling.get(key) ?? ''))
      throw refuse(key, expected('int'));
  // Read by every config class, also of models that classify nothing.
  parseWith(labelKeys, config, source);
  checkNames(config, modelType, refuse);
  checkRope(config, modelType, sizes, refuse);
  checkLayers(config, modelType, layersOf(sizes), refuse);
  if (configFields[modelType]?.['list[str]?']?.includes('_out_features')) checkStages(config, sizes, refuse);
  return repaired;
}

const labelKeys = z.looseObject(labels);

/** What transformers calls num_hidden_layers, by any of the names that families have for it. */
function layersOf({
  num_hidden_layers,
  n_layer,
  n_layers,
  num_layers,
  encoder_layers,
  decoder_layers,
}: Config): unknown {
  return num_hidden_layers ?? n_layer ?? n_layers ?? num_layers ?? encoder_layers ?? decoder_layers;
}

/** What a saved config says of the stages whose outputs a backbone gives: those of a config of fewer layers are others. */
function checkStages(
  { out_features: features, out_indices: indices }: Config,
  { depths, num_hidden_layers }: Config,
  refuse: Refuse,
): void {
  const count = Array.isArray(depths) ? depths.length : Number(num_hidden_layers);
  const stages = ['stem', ...Array.from({ length: count }, (_, i) => `stage${i + 1}`)];
  const last = `stages from 'stem' to '${stages.at(-1)}', each once and in their order`;
  const ascends = (places: readonly number[]) =>
    places.every((place, i) => place >= 0 && place < stages.length && (i === 0 || place > Number(places[i - 1])));
  const named = Array.isArray(features) ? features.map((name) => stages.indexOf(name)) : undefined;
  if (features != null && !(named !== undefined && ascends(named))) throw refuse('out_features', last);
  const isPlace = (value: unknown): value is number => Number.isInteger(value);
  const placed = Array.isArray(indices) && indices.every(isPlace) ? indices : undefined;
  const places = placed?.map((place) => (place < 0 ? place + stages.length : place));
  if (indices != null && !(places !== undefined && ascends(places)))
    throw refuse('out_indices', `places of stages, 0 to ${count}, each once and in their order`);
  if (named !== undefined && places !== undefined && named.join() !== places.join())
    throw refuse('out_indices', 'the places of the stages in out_features');
}

function expected(kind: string): string {
  const types = kind.replace('?', '').split('|');
  const numbers = types.includes('float') && types.includes('int');
  const named = numbers ? ['a number'] : types.map((type) => words[type] ?? type);
  return [...named, ...(kind.endsWith('?') ? ['null'] : [])].join(', or ');
}

/** @param literal the value as the text has it */
function isOfKind(kind: string, value: unknown, literal: string): boolean {
  if (value === null) return kind.endsWith('?');
  const types = kind.replace('?', '').split('|');
  if (Array.isArray(value)) return types.some((type) => type === 'list' || isListOf(type, value, literal));
  switch (typeof value) {
    case 'boolean':
      return types.includes('bool');
    case 'string':
      return types.includes('str');
    case 'number':
      return types.includes(/^-?\d+$/.test(literal) ? 'int' : 'float');
    default:
      return types.includes('dict');
  }
}

/** Whether an array is a 'list[int]' or the like. */
function isListOf(type: string, values: readonly unknown[], literal: string): boolean {
  const inner = /^list\[(\w+)\]$/.exec(type)?.[1];
  // Numbers alone have no commas within.
  const literals = values.every((value) => typeof value === 'number') ? literal.slice(1, -1).split(',') : [];
  return inner !== undefined && values.every((value, i) => isOfKind(inner, value, literals[i]?.trim() ?? ''));
}

const optionalActs = ['activation', 'activation_function'];

function checkActivation(config: Config, key: string, refuse: Refuse): void {
  const name = config[key];
  if (activations.some((known) => known === name)) return;
  const hint = typeof name === 'string' ? didYouMean(name, activations) : undefined;
  throw refuse(key, `the name of an activation that transformers knows${hint === undefined ? '' : ` (${hint})`}`);
}

function checkNames(config: Config, modelType: string, refuse: Refuse): void {
  const strings = `${configFields[modelType]?.str ?? ''} dense_act_fn`.split(' ');
  // Null is allowed by their config classes, and refused by the models.
  for (const key of (configFields[modelType]?.['str?'] ?? '').split(' ').filter((name) => optionalActs.includes(name)))
    if (Object.hasOwn(config, key)) checkActivation(config, key, refuse);
  for (const key of strings.filter(
    (name) => /(?:^|_)act(?:ivation)?(?:_|$)/.test(name) && typeof config[name] === 'string',
  ))
    checkActivation(config, key, refuse);
  const { feed_forward_proj, dense_act_fn } = config;
  if (/^u?m?t5$/.test(modelType) && typeof feed_forward_proj === 'string' && dense_act_fn === undefined) {
    const name = feed_forward_proj.replace(/^gated-/, '');
    if (!activations.includes(name)) throw refuse('feed_forward_proj', 'an activation that transformers knows');
  }
}

function checkLayers(config: Config, modelType: string, layers: unknown, refuse: Refuse): void {
  // Nemotron-H has kinds of its own, as many as they are.
  for (const key of modelType === 'nemotron_h' ? [] : ['layer_types', 'mlp_layer_types']) {
    const [known, types] =
      key === 'layer_types' ? [layerTypes, renamedLayerTypes(config[key])] : [mlpLayerTypes, config[key]];
    if (types == null) break;
    if (!Array.isArray(types) || !types.every((type) => known.includes(type)))
      throw refuse(key, `an array of ${quoted(known)}`);
    if (typeof layers === 'number' && layers !== types.length)
      throw refuse(key, `as many as num_hidden_layers says, ${layers} and not ${types.length}`);
  }
  const { per_layer_config, problem_type, id2label, num_labels } = config;
  if (modelType !== 'gemma4_text' && isPlainObject(per_layer_config) && Object.keys(per_layer_config).length > 0)
    throw refuse('per_layer_config', 'none, since layers of shapes of their own are refused by their models too');
  const labels = isPlainObject(id2label) ? Object.keys(id2label).length : num_labels;
  if (problem_type === 'single_label_classification' && labels === 1)
    throw refuse('problem_type', "'regression' or two labels and more, since there is one label");
}
