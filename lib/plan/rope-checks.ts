import { isPlainObject, quoted, show } from '../core/check.js';
import type { InputError } from '../core/errors.js';
import { configFields } from '../nn/families/config-fields.js';
import { layerTypes, ropeTypes } from '../nn/families/config-values.js';

type Config = Readonly<Record<string, unknown>>;

/** The error for a key's value, by what was expected. */
export type Refuse = (key: string, what: string) => InputError;

const { default: plain = [], longrope = [] } = ropeTypes;

/** The kinds of rotary positions that a family knows, and what each must have beside its name. */
function ropeTypesOf(modelType: string): typeof ropeTypes {
  // Models of images turn by rows and columns.
  if (/^(?:qwen.*_vision|pixtral)$/.test(modelType)) return { default: [], axial: [] };
  if (/^qwen2(?:_5)?_vl_text$/.test(modelType)) return { ...ropeTypes, mrope: [] };
  // Two older names for the one kind that Phi-3 has.
  if (modelType === 'phi3')
    return { default: plain, longrope, yarn: longrope, su: [...longrope, 'original_max_position_embeddings'] };
  if (modelType !== 'phimoe') return ropeTypes;
  const scaled = Object.entries(ropeTypes).filter(([type]) => type !== 'default');
  const needed = scaled.map(([type, keys]) => [type, [...keys, 'short_mscale', 'long_mscale']] as const);
  return { default: plain, ...Object.fromEntries(needed) };
}

/** Those whose kinds of layers each have rotary positions of their own. */
const byKinds = /^(?:gemma(?:3n?|4)_text|modernbert|olmo3)$/;

/** Those whose config class does not read `rope_theta`, or has one already. */
const ownBase = /^(?:gpt_neox|ministral3)$/;

/** What it computes with, and so must be a number where it is there; of some null is as good. */
const numbers: Readonly<Record<string, readonly string[]>> = {
  linear: ['factor'],
  dynamic: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor', 'original_max_position_embeddings'],
  yarn: ['factor?', 'beta_fast?', 'beta_slow?', 'original_max_position_embeddings'],
};

/** Refuses rotary positions that transformers refuses, which give no tensor its shape. It looks at them in families that have none too. */
export function checkRope(config: Config, modelType: string, sizes: Config, refuse: Refuse): void {
  const turns = configFields[modelType]?.['dict?']?.includes('rope_parameters') === true;
  // What Python takes for false counts as missing.
  const { rope_scaling: scaling } = config;
  const isEmpty = !scaling || (typeof scaling === 'object' && Object.keys(scaling).length === 0);
  const key = isEmpty ? 'rope_parameters' : 'rope_scaling';
  const given = config[key];
  if (!(isEmpty || isPlainObject(given))) throw refuse(key, 'an object, or null');
  const flat = isPlainObject(given) ? given : {};
  const isByKind = byKinds.test(modelType);
  const nested = isByKind ? layerTypes.flatMap((kind) => flat[kind] ?? []).filter(isPlainObject) : [];
  const mustNest = modelType === 'gemma4_text' || (modelType === 'modernbert' && isEmpty);
  if (mustNest && nested.length === 0 && Object.keys(flat).length > 0)
    throw refuse(key, "an object of rotary positions for each kind of layer, such as 'full_attention'");
  const ropes = nested.length === 0 ? [flat] : nested;
  for (const rope of ropes) checkType(rope, key, modelType, turns, sizes, refuse);
  const readsBase = turns && !isByKind && !ownBase.test(modelType) && !Object.hasOwn(flat, 'rope_theta');
  if (readsBase && Object.hasOwn(config, 'rope_theta') && typeof config.rope_theta !== 'number')
    throw refuse('rope_theta', 'a number');
  if (!turns || (nested.length === 0 && isByKind)) return;
  for (const rope of ropes) {
    if (Object.hasOwn(rope, 'rope_theta') && typeof rope.rope_theta !== 'number')
      throw refuse(key, `a number as "rope_theta", not ${show(rope.rope_theta)}`);
    checkFactors(rope, key, config, modelType, sizes, refuse);
  }
}

