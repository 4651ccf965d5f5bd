import { z } from 'zod';
import { define_architecture, flag, size, std } from './architecture.js';

/** Hugging Face names some keys twice (`attribute_map`): the general name stands for GPT-2's own. */
const aliases = {
  hidden_size: 'n_embd',
  max_position_embeddings: 'n_positions',
  num_attention_heads: 'n_head',
  num_hidden_layers: 'n_layer',
} as const;

function without_aliases(config: unknown): unknown {
  if (typeof config !== 'object' || config === null) return config;
  const given = new Map(Object.entries(config));
  for (const [alias, name] of Object.entries(aliases)) {
    if (given.has(alias) && !given.has(name)) given.set(name, given.get(alias));
  }
  return Object.fromEntries(given);
}

// The defaults are those of transformers' GPT2Config: the 124M model.
const config = z
  .looseObject({
    vocab_size: size().default(50257),
    n_positions: size().default(1024),
    n_embd: size().default(768),
    n_layer: size(undefined, 100_000).default(12),
    n_head: size().default(12),
    n_inner: size('a whole number ≥ 1, or null').nullish(),
    initializer_range: std().default(0.02),
    tie_word_embeddings: flag().default(true),
    add_cross_attention: z.literal(false, { error: 'false: cross-attention is not supported' }).default(false),
  })
  .refine(({ n_embd, n_head }) => n_embd % n_head === 0, { path: ['n_embd'], error: 'a multiple of n_head' });

/**
 * GPT-2 (Radford et al. 2019) as transformers' GPT2LMHeadModel: N(0, initializer_range²), biases 0, norms 1 and 0, and the
 * two projections back into the residual stream (`c_proj`) scaled by 1 / sqrt(2 · n_layer). Conv1D weights are (in, out).
 *
 * transformers 5.18, models/gpt2/modeling_gpt2.py, `_init_weights`. Versions before July 2026 lose the scaling
 * (huggingface/transformers#47458).
 */
export const gpt2 = define_architecture({
  model_type: 'gpt2',
  model_class: 'GPT2LMHeadModel',
  config: z.preprocess(without_aliases, config) as z.ZodType<z.output<typeof config>>,
  *tensors({ vocab_size, n_positions, n_embd, n_layer, n_inner, initializer_range, tie_word_embeddings }) {
    const inner = n_inner ?? 4 * n_embd;
    const normal = { init: 'normal', std: initializer_range } as const;
    const residual = { init: 'normal', std: initializer_range / Math.sqrt(2 * n_layer) } as const;

    yield ['transformer.wte.weight', [vocab_size, n_embd], normal];
    yield ['transformer.wpe.weight', [n_positions, n_embd], normal];
    for (let layer = 0; layer < n_layer; layer++) {
      const h = `transformer.h.${layer}`;
      yield [`${h}.ln_1.weight`, [n_embd], 'ones'];
      yield [`${h}.ln_1.bias`, [n_embd], 'zeros'];
      yield [`${h}.attn.c_attn.weight`, [n_embd, 3 * n_embd], normal];
      yield [`${h}.attn.c_attn.bias`, [3 * n_embd], 'zeros'];
      yield [`${h}.attn.c_proj.weight`, [n_embd, n_embd], residual];
      yield [`${h}.attn.c_proj.bias`, [n_embd], 'zeros'];
      yield [`${h}.ln_2.weight`, [n_embd], 'ones'];
      yield [`${h}.ln_2.bias`, [n_embd], 'zeros'];
      yield [`${h}.mlp.c_fc.weight`, [n_embd, inner], normal];
      yield [`${h}.mlp.c_fc.bias`, [inner], 'zeros'];
      yield [`${h}.mlp.c_proj.weight`, [inner, n_embd], residual];
      yield [`${h}.mlp.c_proj.bias`, [n_embd], 'zeros'];
    }
    yield ['transformer.ln_f.weight', [n_embd], 'ones'];
    yield ['transformer.ln_f.bias', [n_embd], 'zeros'];
    if (!tie_word_embeddings) yield ['lm_head.weight', [vocab_size, n_embd], normal];
  },
});
