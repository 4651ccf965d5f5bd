import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labels, layers, size, std } from './architecture.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const config = z.looseObject({
  ...labels,
  vocab_size: size().default(50368),
  d_model: size().default(2048),
  n_heads: size().default(16),
  n_layers: layers().default(24),
  initializer_range: std().default(0.02),
  tie_word_embeddings: flag().default(true),
});

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) => transformersInit(initializer_range);

const norm = (width: number) => layerNorm(width, false);

function block({ d_model: width }: Config): Module {
  return container('Block', {
    norm_1: norm(width),
    attn: container('Attention', { Wqkv: linear(width, 3 * width, false), out_proj: linear(width, width, false) }),
    norm_2: norm(width),
    ffn: container('MLP', { up_proj: linear(width, 4 * width, false), down_proj: linear(4 * width, width, false) }),
  });
}

function body(config: Config): Module {
  const children = {
    wte: embedding(config.vocab_size, config.d_model),
    blocks: repeat(config.n_layers, () => block(config)),
    norm_f: norm(config.d_model),
  };
  return container('MptModel', children, { initialize: rule(config) });
}

const width = ({ d_model }: Config) => d_model;
const heads = headsOf({ body, rule, width, name: 'transformer', embedding: 'wte' });

/** MPT (MosaicML 2023): N(0, initializer_range²), no biases at all; four times the width within. */
export const mpt = defineArchitecture({
  model_type: 'mpt',
  config,
  prepare: aliases({ num_attention_heads: 'n_heads', hidden_size: 'd_model', num_hidden_layers: 'n_layers' }),
  classes: {
    MptForCausalLM: heads.causalLm,
    MptModel: body,
    MptForSequenceClassification: heads.sequences,
    MptForTokenClassification: heads.tokens,
    MptForQuestionAnswering: heads.answers(),
  },
});
