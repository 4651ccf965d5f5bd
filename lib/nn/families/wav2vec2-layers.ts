import type { Initializer } from '../../init/initializers.js';
import { container, type Module, type Own, parameter, type Rule, repeat } from '../module.js';
import { conv1d, layerNorm, linear } from '../modules/index.js';
import { uniformBy } from '../modules/linear.js';
import { attention } from './bart.js';
import { transformersInit } from './transformers.js';
import type { Wav2Vec2Config as Config } from './wav2vec2-config.js';

/** As PyTorch's own layers begin. */
const torchs: Initializer = { init: 'kaiming_uniform', a: Math.sqrt(5) };

/** U(±√(1/fan)), which is another number than 1/√fan sometimes. */
function within(fan: number): Initializer {
  const b = Math.sqrt(1 / fan);
  return { init: 'uniform', a: -b, b };
}

/** What the models write at last. */
export function rule({ initializer_range }: Config): Rule {
  const general: Initializer = { init: 'normal', std: initializer_range === 0 ? 0.02 : initializer_range };
  const convolution: Rule = ({ own = {} }) => {
    const [, inputs = 1, kernel = 1] = own.weight?.shape ?? [];
    return {
      weight: [general, 'kaiming_normal'],
      ...(own.bias !== undefined && { bias: ['zeros', within(inputs * kernel)] }),
    };
  };
  return transformersInit(initializer_range, {
    Conv1d: convolution,
    PositionalConvEmbedding: ({ children }) => {
      const { conv } = children as { readonly conv: Module };
      const [outputs = 1, , kernel = 1] = conv.own?.weight?.shape ?? [];
      const std = 2 * Math.sqrt(1 / (kernel * outputs));
      return { 'conv.weight': { init: 'normal', std }, 'conv.bias': 'zeros' };
    },
    FeatureProjection: ({ children }) => {
      const { projection } = children as { readonly projection: Module };
      const bounds = within(projection.own?.weight?.shape[1] ?? 1);
      return { 'projection.weight': bounds, 'projection.bias': bounds };
    },
    Quantizer: () => ({ 'weight_proj.weight': 'normal', 'weight_proj.bias': 'zeros', codevectors: 'uniform' }),
    PreTraining: ({ children }) => {
      const { project_hid, project_q } = children as Readonly<Record<string, Module>>;
      const bias = (module: Module | undefined) => uniformBy(module?.own?.weight?.shape[1] ?? 1);
      return {
        'project_hid.weight': torchs,
        'project_hid.bias': bias(project_hid),
        'project_q.weight': torchs,
        'project_q.bias': bias(project_q),
      };
    },
  });
}

/** Convolutions over the sound; only the first has a norm, or each has. */
export function extractor({ conv_dim: widths, conv_kernel, conv_bias: bias, feat_extract_norm: norm }: Config): Module {
  const layer = (index: number) => {
    const width = widths[index] ?? 1;
    const conv = conv1d(index === 0 ? 1 : (widths[index - 1] ?? 1), width, conv_kernel[index] ?? 1, { bias });
    return container('ConvLayer', { conv, ...((norm === 'layer' || index === 0) && { layer_norm: layerNorm(width) }) });
  };
  return container('FeatureEncoder', { conv_layers: repeat(widths.length, layer) });
}

/**
 * A convolution whose weight is a direction and a length for each place of its kernel. Both begin as those of the weight that the
 * layer was made with: what is written into the weight later is lost, though it is drawn.
 */
export function positions(config: Config): Module {
  const { hidden_size: width, num_conv_pos_embeddings: kernel, num_conv_pos_embedding_groups: groups } = config;
  const shape = [width, width / groups, kernel];
  const parts: Own = {
    original0: { shape: [1, 1, kernel], initial: 'ones', normsOf: 'original1' },
    original1: parameter(shape, torchs),
  };
  const conv: Module = {
    kind: 'Conv1d',
    own: { weight: parameter(shape), bias: parameter([width], uniformBy((width / groups) * kernel)) },
    children: { parametrizations: container('ModuleDict', { weight: { kind: 'ParametrizationList', own: parts } }) },
    construction: ['parametrizations', 'weight', 'bias'],
    unsaved: ['weight'],
  };
  return container('PositionalConvEmbedding', { conv });
}

type Parts = { readonly attention?: (index: number) => Module; readonly positions?: Module };

/** Layers behind convolved positions; other families have parts of their own, attention by a layer's index. */
export function encoder(config: Config, own: Parts = {}): Module {
  const { hidden_size: width, intermediate_size, adapter_attn_dim, do_stable_layer_norm } = config;
  const layer = (index: number) =>
    container('EncoderLayer', {
      attention: own.attention?.(index) ?? attention(width),
      layer_norm: layerNorm(width),
      feed_forward: container('FeedForward', {
        intermediate_dense: linear(width, intermediate_size),
        output_dense: linear(intermediate_size, width),
      }),
      final_layer_norm: layerNorm(width),
      ...(do_stable_layer_norm &&
        adapter_attn_dim != null && {
          adapter_layer: container('AttnAdapter', {
            norm: layerNorm(width),
            linear_1: linear(width, adapter_attn_dim),
            linear_2: linear(adapter_attn_dim, width),
          }),
        }),
    });
  const around = { pos_conv_embed: own.positions ?? positions(config), layer_norm: layerNorm(width) };
  return container('Encoder', { ...around, layers: repeat(config.num_hidden_layers, layer) });
}

/** Convolutions after the encoder, that make the sequence shorter. */
export function adapter({ hidden_size, adapter_kernel_size: kernel, num_adapter_layers, ...config }: Config): Module {
  const width = config.output_hidden_size ?? hidden_size;
  const narrower = { proj: linear(hidden_size, width), proj_layer_norm: layerNorm(width) };
  const layer = () => container('AdapterLayer', { conv: conv1d(width, 2 * width, kernel) });
  return container('Adapter', { ...(width !== hidden_size && narrower), layers: repeat(num_adapter_layers, layer) });
}
