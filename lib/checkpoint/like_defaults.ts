import type { Initializer } from '../initializers.js';
import { matcher_of_all } from './globs.js';
import { roles } from './presets/roles.js';

/** What a tensor of a checkpoint starts as by default, and why that deserves a warning. */
export interface Default {
  readonly initializer: Initializer;
  /** One text for all tensors that it is said of. */
  readonly odd?: string;
}

const normal: Initializer = { init: 'normal', std: 0.02 };

const is_norm = matcher_of_all(roles.norm.globs);
const is_bias = matcher_of_all(roles.bias.globs);
const is_mean = matcher_of_all(['running_mean', '*.running_mean']);
const is_variance = matcher_of_all(['running_var', '*.running_var']);
const is_weight = matcher_of_all(['weight', '*.weight', '*.gamma']);
const is_quantized = matcher_of_all([
  '*scale_inv',
  '*_scale',
  '*.scales',
  '*.qzeros',
  '*zero_point',
  '*.qweight',
  '*.g_idx',
]);

/** Model types whose norms multiply by 1 + weight, so that their weights begin as zeros. */
const centred_norms = matcher_of_all(['gemma*', 'paligemma*', 'recurrent_gemma', 'qwen3_next*']);

/** Whether the norms of a model multiply by 1 + weight. */
export function has_centred_norms(model_type: unknown): boolean {
  return typeof model_type === 'string' && centred_norms(model_type);
}

/**
 * The default of a tensor that can be filled, by its name and rank: norms 1, biases and running means 0, running variances 1,
 * everything else of two or more dimensions N(0, 0.02²), of fewer: weights 1, the rest 0, with a warning.
 *
 * @param has whether the checkpoint has a tensor of that name
 * @param centred whether norms begin as 0
 */
export function default_of_name(
  name: string,
  shape: readonly number[],
  has: (name: string) => boolean,
  centred: boolean,
): Default {
  const rank = shape.length;
  if (is_quantized(name)) {
    const odd = 'look like parts of quantized weights, which random values do not suit';
    return { initializer: rank >= 2 ? normal : 'ones', odd };
  }
  if (is_mean(name)) return { initializer: 'zeros' };
  if (is_variance(name)) return { initializer: 'ones' };
  if (rank >= 2) return { initializer: normal };
  const is_batch_norm = name.endsWith('weight') && has(name.replace(/weight$/, 'running_var'));
  if (is_norm(name) && !is_batch_norm) return { initializer: centred ? 'zeros' : 'ones' };
  if (is_batch_norm) return { initializer: 'ones' };
  if (is_bias(name)) return { initializer: 'zeros' };
  if (is_weight(name))
    return { initializer: 'ones', odd: 'are weights of one dimension, and taken for those of norms: ones' };
  return { initializer: 'zeros', odd: 'are of no kind that names tell: zeros' };
}

/** Counters of batches are integers that begin as zero; any other tensor that can only be zeros deserves a warning. */
export function is_counter(name: string): boolean {
  return name.endsWith('num_batches_tracked');
}
