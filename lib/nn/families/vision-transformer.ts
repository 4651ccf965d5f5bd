import { byKind, container, type Module, parameter } from '../module.js';
import { conv2d, layerNorm, linear, multiheadAttention } from '../modules/index.js';

/** The MLP initializes itself as soon as it is made: Xavier's weights, biases next to 0. */
function mlp(width: number, inner: number): Module {
  const rule = byKind({ Linear: () => ({ weight: 'xavier_uniform', bias: { init: 'normal', std: 1e-6 } }) });
  return container('MLPBlock', { 0: linear(width, inner), 3: linear(inner, width) }, { initialize: rule });
}

interface Sizes {
  readonly patch: number;
  readonly layers: number;
  readonly width: number;
  readonly inner: number;
}

function visionTransformer({ patch, layers, width, inner }: Sizes): Module {
  const image = 224;
  const length = (image / patch) ** 2 + 1;
  const layer = () => {
    return container('EncoderBlock', {
      ln_1: layerNorm(width),
      self_attention: multiheadAttention(width),
      ln_2: layerNorm(width),
      mlp: mlp(width, inner),
    });
  };
  const encoder: Module = {
    kind: 'Encoder',
    own: { pos_embedding: parameter([1, length, width], { init: 'normal', std: 0.02 }) },
    children: {
      layers: container(
        'Sequential',
        Object.fromEntries(Array.from({ length: layers }, (_, index) => [`encoder_layer_${index}`, layer()])),
      ),
      ln: layerNorm(width),
    },
  };
  return {
    kind: 'VisionTransformer',
    own: { class_token: parameter([1, 1, width], 'zeros') },
    children: {
      conv_proj: conv2d(3, width, [patch, patch]),
      encoder,
      heads: container('Sequential', { head: linear(width, 1000) }),
    },
    initialize: byKind({
      VisionTransformer: () => ({
        'conv_proj.weight': { init: 'trunc_normal', std: Math.sqrt(1 / (3 * patch * patch)) },
        'conv_proj.bias': 'zeros',
        'heads.head.weight': 'zeros',
        'heads.head.bias': 'zeros',
      }),
    }),
  };
}

/**
 * The Vision Transformer (Dosovitskiy et al. 2020) as torchvision has it: the patches' convolution lecun_normal truncated at ±2,
 * positions N(0, 0.02²), MLPs Xavier with biases N(0, 1e-6²), the head 0; a thousand classes of images of 224².
 */
export const visionTransformers: Readonly<Record<string, () => Module>> = {
  vit_b_16: () => visionTransformer({ patch: 16, layers: 12, width: 768, inner: 3072 }),
  vit_b_32: () => visionTransformer({ patch: 32, layers: 12, width: 768, inner: 3072 }),
  vit_l_16: () => visionTransformer({ patch: 16, layers: 24, width: 1024, inner: 4096 }),
  vit_l_32: () => visionTransformer({ patch: 32, layers: 24, width: 1024, inner: 4096 }),
  vit_h_14: () => visionTransformer({ patch: 14, layers: 32, width: 1280, inner: 5120 }),
};
