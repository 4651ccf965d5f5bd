import { container, type Module, parameter } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture } from './architecture.js';
import {
  classification,
  decoderWidth,
  embeddings,
  encoder,
  general,
  keys,
  rule,
  type SwinConfig,
  widthOf,
} from './swin-layers.js';
import { headed } from './transformers.js';
import { vitMlp } from './vit-layers.js';
import { distances } from './windows.js';

function layer({ window_size, mlp_ratio, qkv_bias }: SwinConfig, width: number, heads: number): Module {
  const square = (bias: boolean) => linear(width, width, bias);
  const relative_position_bias_table = parameter([distances(window_size), heads], 'zeros');
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

function body(config: SwinConfig, { mask = false } = {}): Module {
  const children = {
    embeddings: embeddings(config, { mask }),
    encoder: { ...encoder(config, layer), initialize: rule(config) },
    layernorm: layerNorm(widthOf(config)),
  };
  return container('SwinModel', children, { initialize: rule(config) });
}

/** Swin (Liu et al. 2021): N(0, initializer_range²), biases by distance 0. */
export const swin = defineArchitecture<SwinConfig>({
  model_type: 'swin',
  config: keys,
  prepare: general,
  classes: {
    SwinForImageClassification: (config) => classification({ swin: body(config) }, config),
    SwinModel: (config) => body(config),
    SwinForMaskedImageModeling: (config) => {
      const decoder = conv2d(decoderWidth(config), config.encoder_stride ** 2 * config.num_channels, [1, 1]);
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
