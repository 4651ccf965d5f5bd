// What certain keys of a config.json may hold, in transformers 5.18; a test compares with what test/fixtures/models/record_fields.py records.

/** The names of activations. */
export const activations: readonly string[] =
  'gelu gelu_10 gelu_accurate gelu_fast gelu_new gelu_python gelu_python_tanh gelu_pytorch_tanh hardswish laplace leaky_relu linear mish prelu quick_gelu relu relu2 relu6 sigmoid silu sqrtsoftplus swish tanh xielu'.split(
    ' ',
  );

/** What `layer_types` may hold. */
export const layerTypes: readonly string[] =
  'full_attention sliding_attention chunked_attention window_attention indexed_attention compressed_sparse_attention heavily_compressed_attention minimax_m3_sparse conv moe hybrid hybrid_sliding linear_attention sparse dense'.split(
    ' ',
  );

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
