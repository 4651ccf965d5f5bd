import type { Initializer } from '../init/initializers.js';
import { roles } from './presets/roles.js';
import { matcherOfAll } from './rules/globs.js';

/** What a tensor of a checkpoint starts as by default, and why that deserves a warning. */
export interface Default {
  readonly initializer: Initializer;
  /** One text for all tensors that it is said of. */
  readonly odd?: string;
}

const normal: Initializer = { init: 'normal', std: 0.02 };

const isNorm = matcherOfAll(roles.norm.globs);
const isBias = matcherOfAll(roles.bias.globs);
const isMean = matcherOfAll(['running_mean', '*.running_mean']);
const isVariance = matcherOfAll(['running_var', '*.running_var']);
const isWeight = matcherOfAll(['weight', '*.weight', '*.gamma']);
const isQuantized = matcherOfAll([
  ...['*scale_inv', '*weight_scale', '*weight_scale_2', '*input_scale', '*output_scale', '*_proj_scale', '*.scales'],
  ...['*zero_point', '*.qzeros', '*.qweight', '*.g_idx', '*.absmax', '*.SCB'],
]);

/** Model types whose norms multiply by 1 + weight, so that their weights begin as zeros. */
const centredNorms = matcherOfAll(['gemma*', 'paligemma*', 'recurrent_gemma', 'qwen3_next*']);

/** Whether the norms of a model multiply by 1 + weight. */
export function hasCentredNorms(model_type: unknown): boolean {
  return typeof model_type === 'string' && centredNorms(model_type);
}

/**
 * The default of a tensor that can be filled, by its name and rank: norms 1, biases and running means 0, running variances 1,
 * everything else of two or more dimensions N(0, 0.02²), of fewer: weights 1, the rest 0, with a warning.
 *
 * @param has whether the checkpoint has a tensor of that name
 * @param centred whether norms begin as 0
 */
export function defaultOfName(
  name: string,
  shape: readonly number[],
  has: (name: string) => boolean,
  centred: boolean,
): Default {
  const rank = shape.length;
  if (isQuantized(name)) {
    const odd = 'by its name of quantized weights, which random values do not suit';
    return { initializer: rank >= 2 ? normal : 'ones', odd };
  }
  if (isMean(name)) return { initializer: 'zeros' };
  if (isVariance(name)) return { initializer: 'ones' };
  if (rank >= 2) return { initializer: normal };
  const isBatchNorm = name.endsWith('weight') && has(name.replace(/weight$/, 'running_var'));
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
