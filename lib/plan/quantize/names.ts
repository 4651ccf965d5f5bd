/** The quantizations that have a name: the methods, and the formats of compressed-tensors. */
export const quantizationNames = [
  ...['fp8', 'mxfp4', 'gptq', 'awq', 'modelopt'],
  ...['float-quantized', 'pack-quantized', 'nvfp4-pack-quantized'],
] as const;
