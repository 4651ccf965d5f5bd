import { isPlainObject } from '../core/check.js';
import type { Initializer } from '../init/initializers.js';
import { roles } from './presets/roles.js';
import { matcherOfAll } from './rules/globs.js';

/** What a tensor of a checkpoint starts as by default, and why that deserves a warning. */
export interface Default {
  readonly initializer: Initializer;
  /** One text for all tensors that it is said of. */
  readonly odd?: string;
}

const isNorm = matcherOfAll(roles.norm.globs);
const isBias = matcherOfAll(roles.bias.globs);
/** Of any rank: those of experts have two dimensions. (`bias_k` of attention is no bias.) */
const isWholeBias = matcherOfAll(['bias', '*.bias', '*_bias']);
const isMean = matcherOfAll(['running_mean', '*.running_mean']);
const isVariance = matcherOfAll(['running_var', '*.running_var']);
const isWeight = matcherOfAll(['weight', '*.weight', '*.gamma']);
const isScale = matcherOfAll([
  ...['*scale_inv', '*weight_scale', '*weight_scale_2', '*input_scale', '*output_scale', '*_proj_scale', '*.scales'],
  ...['*.absmax', '*.SCB'],
]);
const isQuantized = matcherOfAll(['*zero_point', '*.qzeros', '*.qweight', '*.g_idx']);
/** What sees or hears, in a model that also reads: a model of its own, with norms of the usual kind. */
const isTower = matcherOfAll(['*vision*', '*visual*', '*audio*', '*image_*']);
/** Norms that a gate multiplies, and those of what joins a tower to a model; the steps of linear attention, and scales within a model. */
const isOne = matcherOfAll([
  '*merger.*norm.weight',
  ...['*linear_attn.norm.weight', '*linear_attn.dt_bias', '*mamba.dt_bias', '*mixer.D', '*mamba.D'],
  ...['*layer_scalar', '*router.scale', '*router.per_expert_scale'],
  ...['*hidden_states_scale', '*residual_scale', '*router_states_scale'],
]);
/** Lengths of a weight's columns, by the weight norms of PyTorch. */
const isLength = matcherOfAll(['*parametrizations.weight.original0', '*.weight_g']);
/** How far back MiniMax's linear attention looks. */
const isComputed = matcherOfAll(['*.slope_rate', '*.query_decay', '*.key_decay', '*.diagonal_decay']);
/** Mamba's, and the biases whose softplus are its steps. */
const isDecay = matcherOfAll(['*A_log']);
const isStep = matcherOfAll(['*mixer.dt_bias', '*mixer.dt_proj.bias', '*self_attn.dt_bias']);
const isPaddedEmbedding = matcherOfAll(['embed_tokens.weight', '*.embed_tokens.weight', '*.word_embeddings.weight']);

/**
 * Model types whose norms multiply by 1 + weight, so that their weights begin as zeros, in transformers 5.18. (gemma3n's and gemma4's do not;
 * nemotron's do, and begin as ones all the same.)
 */
const centredNorms = matcherOfAll([
  ...[
    'gemma',
    'gemma2',
    'gemma3',
    'gemma3_text',
    'paligemma',
    'shieldgemma2',
    'recurrent_gemma',
    't5gemma*',
    'vaultgemma',
  ],
  ...['qwen3_next', 'qwen3_5*', 'qwen4_exp*', 'minimax_m3*', 'step3p7*', 'videoprism*'],
]);
/** Of these also those that see. */
const centredTowers = matcherOfAll(['videoprism*']);

/** What the config.json beside a checkpoint says of how it is initialized. */
export interface LikeSettings {
  /** Whether norms multiply by 1 + weight. */
  readonly centred: boolean;
  /** And those of towers within the model. */
  readonly centredTowers: boolean;
  /** Of weights, and of those of towers within the model. */
  readonly std: number;
  readonly towerStd: number;
  /** The row of the embedding that is zero. */
  readonly padding: number | undefined;
}

