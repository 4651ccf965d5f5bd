import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { embedding, layerNorm, linear } from '../modules/index.js';
import {
  defineArchitecture,
  flag,
  headsDivide,
  labels,
  layers,
  optionalSize,
  padding,
  paddingFits,
  size,
  std,
} from './architecture.js';
import { headsOf } from './heads.js';
import { initByStd } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(50272),
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    ffn_dim: size().default(3072),
    max_position_embeddings: size().default(2048),
    do_layer_norm_before: flag().default(true),
    _remove_final_layer_norm: flag().default(false),
    word_embed_proj_dim: optionalSize(),
    num_attention_heads: size().default(12),
    init_std: std().default(0.02),
    initializer_range: std().nullish(),
    pad_token_id: padding(1),
    enable_bias: flag().default(true),
    layer_norm_elementwise_affine: flag().default(true),
    tie_word_embeddings: flag().default(true),
  })
  .refine(...headsDivide)
  .refine(...paddingFits);

type Config = z.output<typeof config>;

const rule = (config: Config) => initByStd(config);
const wordWidth = ({ word_embed_proj_dim, hidden_size }: Config) => word_embed_proj_dim ?? hidden_size;

const norm = ({ hidden_size, layer_norm_elementwise_affine }: Config): Module =>
  layer_norm_elementwise_affine ? layerNorm(hidden_size) : container('Norm', {});

function layer(config: Config): Module {
  const { hidden_size: width, ffn_dim, enable_bias } = config;
  const square = () => linear(width, width, enable_bias);
  return container('DecoderLayer', {
    self_attn: container('Attention', { k_proj: square(), v_proj: square(), q_proj: square(), out_proj: square() }),
    self_attn_layer_norm: norm(config),
    fc1: linear(width, ffn_dim, enable_bias),
    fc2: linear(ffn_dim, width, enable_bias),
    final_layer_norm: norm(config),
  });
}

/** Positions begin at 2. */
function body(config: Config): Module {
  const { vocab_size, hidden_size: width, pad_token_id, max_position_embeddings, do_layer_norm_before } = config;
  const words = wordWidth(config);
  const children = {
    embed_tokens: embedding(vocab_size, words, pad_token_id),
    embed_positions: embedding(max_position_embeddings + 2, width),
    ...(words !== width && { project_out: linear(width, words, false), project_in: linear(words, width, false) }),
    ...(do_layer_norm_before && !config._remove_final_layer_norm && { final_layer_norm: norm(config) }),
    layers: repeat(config.num_hidden_layers, () => layer(config)),
  };
  const decoder = container('OPTDecoder', children, { initialize: rule(config) });
  return container('OPTModel', { decoder }, { initialize: rule(config) });
}

const { causalLm, sequences, answers } = headsOf({
  body,
  rule,
  width: wordWidth,
  name: 'model',
  embedding: 'decoder.embed_tokens',
});

/** OPT (Zhang et al. 2022): N(0, init_std²); the 350M model's words are narrower than its layers. */
export const opt = defineArchitecture({
  model_type: 'opt',
  config,
  classes: {
    OPTForCausalLM: causalLm,
    OPTModel: body,
    OPTForSequenceClassification: sequences,
    OPTForQuestionAnswering: answers(),
  },
});