/** Python's get: a null that is there counts. */
const typeOf = (rope: Config): unknown => (Object.hasOwn(rope, 'rope_type') ? rope.rope_type : rope.type);

/** The kind, and what it needs beside its name. */
function checkType(rope: Config, key: string, modelType: string, turns: boolean, sizes: Config, refuse: Refuse): void {
  const type = typeOf(rope);
  if (type === undefined) return;
  const known = ropeTypesOf(modelType);
  const needed = typeof type === 'string' && Object.hasOwn(known, type) ? known[type] : undefined;
  if (needed === undefined && !turns) return;
  if (needed === undefined) throw refuse(key, `a "rope_type" of ${quoted(Object.keys(known))}, not ${show(type)}`);
  const missing = needed.find((name) => !Object.hasOwn(rope, name));
  if (missing !== undefined) throw refuse(key, `"${missing}" beside the rope_type '${String(type)}'`);
  const counted = modelType === 'phi3' || !turns ? [] : (numbers[String(type)] ?? []);
  for (const name of counted) {
    const value = rope[name.replace('?', '')];
    if (value === undefined || typeof value === 'number' || (value === null && name.endsWith('?'))) continue;
    throw refuse(key, `a number as "${name.replace('?', '')}" of the rope_type '${String(type)}', not ${show(value)}`);
  }
  // Of these kinds transformers asks a Mixtral for its head_dim, which its config class leaves empty.
  if (modelType === 'mixtral' && /^(?:dynamic|longrope|yarn)$/.test(String(type)) && sizes.head_dim == null)
    throw refuse('head_dim', `a whole number ≥ 1 beside the rope_type '${String(type)}'`);
}

/** Those that turn a half or a quarter of each head, where neither config nor rotary positions say how much. */
const half = /^(?:bamba|glm4?|glm4_moe|nemotron|persimmon|phi)$/;
const quarter = /^(?:gpt_neox|qwen3_5(?:_moe)?_text|qwen3_next|stablelm)$/;

/** Factors of positions beyond those that were learned: one for each two numbers of a head that are turned against each other. */
function checkFactors(rope: Config, key: string, config: Config, modelType: string, sizes: Config, refuse: Refuse) {
  const isFirst = modelType === 'phi3';
  if (!isFirst && typeOf(rope) !== 'longrope') return;
  const { hidden_size: width, num_attention_heads: heads, qk_rope_head_dim: latent } = sizes;
  const own = half.test(modelType) ? 0.5 : quarter.test(modelType) ? 0.25 : 1;
  const part = rope.partial_rotary_factor ?? config.partial_rotary_factor ?? config.rotary_pct ?? own;
  const whole =
    latent ?? (/^phi/.test(modelType) ? undefined : sizes.head_dim) ?? Math.floor(Number(width) / Number(heads));
  const turned = Math.trunc(Number(whole) * Number(part));
  const pairs = isFirst ? Math.floor(turned / 2) : Math.ceil(turned / 2);
  if (Number.isNaN(pairs)) return;
  const fits = (factors: unknown) =>
    Array.isArray(factors) &&
    factors.every((factor) => typeof factor === 'number') &&
    (factors.length === pairs || (!isFirst && (factors.length === 1 || pairs === 1)));
  for (const name of isFirst ? ['short_factor', 'long_factor'] : ['short_factor']) {
    if ((!isFirst || rope[name] != null) && !fits(rope[name]))
      throw refuse(key, `"${name}" of ${pairs} numbers, for heads of ${turned} that are turned by twos`);
  }
  // Of the other only its presence is asked, as a list.
  if (!isFirst && !Array.isArray(rope.long_factor)) throw refuse(key, '"long_factor" as an array of numbers');
}
