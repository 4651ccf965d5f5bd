import { z } from 'zod';
import { container, type Module } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labels, layers, optionalSize, size, std } from './architecture.js';
import { gptAliases, gptBody } from './gpt2.js';
import { headsOf } from './heads.js';
import { transformersInit } from './transformers.js';

const config = z
  .looseObject({
    ...labels,
    vocab_size: size().default(50257),
    n_positions: size().default(1024),
    n_embd: size().default(768),
    n_layer: layers().default(12),
    n_head: size().default(12),
    n_inner: optionalSize(),
    initializer_range: std().default(0.02),
    multi_query: flag().default(true),
    add_cross_attention: flag().default(false),
    tie_word_embeddings: flag().default(true),
  })
  .refine(({ n_embd, n_head }) => n_embd % n_head === 0, { path: ['n_embd'], error: 'a multiple of n_head' })
  .refine(({ add_cross_attention, multi_query, n_layer }) => !(add_cross_attention && multi_query && n_layer > 0), {
    path: ['add_cross_attention'],
    error: 'false, since multi_query is true',
  });

type Config = z.output<typeof config>;

function rule({ initializer_range: std, n_layer }: Config) {
  const residual = { init: 'normal', std: std / Math.sqrt(2 * n_layer) } as const;
  const towards = () => ({ 'c_proj.weight': residual });
  return transformersInit(std, { Attention: towards, MLP: towards });
}

function block({ n_embd: width, n_head, n_inner, multi_query, add_cross_attention }: Config): Module {
  const inner = n_inner ?? 4 * width;
  const keys = multi_query ? width / n_head : width;
  const square = () => linear(width, width);
  const crossattention = container('Attention', {
    c_attn: linear(width, 2 * width),
    q_attn: square(),
    c_proj: square(),
  });
  return container('Block', {
    ln_1: layerNorm(width),
    attn: container('Attention', { c_attn: linear(width, width + 2 * keys), c_proj: square() }),
    ln_2: layerNorm(width),
    ...(add_cross_attention && { crossattention, ln_cross_attn: layerNorm(width) }),
    mlp: container('MLP', { c_fc: linear(width, inner), c_proj: linear(inner, width) }),
  });
}

const body = (config: Config): Module => gptBody(config, () => block(config), rule(config));

const width = ({ n_embd }: Config) => n_embd;
const { causalLm, sequences, tokens } = headsOf({ body, rule, width, name: 'transformer', embedding: 'wte' });

/** SantaCoder and StarCoder (Li et al. 2023): GPT-2 with linear layers and one head of keys and values. */
export const gptBigcode = defineArchitecture({
  model_type: 'gpt_bigcode',
  config,
  prepare: gptAliases,
  classes: {
    GPTBigCodeForCausalLM: causalLm,
    GPTBigCodeModel: body,
    GPTBigCodeForSequenceClassification: sequences,
    GPTBigCodeForTokenClassification: tokens,
  },
});
