import type { Initializer } from '../../init/initializers.js';
import { byKind, container, type Module, type Rule } from '../module.js';

/**
 * What transformers initializes unless a family says otherwise (5.18, modeling_utils.py, `_init_weights`): linear layers,
 * convolutions and embeddings from N(0, std²), biases 0, norms 1 and 0.
 *
 * @param std `initializer_range`; 0 means `zero` there
 * @param own the family's own rules, by the modules' kinds; where there is one, the general rule is left out
 * @param zero 0 for `init_std` and `initializer_factor`, which mean what they say
 */
export function transformersInit(std: number, own: Readonly<Record<string, Rule>> = {}, zero = 0.02): Rule {
  const normal: Initializer = { init: 'normal', std: std === 0 ? zero : std };
  const withBias = (module: Module, weight: Initializer) => {
    return module.own?.bias === undefined ? { weight } : { weight, bias: 'zeros' as const };
  };
  return byKind({
    Linear: (module) => withBias(module, normal),
    Conv1d: (module) => withBias(module, normal),
    Conv2d: (module) => withBias(module, normal),
    Conv3d: (module) => withBias(module, normal),
    Embedding: () => ({ weight: normal }),
    LayerNorm: (module) => withBias(module, 'ones'),
    RMSNorm: (module) => withBias(module, 'ones'),
    ...own,
  });
}

/**
 * The same for a family that has `init_std`. An `initializer_range`, which it does not know, comes first where a config has one all the same.
 */
export function initByStd(
  config: { readonly init_std: number; readonly initializer_range?: number | null | undefined },
  own: Readonly<Record<string, Rule>> = {},
): Rule {
  const { init_std, initializer_range: range } = config;
  return range === undefined ? transformersInit(init_std, own, 0) : transformersInit(range ?? 0, own);
}

/**
 * A model within a model: the body, which has initialized itself, then the head, which the rule initializes after that.
 *
 * @param body under the name that it has there
 */
export function headed(
  body: Readonly<Record<string, Module>>,
  head: Readonly<Record<string, Module>>,
  initialize: Rule,
  tied?: Module['tied'],
): Module {
  return container('Headed', { ...body, ...head }, { initialize, tied });
}
