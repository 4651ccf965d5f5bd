// Configs of well-known models, by the names that people have for them: what decides their tensors, and some of how they are used. They were written
// down, not copied from the repository named first, whose config.json may have more keys; test/plan/known-models.test.ts holds most of them to
// parameter counts. Keys that have transformers' defaults are left out.

type Config = Readonly<Record<string, unknown>>;

/** A model that needs no config.json of one's own. */
export interface KnownConfig {
  /** The repository on the Hugging Face Hub whose model this is. */
  readonly source: string;
  readonly config: Config;
}

const known = (model_type: string, source: string, config: Config = {}): KnownConfig => ({
  source,
  config: { model_type, ...config },
});

const gpt2 = (source: string, nLayer: number, nEmbd: number, nHead: number) =>
  known('gpt2', source, { n_layer: nLayer, n_embd: nEmbd, n_head: nHead });

/** Encoders in the manner of BERT: layers, width, heads. */
const encoder = (type: string, source: string, layers: number, width: number, heads: number, more: Config = {}) =>
  known(type, source, {
    num_hidden_layers: layers,
    hidden_size: width,
    num_attention_heads: heads,
    intermediate_size: 4 * width,
    ...more,
  });

/** Decoders in the manner of Llama: layers, width, width inside, heads, heads of keys, words. */
const decoder = (
  type: string,
  source: string,
  [layers, width, inner, heads, keys, words]: readonly [number, number, number, number, number, number],
  more: Config,
) =>
  known(type, source, {
    num_hidden_layers: layers,
    hidden_size: width,
    intermediate_size: inner,
    num_attention_heads: heads,
    num_key_value_heads: keys,
    vocab_size: words,
    ...more,
  });

const roberta = { vocab_size: 50265, max_position_embeddings: 514, type_vocab_size: 1, layer_norm_eps: 1e-5 };
const xlmRoberta = { ...roberta, vocab_size: 250002 };
const llama2 = { rms_norm_eps: 1e-5, max_position_embeddings: 4096, dtype: 'float16' };
const llama3 = {
  rms_norm_eps: 1e-5,
  rope_theta: 500000.0,
  max_position_embeddings: 8192,
  bos_token_id: 128000,
  eos_token_id: 128001,
  dtype: 'bfloat16',
};
const llama31 = (factor: number) => ({
  ...llama3,
  max_position_embeddings: 131072,
  rope_scaling: {
    rope_type: 'llama3',
    factor,
    low_freq_factor: 1.0,
    high_freq_factor: 4.0,
    original_max_position_embeddings: 8192,
  },
});
const llama32 = { ...llama31(32), tie_word_embeddings: true };
const qwen = {
  rms_norm_eps: 1e-6,
  rope_theta: 1000000.0,
  bos_token_id: 151643,
  eos_token_id: 151643,
  dtype: 'bfloat16',
};
const qwen25 = { ...qwen, max_position_embeddings: 131072 };
const qwen25Small = { ...qwen, max_position_embeddings: 32768, tie_word_embeddings: true };
const qwen3 = { ...qwen, head_dim: 128, max_position_embeddings: 32768 };
const qwen3Small = { ...qwen3, tie_word_embeddings: true };
const smollm2 = { rms_norm_eps: 1e-5, rope_theta: 100000.0, max_position_embeddings: 8192, tie_word_embeddings: true };

const t5 = (source: string, layers: number, width: number, inner: number, heads: number) =>
  known('t5', source, {
    num_layers: layers,
    num_decoder_layers: layers,
    d_model: width,
    d_ff: inner,
    num_heads: heads,
    decoder_start_token_id: 0,
  });

const pythia = (size: string, layers: number, width: number, heads: number, words = 50304) =>
  known('gpt_neox', `EleutherAI/pythia-${size}`, {
    num_hidden_layers: layers,
    hidden_size: width,
    intermediate_size: 4 * width,
    num_attention_heads: heads,
    vocab_size: words,
    bos_token_id: 0,
    eos_token_id: 0,
    dtype: 'float16',
  });

const opt = (size: string, layers: number, width: number, heads: number) =>
  known('opt', `facebook/opt-${size}`, {
    num_hidden_layers: layers,
    hidden_size: width,
    word_embed_proj_dim: width,
    ffn_dim: 4 * width,
    num_attention_heads: heads,
    dtype: 'float16',
  });

