import { show } from '../../core/check.js';
import type { Initializer } from '../../init/initializers.js';
import { type Flat, flatten, type ModelTensor } from '../flatten.js';
import { container, parameter } from '../module.js';
import type { Decoder, DecoderConfig } from './decoder.js';
import { transformersInit } from './transformers.js';

const most = 100;

const older = 'num_nextn_predict_layers';

/**
 * Adds to a decoder's tensors those of the layers that predict further tokens (multi-token prediction), as the Hub's files of DeepSeek-V3 and GLM-4.5
 * have them behind the others: `num_nextn_predict_layers` of them, or `num_mtp_layers`. transformers makes none and passes over them; servers draft with them.
 *
 * A layer has the embedding and the head once more, with the model's values, a projection of both inputs, and a layer as any other.
 *
 * @returns what adds them; it throws a RangeError where the config has none
 */
export function predicting<Config extends DecoderConfig>({ layer, norm, rules }: Decoder<Config>) {
  return (config: Config, { tensors, draws }: Flat): Flat => {
    const { hidden_size: width, num_hidden_layers: first, initializer_range: std } = config;
    const keys: Readonly<Record<string, unknown>> = config;
    // transformers' newer name, which counts where the older one is missing.
    const key = [older, 'num_mtp_layers'].find((name) => keys[name] !== undefined) ?? older;
    const count = keys[key];
    if (!(typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= most)) {
      const what = `${key}: expected a whole number from 1 to ${most} beside mtp`;
      throw new RangeError(`${what}, but ${count === undefined ? 'it is missing' : `received ${show(count)}`}`);
    }
    const names = Array.from({ length: count }, (_, i) => String(first + i));
    const layers = names.map((name) => {
      const own = {
        enorm: norm(width),
        hnorm: norm(width),
        // No Linear: what quantizes leaves it alone, as in the Hub's files.
        eh_proj: { kind: 'Projection', own: { weight: parameter([width, 2 * width]) } },
        shared_head: container('SharedHead', { norm: norm(width) }),
      };
      return [name, container('Predictor', { ...own, ...layer(config, Number(name)) })] as const;
    });
    const normal: Initializer = { init: 'normal', std };
    const initialize = transformersInit(std, { ...rules?.(config), Projection: () => ({ weight: normal }) });
    const tree = container('Model', { layers: container('ModuleList', Object.fromEntries(layers)) });
    const added = flatten(container('Predictors', { model: tree }, { initialize }));
    const shared = names.flatMap((name) => [
      copyOf(tensors, 'model.embed_tokens.weight', `model.layers.${name}.embed_tokens.weight`),
      copyOf(tensors, 'lm_head.weight', `model.layers.${name}.shared_head.head.weight`),
    ]);
    // Drawn last: the engine torch gives the others what it gives them without these.
    return { tensors: [...tensors, ...added.tensors, ...shared], draws: [...draws, ...added.draws] };
  };
}

/** A tensor with another one's values; a tied head's are the embedding's. */
function copyOf(tensors: Flat['tensors'], original: string, name: string): ModelTensor {
  const found = tensors.find((each) => each.name === original || each.tied?.includes(original));
  if (found === undefined) throw new RangeError('mtp: expected the class with a head over the vocabulary');
  const { tied: _, kind: __, ...values } = found;
  return { ...values, name, copyOf: values.copyOf ?? values.name };
}
