import { byKind, container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { distances, relativePositionIndex } from './windows.js';

const truncated = { init: 'trunc_normal', std: 0.02 } as const;
const window = 7;

function attention(width: number, heads: number): Module {
  return {
    kind: 'ShiftedWindowAttention',
    own: {
      relative_position_bias_table: parameter([distances(window), heads], truncated),
      relative_position_index: relativePositionIndex(window, [window ** 4]),
    },
    children: { qkv: linear(width, 3 * width), proj: linear(width, width) },
    construction: ['qkv', 'proj', 'relative_position_bias_table', 'relative_position_index'],
  };
}

/** A block initializes its MLP when it is made, and the whole does that once more. */
function block(width: number, heads: number): Module {
  const xavier = byKind({ Linear: () => ({ weight: 'xavier_uniform', bias: { init: 'normal', std: 1e-6 } }) });
  const mlp = { 0: linear(width, 4 * width), 3: linear(4 * width, width) };
  return container('SwinTransformerBlock', {
    norm1: layerNorm(width),
    attn: attention(width, heads),
    norm2: layerNorm(width),
    mlp: container('MLP', mlp, { initialize: xavier, again: true }),
  });
}

function swin(width: number, depths: readonly number[], heads: readonly number[]): Module {
  const features: Module[] = [container('Sequential', { 0: conv2d(3, width, [4, 4]), 2: layerNorm(width) })];
  for (const [stage, depth] of depths.entries()) {
    const inner = width * 2 ** stage;
    if (stage > 0) {
      const merging = { reduction: linear(2 * inner, inner, false), norm: layerNorm(2 * inner) };
      features.push(container('PatchMerging', merging));
    }
    features.push(repeat(depth, () => block(inner, heads[stage] ?? 1)));
  }
  const last = width * 2 ** (depths.length - 1);
  const children = { features: container('Sequential', features), norm: layerNorm(last), head: linear(last, 1000) };
  const initialize = byKind({
    Linear: ({ own }) => ({ weight: truncated, ...(own?.bias !== undefined && { bias: 'zeros' }) }),
  });
  return container('SwinTransformer', children, { initialize });
}

/** Swin (Liu et al. 2021) as torchvision has it: N(0, 0.02²) within ±2, biases 0, the patches' convolution U(±1/√fan_in). */
export const swins: Readonly<Record<string, () => Module>> = {
  swin_t: () => swin(96, [2, 2, 6, 2], [3, 6, 12, 24]),
  swin_s: () => swin(96, [2, 2, 18, 2], [3, 6, 12, 24]),
  swin_b: () => swin(128, [2, 2, 18, 2], [4, 8, 16, 32]),
};