/** Reads a config, of whatever model; what makes no sense counts as missing. */
export function settingsOf(config: unknown): LikeSettings {
  const whole = objectOf(config);
  const text = objectOf(whole.text_config);
  const tower = objectOf(whole.vision_config ?? whole.audio_config);
  const types = [whole.model_type, text.model_type, objectOf(objectOf(whole.vlm_config).text_config).model_type];
  const std = stdOf(whole) ?? stdOf(text) ?? 0.02;
  const padding = whole.pad_token_id ?? text.pad_token_id;
  return {
    centred: types.some((type) => typeof type === 'string' && centredNorms(type) && !type.endsWith('_vision')),
    centredTowers: typeof whole.model_type === 'string' && centredTowers(whole.model_type),
    std,
    towerStd: stdOf(tower) ?? std,
    padding: Number.isSafeInteger(padding) ? (padding as number) : undefined,
  };
}

const objectOf = (value: unknown): Readonly<Record<string, unknown>> => (isPlainObject(value) ? value : {});

function stdOf({ initializer_range: std }: Readonly<Record<string, unknown>>): number | undefined {
  return typeof std === 'number' && Number.isFinite(std) && std > 0 ? std : undefined;
}

/** The row of an embedding that begins as zero, as nn.Embedding's padding_idx does. */
export function paddingRow(name: string, shape: readonly number[], { padding }: LikeSettings): number | undefined {
  const [rows = 0] = shape;
  if (padding === undefined || shape.length !== 2 || !isPaddedEmbedding(name)) return undefined;
  const row = padding < 0 ? padding + rows : padding;
  return row >= 0 && row < rows ? row : undefined;
}

/**
 * The default of a tensor that can be filled, by its name and rank: norms 1, biases and running means 0, running variances 1,
 * everything else of two or more dimensions N(0, initializer_range²), of fewer: weights 1, the rest 0, with a warning.
 *
 * @param has whether the checkpoint has a tensor of that name
 */
export function defaultOfName(
  name: string,
  shape: readonly number[],
  has: (name: string) => boolean,
  settings: LikeSettings = settingsOf(undefined),
): Default {
  const rank = shape.length;
  if (name.endsWith('correct_output_scale')) return { initializer: 'zeros' };
  if (isScale(name)) {
    return {
      initializer: 'ones',
      odd: 'by its name a scale of quantized weights, which random values do not suit: ones',
    };
  }
  if (isQuantized(name)) return { initializer: 'zeros', odd: 'by its name of quantized weights: zeros' };
  if (isMean(name)) return { initializer: 'zeros' };
  if (isVariance(name)) return { initializer: 'ones' };
  if (isOne(name)) return { initializer: 'ones' };
  if (isLength(name)) return { initializer: 'ones', odd: 'by its name the lengths of columns of a weight: ones' };
  if (isComputed(name)) {
    return {
      initializer: 'ones',
      odd: 'by its name a table that the model computes from its config, which random values do not suit: ones',
    };
  }
  if (isDecay(name)) {
    // Those of Kimi's attention are one for each head, whatever their dimensions.
    const a = name.includes('linear_attn') ? 0.01 : name.endsWith('self_attn.A_log') ? 1 : undefined;
    return { initializer: a === undefined ? 'log_arange' : { init: 'log_of_uniform', a, b: 16 } };
  }
  if (isStep(name)) return { initializer: 'dt_bias' };
  if (isWholeBias(name) || name.endsWith('.mm_input_projection_weight')) return { initializer: 'zeros' };
  const isInTower = isTower(name);
  if (rank >= 2) return { initializer: { init: 'normal', std: isInTower ? settings.towerStd : settings.std } };
  const isBatchNorm = name.endsWith('weight') && has(name.replace(/weight$/, 'running_var'));
  const centred = isInTower ? settings.centredTowers : settings.centred;
  if (isNorm(name) && !isBatchNorm) return { initializer: centred ? 'zeros' : 'ones' };
  if (isBatchNorm) return { initializer: 'ones' };
  if (isBias(name)) return { initializer: 'zeros' };
  if (isWeight(name))
    return { initializer: 'ones', odd: 'taken for the weight of a norm, since it has one dimension, and so ones' };
  return { initializer: 'zeros', odd: 'of no kind that its name tells, and so zeros' };
}

/** Counters of batches are integers that begin as zero; any other tensor that can only be zeros deserves a warning. */
export function isCounter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}
