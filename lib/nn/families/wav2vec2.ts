import { container, type Module, parameter, type Rule, repeat } from '../module.js';
import { layerNorm, linear } from '../modules/index.js';
import { defineArchitecture, labelCount } from './architecture.js';
import { headed } from './transformers.js';
import { type Wav2Vec2Config as Config, config, outputWidth } from './wav2vec2-config.js';
import { adapter, encoder, extractor, rule } from './wav2vec2-layers.js';

/** What is a family's own in a model of sounds. */
interface Speech {
  /** The body's name in the whole. */
  readonly prefix: string;
  readonly encoder: (config: Config) => Module;
  readonly rule: (config: Config) => Rule;
  /** Whether what convolutions give is normed before it is projected. */
  readonly norms?: (config: Config) => boolean;
}

type Heads = Readonly<Record<string, Module>>;

/** The body of wav2vec 2.0 and its kin, and heads for it. */
export function speech({ prefix, encoder, rule, norms = () => true }: Speech) {
  const body = (config: Config): Module => {
    const { conv_dim, hidden_size, mask_time_prob, mask_feature_prob } = config;
    const last = conv_dim.at(-1) ?? 1;
    const projection = { ...(norms(config) && { layer_norm: layerNorm(last) }), projection: linear(last, hidden_size) };
    const masks = mask_time_prob > 0 || mask_feature_prob > 0;
    return {
      kind: 'SpeechModel',
      own: masks ? { masked_spec_embed: parameter([hidden_size], 'uniform') } : {},
      children: {
        feature_extractor: extractor(config),
        feature_projection: container('FeatureProjection', projection),
        encoder: encoder(config),
        ...(config.add_adapter && { adapter: adapter(config) }),
      },
      construction: ['feature_extractor', 'feature_projection', 'masked_spec_embed', 'encoder', 'adapter'],
      initialize: rule(config),
    };
  };
  const withHead =
    (heads: (config: Config) => Heads, kind = 'Headed') =>
    (config: Config): Module => ({ ...headed({ [prefix]: body(config) }, heads(config), rule(config)), kind });
  /** Over a mean of all layers where the config says so; these weights begin alike. */
  const withMean = (heads: (config: Config) => Heads) => {
    return (config: Config): Module => {
      const count = config.num_hidden_layers + 1;
      const layer_weights = parameter([count], { init: 'constant', val: 1 / count });
      const made = withHead(heads)(config);
      return config.use_weighted_layer_sum ? { ...made, own: { layer_weights } } : made;
    };
  };
  const ctc = withHead((config) => {
    if (config.vocab_size === null) throw new RangeError('vocab_size: expected a number for a class ForCTC');
    return { lm_head: linear(outputWidth(config), config.vocab_size ?? 1) };
  });
  const classifying = (heads: (config: Config) => Heads) =>
    withMean((config) => {
      if (config.add_adapter) throw new RangeError('add_adapter: expected false for a class with a classifier');
      return heads(config);
    });
  const sequences = classifying((config) => ({
    projector: linear(config.hidden_size, config.classifier_proj_size),
    classifier: linear(config.classifier_proj_size, labelCount(config)),
  }));
  const frames = classifying((config) => ({ classifier: linear(config.hidden_size, labelCount(config)) }));
  const xVector = withMean(voices);
  return { body, withHead, ctc, sequences, frames, xVector };
}

/** What tells voices apart: x-vectors (Snyder et al. 2018), and the weights of their loss, which are as they were made: N(0, 1). */
function voices(config: Config): Heads {
  const { hidden_size, tdnn_dim: widths, tdnn_kernel, tdnn_dilation, xvector_output_dim: out } = config;
  if (widths.length === 0) throw new RangeError('tdnn_dim: expected one number or more');
  for (const [name, { length }] of Object.entries({ tdnn_kernel, tdnn_dilation })) {
    if (length < widths.length) throw new RangeError(`${name}: expected as many as tdnn_dim has`);
  }
  const [first = 1] = widths;
  const layer = (index: number) => {
    const inner = (widths[index - 1] ?? first) * (tdnn_kernel[index] ?? 1);
    return container('TDNNLayer', { kernel: linear(inner, widths[index] ?? 1) });
  };
  return {
    projector: linear(hidden_size, first),
    tdnn: repeat(widths.length, layer),
    feature_extractor: linear(2 * (widths.at(-1) ?? 1), out),
    classifier: linear(out, out),
    objective: { kind: 'AMSoftmaxLoss', own: { weight: parameter([out, labelCount(config)], 'normal') } },
  };
}

const { body, withHead, ctc, sequences, frames, xVector } = speech({ prefix: 'wav2vec2', encoder, rule });

/** wav2vec 2.0 (Baevski et al. 2020): N(0, initializer_range²), convolutions kaiming_normal. */
export const wav2vec2 = defineArchitecture<Config>({
  model_type: 'wav2vec2',
  config,
  classes: {
    Wav2Vec2ForPreTraining: withHead((config) => {
      const { codevector_dim: width, num_codevector_groups: groups, num_codevectors_per_group: each } = config;
      if (width % groups !== 0) throw new RangeError('codevector_dim: expected a multiple of num_codevector_groups');
      const quantizer: Module = {
        kind: 'Quantizer',
        // torch.FloatTensor there: in float32 in a model of any dtype.
        own: { codevectors: { shape: [1, groups * each, width / groups], dtype: 'float32' } },
        children: { weight_proj: linear(config.conv_dim.at(-1) ?? 1, groups * each) },
      };
      const { proj_codevector_dim: out } = config;
      return { quantizer, project_hid: linear(config.hidden_size, out), project_q: linear(width, out) };
    }, 'PreTraining'),
    Wav2Vec2Model: body,
    Wav2Vec2ForCTC: ctc,
    Wav2Vec2ForSequenceClassification: sequences,
    Wav2Vec2ForAudioFrameClassification: frames,
    Wav2Vec2ForXVector: xVector,
  },
});
