import { define } from './definition.js';
import { checkOrder, checkRank, fits, nothing, uniform } from './site.js';

/** Step sizes. */
const steps = { min: 1e-300, max: 1e4 } as const;

/** The rows of the table of initializers that state-space models begin with: see initializers.ts. */
export const stateSpace = {
  log_arange: define({
    summary: 'Logarithms of successive numbers along the last dimension: A_log of Mamba (S4D-Real).',
    formula: 'w[…, i] = ln(start + i)',
    paper:
      'Gu et al. 2022, On the parameterization and initialization of diagonal state space models, arXiv:2206.11893',
    parameters: [{ name: 'start', kind: 'number', above: 0, default: 1, positional: true, doc: 'the first number' }],
    random: false,
    resolve(site, { start }) {
      checkRank(site, 1, Number.POSITIVE_INFINITY, '1 or more dimensions', 'there is no last dimension');
      if (site.size === 0) return nothing;
      return { kind: 'log_arange', start: fits(site, 'start', start), cols: site.shape.at(-1) ?? 1 };
    },
  }),
  log_of_uniform: define({
    summary: 'The logarithm of the uniform distribution: A_log of Mamba-2 and of gated delta networks.',
    formula: 'ln u, u ~ U[a, b)',
    paper: 'Dao & Gu 2024, Transformers are SSMs, arXiv:2405.21060',
    parameters: [
      { name: 'a', kind: 'number', above: 0, default: 1, positional: true, doc: 'the least u' },
      { name: 'b', kind: 'number', above: 0, default: 16, positional: true, doc: 'the bound of u; a ≤ b' },
    ],
    random: true,
    resolve(site, { a, b }) {
      checkOrder(site, a, b);
      const { a: low, b: high } = uniform(site, fits(site, 'a', a), fits(site, 'b', b));
      return { kind: 'log_of_uniform', a: low, b: high };
    },
  }),
  dt_bias: define({
    summary: 'Biases whose softplus is log-uniform: the step sizes of Mamba.',
    formula: 'softplus⁻¹(dt) = dt + ln(1 − e^(−dt)), dt = max(exp(u), floor), u ~ U[ln min, ln max)',
    paper: 'Gu & Dao 2023, Mamba, arXiv:2312.00752',
    parameters: [
      { name: 'min', kind: 'number', ...steps, default: 0.001, positional: true, doc: 'the least step' },
      { name: 'max', kind: 'number', ...steps, default: 0.1, positional: true, doc: 'the largest step' },
      {
        name: 'floor',
        kind: 'number',
        min: 0,
        max: 1e4,
        default: 1e-4,
        positional: true,
        doc: 'what smaller steps become',
      },
    ],
    random: true,
    resolve: (_, { min, max, floor }) => ({ kind: 'dt_bias', min, max, floor }),
  }),
} as const;
