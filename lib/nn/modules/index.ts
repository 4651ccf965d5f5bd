/** The modules of `torch.nn` that models are made of. */
export { multiheadAttention } from './attention.js';
export { conv1d, conv2d, conv3d } from './convolution.js';
export { embedding } from './embedding.js';
export { linear } from './linear.js';
export { batchNorm, layerNorm, rmsNorm } from './normalization.js';
