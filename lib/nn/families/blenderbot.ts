import { defineArchitecture } from './architecture.js';
import { body, type Config, causalLm, configOf, generation, oneVocabulary, type Variant } from './bart.js';

type Keys = Readonly<Record<string, unknown>>;

/** @param defaults of sizes, which are not BART's */
function family(model_type: string, name: string, variant: Variant, defaults: Keys) {
  return defineArchitecture<Config>({
    model_type,
    config: configOf(variant),
    prepare: (config) => oneVocabulary({ ...defaults, ...config }),
    classes: {
      [`${name}ForConditionalGeneration`]: (config) => generation(config, variant, true),
      [`${name}Model`]: (config) => body(config, variant),
      [`${name}ForCausalLM`]: (config) => causalLm(config, variant),
    },
  });
}

/** Blenderbot (Roller et al. 2020): BART with norms after the last layers, and a decoder of many more layers. */
export const blenderbot = family(
  'blenderbot',
  'Blenderbot',
  { vocab_size: 8008, pad_token_id: 0, positions: 'learned from 0', normEmbeddings: false, normLast: true },
  {
    max_position_embeddings: 128,
    encoder_layers: 2,
    encoder_ffn_dim: 10240,
    encoder_attention_heads: 32,
    decoder_layers: 24,
    decoder_ffn_dim: 10240,
    decoder_attention_heads: 32,
    d_model: 2560,
  },
);

/** The small one (Roller et al. 2020): BART, whose positions begin at 0. */
export const blenderbotSmall = family(
  'blenderbot-small',
  'BlenderbotSmall',
  { vocab_size: 50265, pad_token_id: 0, positions: 'learned from 0', normEmbeddings: true, normLast: false },
  {
    max_position_embeddings: 512,
    encoder_layers: 8,
    encoder_ffn_dim: 2048,
    encoder_attention_heads: 16,
    decoder_layers: 8,
    decoder_ffn_dim: 2048,
    decoder_attention_heads: 16,
    d_model: 512,
  },
);
