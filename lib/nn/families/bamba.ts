import { z } from 'zod';
import { rmsNorm } from '../modules/index.js';
import { defineArchitecture, flag, paddingFits, size } from './architecture.js';
import { attention, decoderFamily, decoderKeys, gatedMlp } from './decoder.js';
import { mixer2 } from './mamba.js';

const defaults = {
  vocab_size: 128000,
  hidden_size: 4096,
  intermediate_size: 14336,
  num_hidden_layers: 32,
  num_attention_heads: 32,
  pad_token_id: 0,
  tie_word_embeddings: false,
};

/** Null is false. */
const maybe = (initial: boolean) => flag().nullable().default(initial);

const config = z
  .looseObject({
    ...decoderKeys(defaults),
    num_key_value_heads: size().nullable().default(8),
    head_dim: size().optional(),
    attn_layer_indices: z.array(z.int({ error: 'a whole number' }), { error: 'an array of whole numbers' }).nullish(),
    mamba_n_heads: size().default(128),
    mamba_d_head: z.union([size(), z.literal('auto')], { error: "a whole number ≥ 1, or 'auto'" }).default('auto'),
    mamba_n_groups: size().default(1),
    mamba_d_state: size().default(256),
    mamba_d_conv: size().default(4),
    mamba_expand: size().default(2),
    mamba_conv_bias: maybe(true),
    mamba_proj_bias: maybe(false),
    attention_bias: flag().default(false),
    mlp_bias: flag().default(false),
  })
  .refine(...paddingFits)
  .refine(
    ({ hidden_size, num_attention_heads, num_hidden_layers, ...given }) =>
      given.head_dim !== undefined ||
      hidden_size >= num_attention_heads ||
      !given.attn_layer_indices?.some((index) => index >= 0 && index < num_hidden_layers),
    { path: ['hidden_size'], error: 'at least num_attention_heads, or a head_dim' },
  )
  .refine(
    ({ hidden_size, mamba_expand, mamba_n_heads: heads, mamba_d_head: width }) => {
      const inner = mamba_expand * hidden_size;
      return width === 'auto' ? inner % heads === 0 : inner === heads * width;
    },
    { path: ['mamba_n_heads'], error: 'mamba_expand · hidden_size / mamba_d_head' },
  );

type Config = z.output<typeof config>;

function mixer({ hidden_size: width, mamba_expand, mamba_n_heads: heads, ...config }: Config) {
  const sizes = { groups: config.mamba_n_groups, state: config.mamba_d_state, kernel: config.mamba_d_conv };
  const biases = [config.mamba_proj_bias ?? false, config.mamba_conv_bias ?? false] as const;
  return mixer2({ ...sizes, width, inner: mamba_expand * width, heads }, ...biases);
}

/** Bamba (IBM, Princeton, CMU and UIUC 2024): Mamba-2's mixers, attention in a few layers: N(0, initializer_range²), convolutions too. */
export const bamba = defineArchitecture<Config>({
  model_type: 'bamba',
  config,
  classes: decoderFamily<Config>(
    'Bamba',
    {
      layer: (config, index) => ({
        feed_forward: gatedMlp(config, config.mlp_bias),
        input_layernorm: rmsNorm(config.hidden_size),
        pre_ff_layernorm: rmsNorm(config.hidden_size),
        ...(config.attn_layer_indices?.includes(index)
          ? { self_attn: attention(config, { bias: config.attention_bias }) }
          : { mamba: mixer(config) }),
      }),
      norm: rmsNorm,
      normName: 'final_layernorm',
      rules: () => ({ Mixer: () => ({ dt_bias: 'ones', A_log: 'log_arange', D: 'ones' }) }),
    },
    { sequences: false, tokens: false },
  ),
});
