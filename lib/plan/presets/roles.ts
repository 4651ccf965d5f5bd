/** What a tensor does in a model, as far as its name and rank tell. */
export interface Role {
  readonly doc: string;
  /** Globs over names: those of models on the Hub, of torchvision, Megatron-LM and torchtitan. Empty where there is no convention. */
  readonly globs: readonly string[];
  /** Dimensions, at least. */
  readonly minRank?: number;
  /** Dimensions, at most. */
  readonly maxRank?: number;
}

/** `*.NAME.weight` for each name. */
function weights(...names: string[]): string[] {
  return names.map((name) => `*.${name}.weight`);
}

/** The same, also where the name has nothing before it. */
function anywhere(...names: string[]): string[] {
  return [...weights(...names), ...names.map((name) => `${name}.weight`)];
}

/**
 * The roles that presets and `--like` speak of. A recipe may give a role other globs; its ranks stay.
 *
 * Weights are taken to be (out, in, …) where a formula needs fans: GPT-2's Conv1D, (in, out), is not.
 */
export const roles = {
  matrix: { doc: 'everything with two or more dimensions', globs: ['*'], minRank: 2 },
  norm: {
    doc: 'weights of normalizations',
    globs: [
      ...['*norm*.weight', '*Norm*.weight', '*norm*.gamma', '*Norm*.gamma', '*norm*.scale'],
      ...[
        '*.ln*.weight',
        'ln*.weight',
        '*_ln.weight',
        '*.bn*.weight',
        'bn*.weight',
        '*.downsample.1.weight',
        '*_norm',
        '*_norm_weight',
      ],
      ...anywhere('layer_norm', 'ln_f', 'bn'),
    ],
    maxRank: 1,
  },
  bias: {
    doc: 'biases, those of normalizations too',
    globs: ['*.bias', 'bias', '*_bias', '*.bias_*', '*.beta', 'bias_*', '*.bias?', '*.bias??'],
    maxRank: 1,
  },
  embedding: {
    doc: 'embeddings of tokens',
    globs: anywhere(
      'embed_tokens',
      'wte',
      'tok_embeddings',
      'word_embeddings',
      'embed_in',
      'token_embedding',
      'tok_emb',
      'shared',
    ),
    minRank: 2,
  },
  position: {
    doc: 'learned positions',
    globs: ['*wpe.weight', '*position_embedding*', '*pos_embed*', '*embed_positions.weight', '*pos_emb*'],
    minRank: 2,
  },
  head: {
    doc: 'the last layer, onto the vocabulary or the classes',
    globs: [
      ...anywhere('lm_head', 'embed_out', 'output_layer', 'classifier', 'score'),
      'output.weight',
      'head.weight',
      'fc.weight',
    ],
    minRank: 2,
  },
  query: {
    doc: 'projections to queries',
    globs: weights('q_proj', 'wq', 'query', 'query_proj', 'q_lin', 'SelfAttention.q', 'EncDecAttention.q'),
    minRank: 2,
  },
  key: {
    doc: 'projections to keys',
    globs: weights('k_proj', 'wk', 'key', 'key_proj', 'k_lin', 'SelfAttention.k', 'EncDecAttention.k'),
    minRank: 2,
  },
  value: {
    doc: 'projections to values',
    globs: weights('v_proj', 'wv', 'value', 'value_proj', 'v_lin', 'SelfAttention.v', 'EncDecAttention.v'),
    minRank: 2,
  },
  fused: {
    doc: 'queries, keys and values in one tensor',
    globs: [
      ...weights('c_attn', 'query_key_value', 'qkv_proj', 'qkv', 'Wqkv', 'linear_qkv', 'in_proj'),
      '*.in_proj_weight',
      'in_proj_weight',
    ],
    minRank: 2,
  },
  attention_out: {
    doc: 'what leads out of attention, into the residual stream',
    globs: [
      ...weights(
        'o_proj',
        'out_proj',
        'out_lin',
        'attn.c_proj',
        'attn.proj',
        'attention.wo',
        'attn.wo',
        'attention.dense',
      ),
      ...weights(
        'self_attention.dense',
        'attention.output.dense',
        'linear_proj',
        'SelfAttention.o',
        'EncDecAttention.o',
      ),
    ],
    minRank: 2,
  },
  mlp_in: {
    doc: 'what leads into a feed-forward layer',
    globs: weights(
      'up_proj',
      'fc1',
      'c_fc',
      'w3',
      'dense_h_to_4h',
      'intermediate.dense',
      'linear1',
      'linear_fc1',
      'wi',
      'wi_1',
      'lin1',
    ),
    minRank: 2,
  },
  mlp_gate: { doc: 'the gates of feed-forward layers', globs: weights('gate_proj', 'w1', 'wi_0'), minRank: 2 },
  mlp_out: {
    doc: 'what leads out of a feed-forward layer, into the residual stream',
    globs: [
      ...weights(
        'down_proj',
        'fc2',
        'mlp.c_proj',
        'w2',
        'dense_4h_to_h',
        'linear2',
        'linear_fc2',
        'DenseReluDense.wo',
        'lin2',
      ),
      '*[0-9].output.dense.weight',
    ],
    minRank: 2,
  },
  router: {
    doc: 'routers of mixtures of experts',
    globs: weights('gate', 'router', 'router.classifier', 'router.layer', 'router.proj'),
    minRank: 2,
  },
  experts_out: {
    doc: "what leads out of a layer's experts, in one tensor",
    globs: ['*.experts.down_proj', '*.block_sparse_moe.output_linear.weight'],
    minRank: 3,
  },
  convolution: { doc: 'weights of convolutions', globs: ['*'], minRank: 3 },
  branch: { doc: 'convolutions in residual branches', globs: weights('conv1', 'conv2', 'conv3'), minRank: 3 },
  branch_last: { doc: 'the last convolution of each residual branch', globs: [], minRank: 3 },
  scale: { doc: "Fixup's multipliers", globs: ['*.scale', 'scale'], maxRank: 1 },
  first: { doc: 'the weight of the first layer', globs: [], minRank: 2 },
} as const satisfies Readonly<Record<string, Role>>;

export type RoleName = keyof typeof roles;

export const roleNames = Object.keys(roles) as RoleName[];
