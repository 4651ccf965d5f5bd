import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, labelCount, labels, layers, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { pair } from './vit-layers.js';

const config = z
  .looseObject({
    ...labels,
    num_channels: size().default(3),
    patch_size: pair.default([4, 4]),
    num_stages: size().default(4),
    hidden_sizes: z.array(size()).min(1).default([96, 192, 384, 768]),
    depths: z.array(layers()).default([3, 3, 9, 3]),
    initializer_range: std().default(0.02),
    layer_scale_init_value: z.number({ error: 'a finite number' }).default(1e-6),
  })
  .refine(({ num_stages, hidden_sizes, depths }) => num_stages <= hidden_sizes.length && num_stages <= depths.length, {
    path: ['num_stages'],
    error: 'at most as many as hidden_sizes and depths name',
  });

type Config = z.output<typeof config>;

function rule({ initializer_range, layer_scale_init_value: val }: Config) {
  return transformersInit(initializer_range, {
    ScaledLayer: () => ({ layer_scale_parameter: { init: 'constant', val } }),
    ResponseNorm: () => ({ weight: 'zeros', bias: 'zeros' }),
  });
}

/** Norms of each channel's response over the whole image. */
const responseNorm = (width: number): Module => ({
  kind: 'ResponseNorm',
  own: { weight: parameter([1, 1, 1, width], 'zeros'), bias: parameter([1, 1, 1, width], 'zeros') },
});

function layer(width: number, scale: number, second: boolean): Module {
  return {
    kind: scale > 0 ? 'ScaledLayer' : 'Layer',
    own: scale > 0 ? { layer_scale_parameter: parameter([width]) } : {},
    children: {
      dwconv: conv2d(width, width, [7, 7], true, width),
      layernorm: layerNorm(width),
      pwconv1: linear(width, 4 * width),
      ...(second && { grn: responseNorm(4 * width) }),
      pwconv2: linear(4 * width, width),
    },
  };
}

function body(config: Config, second = false): Module {
  const { hidden_sizes: widths, depths, num_channels, patch_size, num_stages, layer_scale_init_value } = config;
  const [first = 1] = widths;
  const stage = (index: number) => {
    const width = widths[index] ?? first;
    const before = widths[index - 1] ?? first;
    const down = index === 0 ? [] : [layerNorm(before), conv2d(before, width, [2, 2])];
    return container('Stage', {
      downsampling_layer: container('ModuleList', down),
      layers: repeat(depths[index] ?? 0, () => layer(width, second ? 0 : layer_scale_init_value, second)),
    });
  };
  const children = {
    embeddings: container('Embeddings', {
      patch_embeddings: conv2d(num_channels, first, patch_size),
      layernorm: layerNorm(first),
    }),
    encoder: container('Encoder', { stages: repeat(num_stages, stage) }, { initialize: rule(config) }),
    layernorm: layerNorm(widths.at(-1) ?? first),
  };
  return container('ConvNextModel', children, { initialize: rule(config) });
}

function family(model_type: string, name: string, second: boolean) {
  return defineArchitecture({
    model_type,
    config,
    classes: {
      [`${name}ForImageClassification`]: (config) => {
        const classes = labelCount(config);
        const head = classes === 0 ? {} : { classifier: linear(config.hidden_sizes.at(-1) ?? 1, classes) };
        return headed({ [model_type]: body(config, second) }, head, rule(config));
      },
      [`${name}Model`]: (config) => body(config, second),
    },
  });
}

/** ConvNeXt (Liu et al. 2022): N(0, initializer_range²), layers scaled from 10⁻⁶. */
export const convnext = family('convnext', 'ConvNext', false);

/** ConvNeXt V2 (Woo et al. 2023): norms of responses, which begin as 0, in place of scales. */
export const convnextV2 = family('convnextv2', 'ConvNextV2', true);
