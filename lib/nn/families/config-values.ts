// What certain keys of a config.json may hold, in transformers 5.18; a test compares with what test/fixtures/models/record_fields.py records.

/** The names of activations. */
export const activations: readonly string[] =
  'gelu gelu_10 gelu_accurate gelu_fast gelu_new gelu_python gelu_python_tanh gelu_pytorch_tanh hardswish laplace leaky_relu linear mish prelu quick_gelu relu relu2 relu6 sigmoid silu sqrtsoftplus swish tanh xielu'.split(
    ' ',
  );

/** What `layer_types` may hold. */
export const layerTypes: readonly string[] =
  'full_attention sliding_attention chunked_attention window_attention indexed_attention compressed_sparse_attention heavily_compressed_attention minimax_m3_sparse conv moe hybrid hybrid_sliding linear_attention'.split(
    ' ',
  );

/** What `mlp_layer_types` may hold. */
export const mlpLayerTypes: readonly string[] = ['sparse', 'dense'];

/** What older versions of transformers called kinds of layers in `layer_types`. */
export const formerLayerTypes: Readonly<Record<string, string>> = {
  mamba: 'linear_attention',
  attention: 'full_attention',
  deepseek_sparse_attention: 'indexed_attention',
  qwen_sparse_attention: 'indexed_attention',
};

/** A list of kinds of layers with the names of today; anything else as it is. */
export function renamedLayerTypes(types: unknown): unknown {
  const renamed = (type: unknown): unknown =>
    typeof type === 'string' && Object.hasOwn(formerLayerTypes, type) ? formerLayerTypes[type] : type;
  return Array.isArray(types) ? types.map(renamed) : types;
}

/** A config with the names of today for kinds of layers. */
export function withLayerTypes(config: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const { layer_types } = config;
  return layer_types === undefined ? config : { ...config, layer_types: renamedLayerTypes(layer_types) };
}

/** The kinds of rotary positions, and what each must have beside its name. */
export const ropeTypes: Readonly<Record<string, readonly string[]>> = {
  default: [],
  dynamic: ['factor'],
  linear: ['factor'],
  llama3: ['factor', 'low_freq_factor', 'high_freq_factor'],
  longrope: ['short_factor', 'long_factor'],
  proportional: [],
  yarn: ['factor'],
};

/** The keys that config classes compute, and fail on where a config has them, null too: of all families under '*', and of some. */
export const computedKeys: Readonly<Record<string, readonly string[]>> = {
  '*': ['is_heterogeneous', 'per_layer_attributes', 'use_return_dict'],
  falcon: ['head_dim', 'rotary'],
  wav2vec2: ['inputs_to_logits_ratio'],
  jamba: ['layer_types', 'layers_block_type', 'layers_num_experts'],
  mamba: ['layer_types'],
  mamba2: ['layer_types'],
  bamba: ['layer_types', 'layers_block_type'],
  hubert: ['inputs_to_logits_ratio'],
  wavlm: ['inputs_to_logits_ratio'],
};

/** The families whose models for generation read an encoder's vectors: the decoders of an `encoder-decoder`. */
export const encoderReaders: readonly string[] =
  'bart bert blenderbot blenderbot-small camembert data2vec-text electra ernie gpt2 gpt_bigcode marian mbart pegasus roberta roberta-prelayernorm trocr xlm-roberta'.split(
    ' ',
  );

/** Families whose models compute with a head_dim that their config classes do not declare. */
export const headDimReaders: readonly string[] =
  'audio-spectrogram-transformer bamba beit bitnet cohere cohere2 deit dinov2 dinov2_with_registers exaone4 glm4_moe granite granitemoe granitemoeshared jamba lfm2 olmo olmo2 olmo3 olmoe phi phi3 phimoe qwen2 qwen2_moe qwen3_moe smollm3 starcoder2 vit'.split(
    ' ',
  );
