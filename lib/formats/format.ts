/** What `--format` knows. */
export const formats = ['safetensors', 'npy', 'raw'] as const;
export type Format = (typeof formats)[number];
