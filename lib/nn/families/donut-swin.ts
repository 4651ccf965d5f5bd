import { container, type Module, parameter } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture } from './architecture.js';
import { classification, embeddings, encoder, general, keys, rule, type SwinConfig, widthOf } from './swin-layers.js';
import { distances, relativePositionIndex } from './windows.js';

const config = keys.refine(
  (given) => given.depths.every((_, stage) => widthOf(given, stage) % (given.num_heads[stage] ?? 1) === 0),
  { path: ['num_heads'], error: 'divisors of the width of each stage, embed_dim · 2^stage' },
);

function attention({ window_size: window, qkv_bias }: SwinConfig, width: number, heads: number): Module {
  return container('Attention', {
    self: {
      kind: 'RelativePositionBias',
      own: {
        relative_position_bias_table: parameter([distances(window), heads], 'zeros'),
        relative_position_index: relativePositionIndex(window, [window ** 2, window ** 2]),
      },
      children: {
        query: linear(width, width, qkv_bias),
        key: linear(width, width, qkv_bias),
        value: linear(width, width, qkv_bias),
      },
    },
    output: container('Output', { dense: linear(width, width) }),
  });
}

function layer(config: SwinConfig, width: number, heads: number): Module {
  const inner = Math.trunc(config.mlp_ratio * width);
  return container('Layer', {
    layernorm_before: layerNorm(width),
    attention: attention(config, width, heads),
    layernorm_after: layerNorm(width),
    intermediate: container('Intermediate', { dense: linear(width, inner) }),
    output: container('Output', { dense: linear(inner, width) }),
  });
}

/** Swin as it was first in transformers; positions have one row more than there are patches. */
function body(config: SwinConfig): Module {
  const children = { embeddings: embeddings(config, { more: 1 }), encoder: encoder(config, layer) };
  return container('DonutSwinModel', children, { initialize: rule(config) });
}

/** The Swin of Donut (Kim et al. 2022): without a norm after the last stage, and with tables of indices in the file. */
export const donutSwin = defineArchitecture<SwinConfig>({
  model_type: 'donut-swin',
  config,
  prepare: general,
  classes: {
    DonutSwinForImageClassification: (config) => classification({ donut: body(config) }, config),
    DonutSwinModel: body,
  },
});
