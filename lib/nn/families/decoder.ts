// Longer than others: what most decoders are made of.

import { z } from 'zod';
import { container, type Module, type Own, type Rule, repeat } from '../module.js';
import { embedding, linear } from '../modules/index.js';
import { flag, labels, layers, optionalSize, padding, size, std } from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

/** The defaults that differ between decoders. */
interface Defaults {
  readonly vocab_size: number;
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly pad_token_id: number | null;
  readonly tie_word_embeddings: boolean;
}

/** What transformers' general head over tokens reads beside the labels. */
export const tokenKeys = { token_classification_bias: z.unknown().optional() };

/** Whether that head has a bias: no config class declares the key, so null and 0 are no there, and 1 is yes. */
export const hasTokenBias = ({ token_classification_bias: bias = true }: TokenConfig): boolean =>
  Boolean(bias) && !(typeof bias === 'object' && bias !== null && Object.keys(bias).length === 0);

interface TokenConfig {
  readonly token_classification_bias?: unknown;
}

/** The keys of config.json that decoders in the manner of Llama have in common. */
export function decoderKeys(defaults: Defaults) {
  return {
    ...labels,
    vocab_size: size().default(defaults.vocab_size),
    hidden_size: size().default(defaults.hidden_size),
    intermediate_size: size().default(defaults.intermediate_size),
    num_hidden_layers: layers().default(defaults.num_hidden_layers),
    num_attention_heads: size().default(defaults.num_attention_heads),
    num_key_value_heads: optionalSize(),
    head_dim: optionalSize(),
    initializer_range: std().default(0.02),
    pad_token_id: padding(defaults.pad_token_id),
    tie_word_embeddings: flag().default(defaults.tie_word_embeddings),
    ...tokenKeys,
  };
}

/** What decoderKeys read. */
export type DecoderConfig = z.output<z.ZodObject<ReturnType<typeof decoderKeys>>>;

/** The width of one head. */
export function headDim({ head_dim, hidden_size, num_attention_heads }: DecoderConfig): number {
  return head_dim ?? Math.floor(hidden_size / num_attention_heads);
}

/**
 * Attention with grouped keys and values.
 *
 * @param bias of queries, keys and values; `outputBias` of the projection back, the same unless given
 * @param norms of queries and keys, of that many heads each
 */
export function attention(
  config: DecoderConfig,
  {
    bias = false,
    outputBias = bias,
    norms,
  }: { bias?: boolean; outputBias?: boolean; norms?: (heads: number) => Module } = {},
): Module {
  const { hidden_size, num_attention_heads, num_key_value_heads } = config;
  const keyHeads = num_key_value_heads ?? num_attention_heads;
  const queries = num_attention_heads * headDim(config);
  const keys = keyHeads * headDim(config);
  return container('Attention', {
    q_proj: linear(hidden_size, queries, bias),
    k_proj: linear(hidden_size, keys, bias),
    v_proj: linear(hidden_size, keys, bias),
    o_proj: linear(queries, hidden_size, outputBias),
    ...(norms && { q_norm: norms(num_attention_heads), k_norm: norms(keyHeads) }),
  });
}

/** The gated MLP: SwiGLU or GeGLU. */
export function gatedMlp(
  { hidden_size, intermediate_size }: Pick<DecoderConfig, 'hidden_size' | 'intermediate_size'>,
  bias = false,
): Module {
  return container('MLP', {
    gate_proj: linear(hidden_size, intermediate_size, bias),
    up_proj: linear(hidden_size, intermediate_size, bias),
    down_proj: linear(intermediate_size, hidden_size, bias),
  });
}

/** What is a family's own in a decoder. */
export interface Decoder<Config> {
  /** One layer's children. */
  layer(config: Config, index: number): Readonly<Record<string, Module>>;
  /** A layer's own tensors beside them. */
  readonly layerOwn?: Own | undefined;
  /** The norm after the last layer. */
  norm(width: number): Module;
  /** What the body has after that norm. */
  after?(config: Config): Readonly<Record<string, Module>>;
  /** That norm's name; 'norm' by default. */
  readonly normName?: string | undefined;
  /** Whether the head over the vocabulary has a bias. */
  readonly lmBias?: boolean | ((config: Config) => boolean) | undefined;
  /** Rules beside transformersInit. */
  readonly rules?: ((config: Config) => Readonly<Record<string, Rule>>) | undefined;
}

/** The classes of a family of decoders: the body, and the body with each of the usual heads. */
export function decoderClasses<Config extends Omit<DecoderConfig, 'intermediate_size'>>(parts: Decoder<Config>) {
  const rule = (config: Config) => transformersInit(config.initializer_range, parts.rules?.(config));
  const layer = (config: Config) => (index: number) => {
    return { kind: 'DecoderLayer', own: parts.layerOwn, children: parts.layer(config, index) };
  };
  const body = (config: Config): Module => {
    const { vocab_size, hidden_size, pad_token_id, num_hidden_layers } = config;
    const children = {
      embed_tokens: embedding(vocab_size, hidden_size, pad_token_id),
      layers: repeat(num_hidden_layers, layer(config)),
      [parts.normName ?? 'norm']: parts.norm(hidden_size),
      ...parts.after?.(config),
    };
    return container('Model', children, { initialize: rule(config) });
  };
  const width = ({ hidden_size }: Config) => hidden_size;
  const { lmBias } = parts;
  const tokens = { tokensName: 'score', tokensBias: hasTokenBias };
  const heads = headsOf({ body, rule, width, name: 'model', embedding: 'embed_tokens', lmBias, ...tokens });
  return { body, ...heads };
}

/** The heads that a family has beside the one over the vocabulary; answers with the body's name there. */
interface Heads {
  readonly sequences?: boolean;
  readonly tokens?: boolean;
  readonly answers?: string;
}

/** The classes of decoderClasses by the names that most families give them: `PhiForCausalLM`, `PhiModel`, … */
export function decoderFamily<Config extends DecoderConfig>(
  name: string,
  parts: Decoder<Config>,
  { sequences = true, tokens = true, answers }: Heads = {},
): Readonly<Record<string, (config: Config) => Module>> {
  const classes = decoderClasses(parts);
  return {
    [`${name}ForCausalLM`]: classes.causalLm,
    [`${name}Model`]: classes.body,
    ...(sequences && { [`${name}ForSequenceClassification`]: classes.sequences }),
    ...(tokens && { [`${name}ForTokenClassification`]: classes.tokens }),
    ...(answers !== undefined && { [`${name}ForQuestionAnswering`]: classes.answers(answers) }),
  };
}
