import { inverseRoot } from '../../core/inverse-root.js';
import {
  definePreset,
  hidden,
  layers,
  normal,
  normsAndBiases,
  type PresetRule,
  type PresetSite,
  std,
  truncated,
} from './definition.js';
import type { RoleName } from './roles.js';

/** One initializer for several roles. */
function each<V>(
  names: readonly RoleName[],
  formula: string,
  initializer: PresetRule<V>['initializer'],
): PresetRule<V>[] {
  return names.map((role) => ({ role, formula, initializer }));
}

const residual = ['attention_out', 'mlp_out'] as const;

export const megatron = definePreset({
  summary: 'Normal everywhere, narrower where layers lead back into the residual stream; GPT-2 has the same.',
  source: 'Shoeybi et al. 2019, Megatron-LM, arXiv:1909.08053; Radford et al. 2019 (GPT-2)',
  parameters: [layers, std],
  rules: [
    { role: 'matrix', formula: 'N(0, σ²)', initializer: ({ std }) => normal(std) },
    ...normsAndBiases,
    ...each<{ layers: number; std: number }>(residual, 'N(0, σ² / (2L))', ({ layers, std }) =>
      normal(std / Math.sqrt(2 * layers)),
    ),
  ],
});

export const mup = definePreset({
  summary:
    'Maximal update parametrization: hidden weights narrow as the model gets wider than the one it was tuned at.',
  source: 'Yang et al. 2022, Tensor Programs V, arXiv:2203.03466, table 8',
  beside:
    'With m = width / base_width, the logits are to be divided by m, attention scores by the size of a head and not its root, and ' +
    "Adam's learning rate of hidden weights by m.",
  parameters: [
    { name: 'width', kind: 'integer', min: 1, required: true, doc: "the model's width" },
    {
      name: 'base_width',
      kind: 'integer',
      min: 1,
      required: true,
      doc: 'the width it was tuned at; m = width / base_width',
    },
    std,
    {
      name: 'layers',
      kind: 'integer',
      min: 1,
      doc: "layers, L: with it, what leads back into the residual stream is divided by √(2L), as Megatron-LM's µP does",
    },
  ],
  rules: [
    {
      role: 'matrix',
      formula: 'N(0, σ² / m)',
      initializer: ({ std, width, base_width }) => normal(std / Math.sqrt(width / base_width)),
    },
    ...normsAndBiases,
    ...each<{ std: number }>(['embedding', 'position', 'head'], 'N(0, σ²)', ({ std }) => normal(std)),
    ...each<{ std: number; width: number; base_width: number; layers: number | undefined }>(
      residual,
      'N(0, σ² / m), or N(0, σ² / (2L·m)) with `layers`',
      ({ std, width, base_width, layers = 0.5 }) => normal(std / Math.sqrt((2 * layers * width) / base_width)),
    ),
  ],
});

const deepnormGain = ({ layers }: { readonly layers: number }) => inverseRoot(8 * layers, 4);

export const deepnorm = definePreset({
  summary: 'For post-norm transformers of hundreds of layers, decoder-only or encoder-only.',
  source: 'Wang et al. 2022, DeepNet: Scaling Transformers to 1,000 Layers, arXiv:2203.00555, figure 2',
  beside: 'Residual connections are to be LayerNorm(α·x + f(x)) with α = (2L)^¼.',
  parameters: [layers],
  rules: [
    ...normsAndBiases,
    ...each<{ layers: number }>(['query', 'key'], 'Xavier normal', () => ({ init: 'xavier_normal' })),
    ...each<{ layers: number }>(
      ['value', 'attention_out', 'mlp_in', 'mlp_gate', 'mlp_out'],
      'Xavier normal, gain (8L)^-¼',
      (values) => ({ init: 'xavier_normal', gain: deepnormGain(values) }),
    ),
    {
      role: 'fused',
      formula: 'left as it is',
      initializer: () => ({ left: 'values need another gain than queries and keys, but here they are one tensor' }),
    },
  ],
});

/** Layer l of torchtitan, from 0: 0.02 / √(2(l + 1)). */
function byDepth({ std }: { readonly std: number }, { layer }: PresetSite) {
  if (layer === undefined) return { left: 'its name has no number of a layer' };
  return truncated(std / Math.sqrt(2 * (layer + 1)), 2);
}

export const torchtitan = definePreset({
  summary: 'Llama 3 as torchtitan begins it: truncated normals, narrower layer by layer.',
  source: 'torchtitan, models/llama3, init_weights (depth_init)',
  parameters: [{ ...hidden, doc: 'features of the residual stream, d: the head has σ = d^-½' }, std],
  rules: [
    { role: 'matrix', formula: 'N(0, σ²) within ±2', initializer: ({ std }) => truncated(std, 2) },
    ...normsAndBiases,
    { role: 'embedding', formula: 'N(0, 1)', initializer: () => normal(1) },
    ...each<{ std: number; hidden: number }>(
      [...residual, 'mlp_in'],
      'N(0, σ² / (2(l + 1))) within ±2, l from 0',
      byDepth,
    ),
    {
      role: 'head',
      formula: 'N(0, 1/d) within ±3/√d',
      initializer: ({ hidden }) => truncated(inverseRoot(hidden, 2), 3 * inverseRoot(hidden, 2)),
    },
  ],
});

export const gptNeox = definePreset({
  summary: 'small_init, and wang_init for what leads back into the residual stream: GPT-NeoX-20B, Pythia.',
  source:
    'Nguyen & Salazar 2019, arXiv:1910.05895; Wang & Komatsuzaki 2021, Mesh Transformer JAX; Black et al. 2022, arXiv:2204.06745',
  parameters: [layers, hidden],
  rules: [
    { role: 'matrix', formula: 'N(0, 2 / (5d))', initializer: ({ hidden }) => normal(Math.sqrt(2 / (5 * hidden))) },
    ...normsAndBiases,
    ...each<{ layers: number; hidden: number }>(residual, 'N(0, 4 / (L²·d))', ({ layers, hidden }) =>
      normal(2 / layers / Math.sqrt(hidden)),
    ),
  ],
});

export const bert = definePreset({
  summary: "BERT as Google's code has it: truncated normals. (transformers' BERT is plain.)",
  source: 'Devlin et al. 2018, arXiv:1810.04805; google-research/bert, modeling.py',
  parameters: [std],
  rules: [
    { role: 'matrix', formula: 'N(0, σ²) within ±2σ', initializer: ({ std }) => truncated(std, 2 * std) },
    ...normsAndBiases,
  ],
});

export const dummy = definePreset({
  summary: 'Weights for load tests: everything with two or more dimensions small and uniform.',
  source: 'vLLM, load_format="dummy", which draws vectors too',
  parameters: [{ name: 'bound', kind: 'number', above: 0, default: 1e-3, doc: 'the bound, b' }],
  rules: [
    { role: 'matrix', formula: 'U(±b)', initializer: ({ bound }) => ({ init: 'uniform', a: -bound, b: bound }) },
    ...normsAndBiases,
  ],
});
