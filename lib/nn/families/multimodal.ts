import type { Module, Rule } from '../module.js';
import { linear } from '../modules/index.js';
import type { Part, Parts } from './architecture.js';
import { configFields } from './config-fields.js';
import { headed, transformersInit } from './transformers.js';

// Models of several, each of which a config within the config describes.

/** The body of a part: what transformers' AutoModel makes of its config. */
export const bodyClass = /^(?!.*(?:LMHead|DoubleHeads|MT|Encoder)Model$).*(?:Model|VisionTransformer)$/;

const isNumber = (value: unknown): value is number => typeof value === 'number';

/** A number of a part's config, by one of the names that families have for it. */
function numberIn({ config, model_type }: Part, names: readonly string[]): number {
  const found = names.map((name) => config[name]).find(isNumber);
  if (found !== undefined) return found;
  throw new RangeError(`expected a part with ${names[0]}, but model_type ${model_type} has none`);
}

/** The width of what a part gives. */
export function widthOf(part: Part): number {
  const { embed_dim, depths, hidden_size } = part.config;
  // Swin's is that of its last stage, unless a saved config says another.
  if (isNumber(embed_dim) && Array.isArray(depths) && !isNumber(hidden_size))
    return embed_dim * 2 ** (depths.length - 1);
  return numberIn(part, ['hidden_size', 'd_model', 'n_embd', 'dim']);
}

/** Refuses a text model whose config has not what transformers reads of it: a key that its family does not know counts where it is given. */
export function checkText({ model_type, config }: Part, key: string, whole: string): void {
  const fields = Object.values(configFields[model_type] ?? {}).flatMap((keys) => keys.split(' '));
  if (Object.hasOwn(config, key) || fields.includes(key)) return;
  throw new RangeError(
    `text_config: expected a config with ${key}, which ${whole} reads, but model_type ${model_type} has none`,
  );
}

/** Refuses a head that is tied to an embedding of another name than `embed_tokens`, the one name that transformers knows there. */
function checkTied(text: Part): void {
  if (Object.hasOwn(text.build(bodyClass).children ?? {}, 'embed_tokens')) return;
  throw new RangeError(
    `tie_word_embeddings: expected false beside a text_config of model_type ${text.model_type}, whose embedding is not embed_tokens, to which the head would be tied`,
  );
}

/** What initializes the whole around its parts: by a range of its own, or by the text model's, of which 0 is not taken for 0.02. */
export function wholeInit(
  { initializer_range: own, init_std, initializer_factor }: Readonly<Record<string, unknown>>,
  text: Part,
  rules?: Readonly<Record<string, Rule>>,
): Rule {
  if (own !== undefined) return transformersInit(isNumber(own) ? own : 0.02, rules);
  const std = [init_std, initializer_factor, text.config.initializer_range].find(isNumber) ?? 0.02;
  return transformersInit(std, rules, 0);
}

/** The image's model, what makes of its vectors the text's, and the text's, by LLaVA's names. */
export function aroundProjector(parts: Parts, projector: (vision: Part, text: Part) => Module) {
  const [text, vision] = [parts.get('text_config'), parts.get('vision_config')];
  const multi_modal_projector = projector(vision, text);
  return { vision_tower: vision.build(bodyClass), multi_modal_projector, language_model: text.build(bodyClass) };
}

interface Whole {
  readonly [key: string]: unknown;
  readonly tie_word_embeddings?: boolean | null | undefined;
}

/** How the models of a whole stand in it. */
interface Joined<Config> {
  /** `Qwen2VL` of `Qwen2VLModel`. */
  readonly name: string;
  /** The whole, to be initialized; its kind for rules is 'Whole'. */
  readonly body: (config: Config, parts: Parts) => Omit<Module, 'kind' | 'initialize'>;
  /** The language model's name among its children; 'language_model' by default. */
  readonly language?: string;
  /** Whether the text model's config may tie the head too. */
  readonly tiedByText?: boolean;
  /** Rules beside transformersInit. */
  readonly rules?: (parts: Parts) => Readonly<Record<string, Rule>>;
}

type Build<Config> = (config: Config, parts: Parts) => Module;

/** A model of images and text, with a head over the vocabulary and without. */
export function visionLanguage<Config extends Whole>(joined: Joined<Config>) {
  const { name, language = 'language_model', tiedByText = true } = joined;
  const ruleOf = (config: Config, parts: Parts) => wholeInit(config, parts.get('text_config'), joined.rules?.(parts));
  const body: Build<Config> = (config, parts) => {
    return { kind: 'Whole', ...joined.body(config, parts), initialize: ruleOf(config, parts) };
  };
  /** The class with another head, over what the text model gives. */
  const withHead =
    (head: (config: Config, text: Part) => Readonly<Record<string, Module>>, tied?: Module['tied']): Build<Config> =>
    (config, parts) =>
      headed({ model: body(config, parts) }, head(config, parts.get('text_config')), ruleOf(config, parts), tied);
  const lmHead = (_: Config, text: Part) => ({ lm_head: linear(widthOf(text), numberIn(text, ['vocab_size']), false) });
  const classes: Readonly<Record<string, Build<Config>>> = {
    [`${name}ForConditionalGeneration`]: (config, parts) => {
      const { tie_word_embeddings: tied } = parts.get('text_config').config;
      const isTied = config.tie_word_embeddings === true || (tiedByText && tied === true);
      if (isTied) checkTied(parts.get('text_config'));
      const names = isTied ? { 'lm_head.weight': `model.${language}.embed_tokens.weight` } : undefined;
      return withHead(lmHead, names)(config, parts);
    },
    [`${name}Model`]: body,
  };
  return { classes, withHead };
}
