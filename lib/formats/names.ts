/** The formats of checkpoints: safetensors files, or a `.npy` or raw file for each tensor. */
export const formats = ['safetensors', 'npy', 'raw'] as const;
export type Format = (typeof formats)[number];
