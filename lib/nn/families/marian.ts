import { defineArchitecture } from './architecture.js';
import { body, type Config, causalLm, configOf, general, generation, oneVocabulary, type Variant } from './bart.js';

const marianVariant: Variant = {
  vocab_size: 58101,
  pad_token_id: 58100,
  positions: 'table',
  normEmbeddings: false,
  normLast: false,
};

/** Marian (Junczys-Dowmunt et al. 2018), Opus-MT: MarianMTModel does not save its positions, a table of sinusoids. */
export const marian = defineArchitecture<Config>({
  model_type: 'marian',
  config: configOf(marianVariant),
  prepare: general,
  classes: {
    MarianMTModel: (config) => ({
      ...generation(config, marianVariant, true),
      unsaved: ['model.encoder.embed_positions.weight', 'model.decoder.embed_positions.weight'],
    }),
    MarianModel: (config) => body(config, marianVariant),
    MarianForCausalLM: (config) => causalLm(config, marianVariant),
  },
});

const pegasusVariant: Variant = {
  vocab_size: 50265,
  pad_token_id: 0,
  positions: 'table',
  normEmbeddings: false,
  normLast: true,
};

/** PEGASUS (Zhang et al. 2019): BART with norms after the last layers, and sinusoids for positions. */
export const pegasus = defineArchitecture<Config>({
  model_type: 'pegasus',
  config: configOf(pegasusVariant),
  prepare: oneVocabulary,
  classes: {
    PegasusForConditionalGeneration: (config) => generation(config, pegasusVariant, true),
    PegasusModel: (config) => body(config, pegasusVariant),
    PegasusForCausalLM: (config) => causalLm(config, pegasusVariant),
  },
});
