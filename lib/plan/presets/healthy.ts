import type { Initializer } from '../../init/initializers.js';
import { definePreset, normal, type PresetSite } from './definition.js';

/** Inputs of each output: of (out, in, …), or of a layer's experts in one tensor, (experts, in, out) or (experts, out, in). */
function fanIn(site: PresetSite): number {
  const { name, shape } = site;
  const inputs = isOfExperts.test(name) && shape.length === 3 ? [shape[expertsInputs(site)] ?? 1] : shape.slice(1);
  return inputs.reduce((product, size) => product * size, 1) || 1;
}

const isOfExperts = /\.(?:experts\.\w+|block_sparse_moe\.(?:input|output)_linear\.weight)$/;

/** Which dimension has the inputs: gpt-oss and Llama 4 have them before the outputs, Gemma 4 and Granite behind them. */
function expertsInputs({ name, shapeOf }: PresetSite): 1 | 2 {
  const experts = name.replace(/[^.]+$/, '');
  if (!experts.endsWith('.experts.')) return 2;
  const [first, last] = [shapeOf(`${experts}gate_up_proj`), shapeOf(`${experts}down_proj`)];
  // The stream's width is what goes into the first matrices and comes out of the last ones.
  return first?.[2] !== undefined && first[2] === last?.[1] ? 2 : 1;
}

/** Keeps the variance of unit inputs, times `variance`. */
const scaled = (site: PresetSite, variance = 1): Initializer => normal(Math.sqrt(variance / fanIn(site)));

/** What layer l adds to the residual stream has a variance of 1 / (2(l + 1)) or less, so after L layers the stream's is 1 + ln L or so. */
const residual = (_: unknown, site: PresetSite): Initializer => scaled(site, 0.5 / ((site.layer ?? 0) + 1));

export const healthy = definePreset({
  summary:
    "For load tests whose logits, routers and attention are to behave like a trained model's: not the model's own initialization.",
  source: "nninit's own",
  parameters: [
    { name: 'spread', kind: 'number', above: 0, default: 3, doc: 'the standard deviation of the logits, s' },
  ],
  rules: [
    { role: 'matrix', formula: 'N(0, 1/fan_in)', initializer: (_, site) => scaled(site) },
    {
      role: 'embedding',
      formula: 'N(0, 1); tied to the head as the head',
      initializer: ({ spread }, site) => (site.tied ? scaled(site, spread ** 2) : normal(1)),
    },
    { role: 'position', formula: 'N(0, 1/fan_in)', initializer: (_, site) => scaled(site) },
    { role: 'attention_out', formula: 'N(0, 1 / (2(l + 1)·fan_in)), l from 0', initializer: residual },
    { role: 'mlp_out', formula: 'N(0, 1 / (2(l + 1)·fan_in)), l from 0', initializer: residual },
    { role: 'experts_out', formula: 'N(0, 1 / (2(l + 1)·fan_in)), l from 0', initializer: residual },
    { role: 'router', formula: 'orthonormal rows', initializer: () => 'orthogonal' },
    { role: 'head', formula: 'N(0, s²/d)', initializer: ({ spread }, site) => scaled(site, spread ** 2) },
  ],
});
