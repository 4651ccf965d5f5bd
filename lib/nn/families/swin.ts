import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { aliases, defineArchitecture, flag, labelCount, labels, layers, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { pair, patchCount, patchesFit, vitMlp } from './vit-layers.js';

const config = z
  .looseObject({
    ...labels,
    image_size: pair.default([224, 224]),
    patch_size: pair.default([4, 4]),
    num_channels: size().default(3),
    embed_dim: size().default(96),
    depths: z.array(layers()).min(1).max(20).default([2, 2, 6, 2]),
    num_heads: z.array(size()).default([3, 6, 12, 24]),
    window_size: size().default(7),
    mlp_ratio: z.number({ error: 'a finite number > 0' }).positive().default(4),
    qkv_bias: flag().default(true),
    use_absolute_embeddings: flag().default(false),
    initializer_range: std().default(0.02),
    encoder_stride: size().default(32),
  })
  .refine(...patchesFit)
  .refine(({ depths, num_heads }) => num_heads.length >= depths.length, {
    path: ['num_heads'],
    error: 'a number for each of depths',
  });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, {
    Embeddings: ({ own = {} }) => Object.fromEntries(Object.keys(own).map((name) => [name, 'zeros' as const])),
    RelativePositionBias: () => ({ relative_position_bias_table: 'zeros' }),
  });

const widthOf = ({ embed_dim, depths }: Config, stage = depths.length - 1): number => embed_dim * 2 ** stage;

function layer({ window_size, mlp_ratio, qkv_bias }: Config, width: number, heads: number): Module {
  const square = (bias: boolean) => linear(width, width, bias);
  const relative_position_bias_table = parameter([(2 * window_size - 1) ** 2, heads], 'zeros');
  return container('Layer', {
    attention: container('Attention', {
      q_proj: square(qkv_bias),
      k_proj: square(qkv_bias),
      v_proj: square(qkv_bias),
      o_proj: square(true),
      relative_position_bias: { kind: 'RelativePositionBias', own: { relative_position_bias_table } },
    }),
    layernorm_before: layerNorm(width),
    layernorm_after: layerNorm(width),
    mlp: vitMlp(width, Math.trunc(mlp_ratio * width)),
  });
}

function encoder(config: Config): Module {
  const { depths, num_heads } = config;
  const stage = (index: number) => {
    const width = widthOf(config, index);
    const merging = () =>
      container('PatchMerging', { reduction: linear(4 * width, 2 * width, false), norm: layerNorm(4 * width) });
    return container('Stage', {
      blocks: repeat(depths[index] ?? 0, () => layer(config, width, num_heads[index] ?? 1)),
      ...(index < depths.length - 1 && { downsample: merging() }),
    });
  };
  return container('Encoder', { layers: repeat(depths.length, stage) }, { initialize: rule(config) });
}

function body(config: Config, { mask = false } = {}): Module {
  const { embed_dim: width, num_channels, patch_size, use_absolute_embeddings } = config;
  const embeddings: Module = {
    kind: 'Embeddings',
    own: {
      ...(mask && { mask_token: parameter([1, 1, width], 'zeros') }),
      ...(use_absolute_embeddings && { position_embeddings: parameter([1, patchCount(config), width], 'zeros') }),
    },
    children: {
      patch_embeddings: container('PatchEmbeddings', { projection: conv2d(num_channels, width, patch_size) }),
      norm: layerNorm(width),
    },
  };
  const children = { embeddings, encoder: encoder(config), layernorm: layerNorm(widthOf(config)) };
  return container('SwinModel', children, { initialize: rule(config) });
}

/** Swin (Liu et al. 2021): N(0, initializer_range²), biases by distance 0. */
export const swin = defineArchitecture({
  model_type: 'swin',
  config,
  prepare: aliases({ num_attention_heads: 'num_heads' }),
  classes: {
    SwinForImageClassification: (config) => {
      const classes = labelCount(config);
      const head = classes === 0 ? {} : { classifier: linear(widthOf(config), classes) };
      return headed({ swin: body(config) }, head, rule(config));
    },
    SwinModel: (config) => body(config),
    SwinForMaskedImageModeling: (config) => {
      const decoder = conv2d(widthOf(config), config.encoder_stride ** 2 * config.num_channels, [1, 1]);
      const head = { decoder: container('Sequential', [decoder]) };
      return headed({ swin: body(config, { mask: true }) }, head, rule(config));
    },
  },
  saved: {
    rename: [
      [/\.q_proj\./, '.self.query.'],
      [/\.k_proj\./, '.self.key.'],
      [/\.v_proj\./, '.self.value.'],
      [/\.relative_position_bias\.(?=relative_position_bias_table)/, '.self.'],
      [/\.o_proj\./, '.output.dense.'],
      [/\.mlp\.fc1\./, '.intermediate.dense.'],
      [/\.mlp\.fc2\./, '.output.dense.'],
    ],
  },
});
