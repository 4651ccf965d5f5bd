import { z } from 'zod';
import { container, type Module } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, labelCount, paddingFits, size } from './architecture.js';
import { classificationHead, crossFits, encoder, encoderKeys } from './bert-layers.js';
import { headed, transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...encoderKeys({ vocab_size: 30522, pad_token_id: 0 }),
    embedding_size: size().default(128),
    hidden_size: size().default(256),
    num_attention_heads: size().default(4),
    intermediate_size: size().default(1024),
    summary_use_proj: flag().default(true),
    summary_proj_to_labels: flag().default(false),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .refine(...crossFits);

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) => transformersInit(initializer_range);

function body(config: Config): Module {
  const { vocab_size, embedding_size, hidden_size, max_position_embeddings, type_vocab_size, pad_token_id } = config;
  const children = {
    embeddings: container('Embeddings', {
      word_embeddings: embedding(vocab_size, embedding_size, pad_token_id),
      position_embeddings: embedding(max_position_embeddings, embedding_size),
      token_type_embeddings: embedding(type_vocab_size, embedding_size),
      LayerNorm: layerNorm(embedding_size),
    }),
    ...(embedding_size !== hidden_size && { embeddings_project: linear(embedding_size, hidden_size) }),
    encoder: encoder(config),
  };
  return container('ElectraModel', children, { initialize: rule(config) });
}

const withHead = (head: (config: Config) => Record<string, Module>) => (config: Config) =>
  headed({ electra: body(config) }, head(config), rule(config));

/** The generator, whose words are those of its embedding. */
function generator(config: Config): Module {
  const { embedding_size, hidden_size, vocab_size, tie_word_embeddings } = config;
  const head = {
    generator_predictions: container('GeneratorPredictions', {
      LayerNorm: layerNorm(embedding_size),
      dense: linear(hidden_size, embedding_size),
    }),
    generator_lm_head: linear(embedding_size, vocab_size),
  };
  const tied = { 'generator_lm_head.weight': 'electra.embeddings.word_embeddings.weight' };
  return headed({ electra: body(config) }, head, rule(config), tie_word_embeddings ? tied : undefined);
}

/** A layer before the choice. */
function summary(config: Config): Module {
  const { hidden_size: width, summary_use_proj, summary_proj_to_labels } = config;
  const classes = summary_proj_to_labels && labelCount(config) > 0 ? labelCount(config) : width;
  return container('SequenceSummary', summary_use_proj ? { summary: linear(width, classes) } : {});
}

/** ELECTRA (Clark et al. 2020): BERT with narrow embeddings; the discriminator, unless the config names another class. */
export const electra = defineArchitecture({
  model_type: 'electra',
  config,
  classes: {
    ElectraForPreTraining: withHead(({ hidden_size }) => ({
      discriminator_predictions: container('DiscriminatorPredictions', {
        dense: linear(hidden_size, hidden_size),
        dense_prediction: linear(hidden_size, 1),
      }),
    })),
    ElectraForMaskedLM: generator,
    ElectraModel: body,
    ElectraForCausalLM: generator,
    ElectraForSequenceClassification: withHead((config) => ({
      classifier: classificationHead(config.hidden_size, labelCount(config)),
    })),
    ElectraForMultipleChoice: withHead((config) => ({
      sequence_summary: summary(config),
      classifier: linear(config.hidden_size, 1),
    })),
    ElectraForTokenClassification: withHead((config) => ({
      classifier: linear(config.hidden_size, labelCount(config)),
    })),
    ElectraForQuestionAnswering: withHead((config) => ({
      qa_outputs: linear(config.hidden_size, labelCount(config)),
    })),
  },
});
