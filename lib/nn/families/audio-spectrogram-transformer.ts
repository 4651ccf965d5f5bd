import { z } from 'zod';
import { container, type Module, parameter, repeat } from '../module.js';
import { conv2d, layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, flag, labelCount, labels, layers, size, std } from './architecture.js';
import { headed, transformersInit } from './transformers.js';
import { vitLayer, vitNames } from './vit-layers.js';

const config = z
  .looseObject({
    ...labels,
    hidden_size: size().default(768),
    num_hidden_layers: layers().default(12),
    num_attention_heads: size().default(12),
    head_dim: size().optional(),
    intermediate_size: size().default(3072),
    initializer_range: std().default(0.02),
    patch_size: size().default(16),
    qkv_bias: flag().default(true),
    frequency_stride: size().default(10),
    time_stride: size().default(10),
    max_length: size().default(1024),
    num_mel_bins: size().default(128),
  })
  .refine(({ head_dim, hidden_size, num_attention_heads }) => head_dim != null || hidden_size >= num_attention_heads, {
    path: ['hidden_size'],
    error: 'at least num_attention_heads, or a head_dim',
  })
  .refine(({ num_mel_bins, max_length, patch_size }) => Math.min(num_mel_bins, max_length) >= patch_size, {
    path: ['patch_size'],
    error: 'at most num_mel_bins and max_length',
  });

type Config = z.output<typeof config>;

const rule = ({ initializer_range }: Config) =>
  transformersInit(initializer_range, {
    Embeddings: () => ({ cls_token: 'zeros', position_embeddings: 'zeros', distillation_token: 'zeros' }),
  });

function body(config: Config): Module {
  const { hidden_size: width, patch_size: patch, num_mel_bins, max_length } = config;
  const along = (length: number, stride: number) => Math.floor((length - patch) / stride) + 1;
  const patches = along(num_mel_bins, config.frequency_stride) * along(max_length, config.time_stride);
  const token = () => parameter([1, 1, width], 'zeros');
  const embeddings: Module = {
    kind: 'Embeddings',
    own: {
      cls_token: token(),
      distillation_token: token(),
      position_embeddings: parameter([1, patches + 2, width], 'zeros'),
    },
    children: { patch_embeddings: container('PatchEmbeddings', { projection: conv2d(1, width, [patch, patch]) }) },
  };
  const children = {
    embeddings,
    layers: repeat(config.num_hidden_layers, () => vitLayer(config)),
    layernorm: layerNorm(width),
  };
  return container('ASTModel', children, { initialize: rule(config) });
}

/** The Audio Spectrogram Transformer (Gong et al. 2021): DeiT over patches that overlap; tokens and positions 0. */
export const audioSpectrogramTransformer = defineArchitecture<Config>({
  model_type: 'audio-spectrogram-transformer',
  config,
  classes: {
    ASTForAudioClassification: (config) => {
      const [width, classes] = [config.hidden_size, labelCount(config)];
      const head = { layernorm: layerNorm(width), ...(classes > 0 && { dense: linear(width, classes) }) };
      const children = { audio_spectrogram_transformer: body(config) };
      return headed(children, { classifier: container('MLPHead', head) }, rule(config));
    },
    ASTModel: body,
  },
  saved: vitNames,
});
