import { z } from 'zod';
import { container, type Module, repeat } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, headsDivide, headsRotate, paddingFits, size } from './architecture.js';
import { decoderFamily, decoderKeys, gatedMlp } from './decoder.js';

const config = z
  .looseObject({
    ...decoderKeys({
      vocab_size: 50304,
      hidden_size: 2560,
      intermediate_size: 6912,
      num_hidden_layers: 32,
      num_attention_heads: 32,
      pad_token_id: null,
      tie_word_embeddings: false,
    }),
    num_key_value_heads: size().default(32),
    use_qkv_bias: flag().default(false),
    qk_layernorm: flag().default(false),
    use_parallel_residual: flag().default(false),
  })
  .refine(...headsDivide)
  .refine(...paddingFits)
  .superRefine((config, issues) => headsRotate({ ...config, head_dim: undefined }, issues));

type Config = z.output<typeof config>;

function attention(config: Config): Module {
  const { hidden_size: width, num_attention_heads: heads, num_key_value_heads: keyHeads, use_qkv_bias: bias } = config;
  const head = width / heads;
  const norms = (count: number) => container('Norms', { norms: repeat(count, () => layerNorm(head, false)) });
  return container('Attention', {
    q_proj: linear(width, width, bias),
    k_proj: linear(width, keyHeads * head, bias),
    v_proj: linear(width, keyHeads * head, bias),
    o_proj: linear(width, width, false),
    ...(config.qk_layernorm && { q_layernorm: norms(heads), k_layernorm: norms(keyHeads) }),
  });
}

/** StableLM (Bellagente et al. 2024): LayerNorm, and a norm for each head of queries and keys where qk_layernorm says so. */
export const stablelm = defineArchitecture({
  model_type: 'stablelm',
  config,
  classes: decoderFamily<Config>('StableLm', {
    layer: (config) => ({
      self_attn: attention(config),
      mlp: gatedMlp(config),
      input_layernorm: layerNorm(config.hidden_size),
      ...(!config.use_parallel_residual && { post_attention_layernorm: layerNorm(config.hidden_size) }),
    }),
    norm: layerNorm,
  }),
});
