import { z } from 'zod';
import type { ModelTensor } from '../flatten.js';
import { container, type Module, parameter, type Rule, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labelCount, size } from './architecture.js';
import { gatedMlp } from './decoder.js';
import { headed, transformersInit } from './transformers.js';
import { imageConfig, pair, patchCount, vitAttention, vitMlp, vitNames } from './vit-layers.js';

const keys = {
  mlp_ratio: size().default(4),
  layerscale_value: z.number({ error: 'a finite number' }).default(1),
  use_swiglu_ffn: flag().default(false),
};

/** How many, none included. */
const count = () => z.int({ error: 'a whole number ≥ 0' }).min(0);

const config = imageConfig({ ...keys, patch_size: pair.default([14, 14]), use_mask_token: flag().default(true) });
const registersConfig = imageConfig({
  ...keys,
  num_register_tokens: count().default(4),
  use_mask_token: z
    .unknown()
    .optional()
    .transform(() => true),
});

/** Of both. */
type Config = z.output<typeof config> & { readonly num_register_tokens?: number };

/** DINO's rule: what transformers does, and truncated over it; scales of layers; and what the family gives its embeddings. */
export function dinoInit(std: number, scale: number, embeddings: Rule): Rule {
  const normal = { init: 'normal', std } as const;
  const truncated = { init: 'trunc_normal', std } as const;
  const both: Rule = ({ own }) => ({ weight: [normal, truncated], ...(own?.bias && { bias: 'zeros' }) });
  return transformersInit(std, {
    Linear: both,
    Conv2d: both,
    Embeddings: embeddings,
    LayerScale: () => ({ lambda1: { init: 'constant', val: scale } }),
  });
}

/** What a layer's output is multiplied by, for each feature. */
export const layerScale = (width: number): Module => ({ kind: 'LayerScale', own: { lambda1: parameter([width]) } });

function rule({ initializer_range: std, layerscale_value }: Config): Rule {
  const truncated = { init: 'trunc_normal', std } as const;
  return dinoInit(std, layerscale_value, ({ own }) => ({
    position_embeddings: truncated,
    cls_token: truncated,
    ...(own?.mask_token && { mask_token: 'zeros' }),
    ...(own?.register_tokens && { register_tokens: 'zeros' }),
  }));
}

function embeddings(config: Config): Module {
  const { hidden_size: width, num_channels, patch_size, use_mask_token, num_register_tokens } = config;
  return {
    kind: 'Embeddings',
    own: {
      cls_token: parameter([1, 1, width], 'zeros'),
      ...(use_mask_token && { mask_token: parameter([1, width], 'zeros') }),
      position_embeddings: parameter([1, patchCount(config) + 1, width], 'normal'),
      ...(num_register_tokens !== undefined && {
        register_tokens: parameter([1, num_register_tokens, width], 'zeros'),
      }),
    },
    children: {
      patch_embeddings: container('PatchEmbeddings', { projection: conv2d(num_channels, width, patch_size) }),
    },
    construction: ['cls_token', 'mask_token', 'patch_embeddings', 'position_embeddings', 'register_tokens'],
  };
}

/** SwiGLU: two thirds as wide, in eights. */
function swiglu(hidden_size: number, outer: number): Module {
  return gatedMlp({ hidden_size, intermediate_size: Math.ceil(Math.trunc((outer * 2) / 3) / 8) * 8 }, true);
}

/** The gate and what it opens are saved as one, in the gate's place. */
function joinGates({ name, shape: [rows = 0, ...others], ...tensor }: ModelTensor): ModelTensor[] | undefined {
  if (/\.mlp\.up_proj\./.test(name)) return [];
  if (!/\.mlp\.gate_proj\./.test(name)) return undefined;
  const joinOf = [name, name.replace('.gate_proj.', '.up_proj.')];
  return [{ ...tensor, name: name.replace('.gate_proj.', '.weights_in.'), shape: [2 * rows, ...others], joinOf }];
}

function layer(config: Config): Module {
  const { hidden_size: width, mlp_ratio, use_swiglu_ffn } = config;
  return container('Layer', {
    norm1: layerNorm(width),
    attention: vitAttention(config),
    layer_scale1: layerScale(width),
    norm2: layerNorm(width),
    mlp: (use_swiglu_ffn ? swiglu : vitMlp)(width, width * mlp_ratio),
    layer_scale2: layerScale(width),
  });
}

function body(config: Config): Module {
  const layers = { layer: repeat(config.num_hidden_layers, () => layer(config)) };
  const children = {
    embeddings: embeddings(config),
    encoder: container('Encoder', layers, { initialize: rule(config) }),
    layernorm: layerNorm(config.hidden_size),
  };
  return container('Dinov2Model', children, { initialize: rule(config) });
}

function family<C extends Config>(model_type: string, name: string, config: z.ZodType<C>) {
  return defineArchitecture<C>({
    model_type,
    config,
    classes: {
      [`${name}ForImageClassification`]: (config) => {
        const classes = labelCount(config);
        const head = classes === 0 ? {} : { classifier: linear(2 * config.hidden_size, classes) };
        return headed({ [model_type]: body(config) }, head, rule(config));
      },
      [`${name}Model`]: body,
    },
    saved: {
      rename: [
        ...vitNames.rename.filter(([pattern]) => pattern.source.includes('_proj')),
        [/\.mlp\.down_proj\./, '.mlp.weights_out.'],
      ],
      split: joinGates,
    },
  });
}

/** DINOv2 (Oquab et al. 2023): N(0, initializer_range²) truncated at ±2, layers scaled from `layerscale_value`. */
export const dinov2 = family('dinov2', 'Dinov2', config);

/** DINOv2 with registers (Darcet et al. 2023), tokens that begin as 0. */
export const dinov2Registers = family('dinov2_with_registers', 'Dinov2WithRegisters', registersConfig);
