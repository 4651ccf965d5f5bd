import type { Module, Rule } from '../module.js';
import { linear } from '../modules/index.js';
import { labelCount } from './architecture.js';
import { headed } from './transformers.js';

/** What the heads read of a config. */
type HeadConfig = Parameters<typeof labelCount>[0] & {
  readonly vocab_size: number;
  readonly tie_word_embeddings: boolean;
};

/** The body that heads are put on, and what differs between families. */
interface Headless<Config> {
  readonly body: (config: Config) => Module;
  readonly rule: (config: Config) => Rule;
  /** The width of what the body gives. */
  readonly width: (config: Config) => number;
  /** The body's name in the whole, such as 'transformer'. */
  readonly name: string;
  /** The embedding's name in the body, to which the head over the vocabulary is tied. */
  readonly embedding: string;
  /** Whether that head has a bias. */
  readonly lmBias?: boolean | ((config: Config) => boolean) | undefined;
  /** The name of the head over tokens; 'classifier' by default. */
  readonly tokensName?: string | undefined;
  /** Whether that one has a bias; by default it has. */
  readonly tokensBias?: ((config: Config) => boolean) | undefined;
}

/** The usual heads of transformers' decoders, each a class of its own over the same body. */
export function headsOf<Config extends HeadConfig>(base: Headless<Config>) {
  const { body, rule, width, name, embedding, lmBias = false, tokensName = 'classifier', tokensBias } = base;
  type Heads = (config: Config) => Readonly<Record<string, Module>>;
  const withHead =
    (heads: Heads, bodyName = name) =>
    (config: Config): Module =>
      headed({ [bodyName]: body(config) }, heads(config), rule(config));
  /** The head over the vocabulary, and others beside it. */
  const languageModel =
    (more: Heads = () => ({})) =>
    (config: Config): Module => {
      const bias = typeof lmBias === 'function' ? lmBias(config) : lmBias;
      const lm_head = linear(width(config), config.vocab_size, bias);
      const tied = config.tie_word_embeddings ? { 'lm_head.weight': `${name}.${embedding}.weight` } : undefined;
      return headed({ [name]: body(config) }, { lm_head, ...more(config) }, rule(config), tied);
    };
  return {
    withHead,
    languageModel,
    causalLm: languageModel(),
    sequences: withHead((config) => ({ score: linear(width(config), labelCount(config), false) })),
    tokens: withHead((config) => ({ [tokensName]: linear(width(config), labelCount(config), tokensBias?.(config)) })),
    /** @param bodyName the body's name there, which is an old one in some families */
    answers: (bodyName?: string) => withHead((config) => ({ qa_outputs: linear(width(config), 2) }), bodyName),
  };
}