const whisper = (size: string, layers: number, width: number, heads: number, more: Config = {}) =>
  known('whisper', `openai/whisper-${size}`, {
    encoder_layers: layers,
    decoder_layers: layers,
    d_model: width,
    encoder_attention_heads: heads,
    decoder_attention_heads: heads,
    encoder_ffn_dim: 4 * width,
    decoder_ffn_dim: 4 * width,
    pad_token_id: 50257,
    ...more,
  });

/** By name. A file of the same name in the working folder wins. */
export const knownConfigs: Readonly<Record<string, KnownConfig>> = {
  gpt2: gpt2('openai-community/gpt2', 12, 768, 12),
  'gpt2-medium': gpt2('openai-community/gpt2-medium', 24, 1024, 16),
  'gpt2-large': gpt2('openai-community/gpt2-large', 36, 1280, 20),
  'gpt2-xl': gpt2('openai-community/gpt2-xl', 48, 1600, 25),
  distilgpt2: gpt2('distilbert/distilgpt2', 6, 768, 12),
  'bert-base-uncased': encoder('bert', 'google-bert/bert-base-uncased', 12, 768, 12),
  'bert-large-uncased': encoder('bert', 'google-bert/bert-large-uncased', 24, 1024, 16),
  'bert-base-cased': encoder('bert', 'google-bert/bert-base-cased', 12, 768, 12, { vocab_size: 28996 }),
  'distilbert-base-uncased': known('distilbert', 'distilbert/distilbert-base-uncased'),
  'roberta-base': encoder('roberta', 'FacebookAI/roberta-base', 12, 768, 12, roberta),
  'roberta-large': encoder('roberta', 'FacebookAI/roberta-large', 24, 1024, 16, roberta),
  'xlm-roberta-base': encoder('xlm-roberta', 'FacebookAI/xlm-roberta-base', 12, 768, 12, xlmRoberta),
  'xlm-roberta-large': encoder('xlm-roberta', 'FacebookAI/xlm-roberta-large', 24, 1024, 16, xlmRoberta),
  'electra-small-discriminator': known('electra', 'google/electra-small-discriminator'),
  'modernbert-base': known('modernbert', 'answerdotai/ModernBERT-base'),
  't5-small': t5('google-t5/t5-small', 6, 512, 2048, 8),
  't5-base': t5('google-t5/t5-base', 12, 768, 3072, 12),
  't5-large': t5('google-t5/t5-large', 24, 1024, 4096, 16),
  'bart-base': known('bart', 'facebook/bart-base', {
    d_model: 768,
    encoder_layers: 6,
    decoder_layers: 6,
    encoder_ffn_dim: 3072,
    decoder_ffn_dim: 3072,
    encoder_attention_heads: 12,
    decoder_attention_heads: 12,
  }),
  'bart-large': known('bart', 'facebook/bart-large'),
  'vit-base-patch16-224': known('vit', 'google/vit-base-patch16-224', { num_labels: 1000 }),
  'vit-large-patch16-224': encoder('vit', 'google/vit-large-patch16-224', 24, 1024, 16, { num_labels: 1000 }),
  'clip-vit-base-patch32': known('clip', 'openai/clip-vit-base-patch32', { text_config: {}, vision_config: {} }),
  'clip-vit-large-patch14': known('clip', 'openai/clip-vit-large-patch14', {
    projection_dim: 768,
    text_config: { hidden_size: 768, intermediate_size: 3072, num_attention_heads: 12, projection_dim: 768 },
    vision_config: {
      hidden_size: 1024,
      intermediate_size: 4096,
      num_attention_heads: 16,
      num_hidden_layers: 24,
      patch_size: 14,
      projection_dim: 768,
    },
  }),
  'whisper-tiny': whisper('tiny', 4, 384, 6),
  'whisper-base': whisper('base', 6, 512, 8),
  'whisper-small': whisper('small', 12, 768, 12),
  'whisper-medium': whisper('medium', 24, 1024, 16),
  'whisper-large-v3': whisper('large-v3', 32, 1280, 20, { num_mel_bins: 128, vocab_size: 51866, pad_token_id: 50256 }),
  'llama-2-7b': decoder('llama', 'meta-llama/Llama-2-7b-hf', [32, 4096, 11008, 32, 32, 32000], llama2),
  'llama-2-13b': decoder('llama', 'meta-llama/Llama-2-13b-hf', [40, 5120, 13824, 40, 40, 32000], llama2),
  'llama-2-70b': decoder('llama', 'meta-llama/Llama-2-70b-hf', [80, 8192, 28672, 64, 8, 32000], llama2),
  'llama-3-8b': decoder('llama', 'meta-llama/Meta-Llama-3-8B', [32, 4096, 14336, 32, 8, 128256], llama3),
  'llama-3-70b': decoder('llama', 'meta-llama/Meta-Llama-3-70B', [80, 8192, 28672, 64, 8, 128256], llama3),
  'llama-3.1-8b': decoder('llama', 'meta-llama/Llama-3.1-8B', [32, 4096, 14336, 32, 8, 128256], llama31(8)),
  'llama-3.1-70b': decoder('llama', 'meta-llama/Llama-3.1-70B', [80, 8192, 28672, 64, 8, 128256], llama31(8)),
  'llama-3.1-405b': decoder('llama', 'meta-llama/Llama-3.1-405B', [126, 16384, 53248, 128, 8, 128256], llama31(8)),
  'llama-3.2-1b': decoder('llama', 'meta-llama/Llama-3.2-1B', [16, 2048, 8192, 32, 8, 128256], llama32),
  'llama-3.2-3b': decoder('llama', 'meta-llama/Llama-3.2-3B', [28, 3072, 8192, 24, 8, 128256], llama32),
  'smollm2-135m': decoder('llama', 'HuggingFaceTB/SmolLM2-135M', [30, 576, 1536, 9, 3, 49152], smollm2),
  'smollm2-360m': decoder('llama', 'HuggingFaceTB/SmolLM2-360M', [32, 960, 2560, 15, 5, 49152], smollm2),
  'mistral-7b': known('mistral', 'mistralai/Mistral-7B-v0.1', { max_position_embeddings: 32768, dtype: 'bfloat16' }),
  'mixtral-8x7b': known('mixtral', 'mistralai/Mixtral-8x7B-v0.1', {
    max_position_embeddings: 32768,
    rope_theta: 1000000.0,
    dtype: 'bfloat16',
  }),
  'qwen2.5-0.5b': decoder('qwen2', 'Qwen/Qwen2.5-0.5B', [24, 896, 4864, 14, 2, 151936], qwen25Small),
  'qwen2.5-1.5b': decoder('qwen2', 'Qwen/Qwen2.5-1.5B', [28, 1536, 8960, 12, 2, 151936], {
    ...qwen25,
    tie_word_embeddings: true,
  }),
  'qwen2.5-7b': decoder('qwen2', 'Qwen/Qwen2.5-7B', [28, 3584, 18944, 28, 4, 152064], qwen25),
  'qwen3-0.6b': decoder('qwen3', 'Qwen/Qwen3-0.6B-Base', [28, 1024, 3072, 16, 8, 151936], qwen3Small),
  'qwen3-1.7b': decoder('qwen3', 'Qwen/Qwen3-1.7B-Base', [28, 2048, 6144, 16, 8, 151936], qwen3Small),
  'qwen3-4b': decoder('qwen3', 'Qwen/Qwen3-4B-Base', [36, 2560, 9728, 32, 8, 151936], qwen3Small),
  'qwen3-8b': decoder('qwen3', 'Qwen/Qwen3-8B-Base', [36, 4096, 12288, 32, 8, 151936], qwen3),
  'pythia-70m': pythia('70m', 6, 512, 8),
  'pythia-160m': pythia('160m', 12, 768, 12),
  'pythia-410m': pythia('410m', 24, 1024, 16),
  'pythia-1.4b': pythia('1.4b', 24, 2048, 16),
  'opt-125m': opt('125m', 12, 768, 12),
  'opt-1.3b': opt('1.3b', 24, 2048, 32),
  'opt-6.7b': opt('6.7b', 32, 4096, 32),
};
