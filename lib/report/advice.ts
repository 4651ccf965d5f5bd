import { count } from '../core/text.js';
import type { SignalReport, SignalSeries } from './signals.js';
import { mainGain, type Stack } from './stack.js';
import { type LayerSignal, type LayerTheory, meanField } from './theory.js';

/** What a stack does to signals from one end to the other, in decades: 0 where they keep their size, Infinity and -Infinity beyond what numbers hold. */
export interface Change {
  /** Of the variance of activations, from the first layer to the last. */
  readonly activations: number;
  /** Of that of gradients, from the last layer to the first; NaN of a network whose activations are beyond what numbers hold. */
  readonly gradients: number;
  /** Between the layers whose weights have the largest and the smallest gradients; NaN as those. */
  readonly weightGradients: number;
}

type Layer = Pick<LayerSignal, 'variance' | 'gradient' | 'weightGradient'>;

export function changeOf(layers: readonly Layer[]): Change {
  const [first, last] = [layers[0], layers.at(-1)];
  const decades = (to = 0, from = 0) => {
    // Vanished, or beyond all numbers, from the first layer on.
    if (to === from && (to === 0 || to === Number.POSITIVE_INFINITY)) return Math.log10(to);
    return Math.log10(to / from);
  };
  const weights = layers.map(({ weightGradient }) => weightGradient);
  return {
    activations: decades(last?.variance, first?.variance),
    gradients: decades(first?.gradient, last?.gradient),
    weightGradients: Math.abs(decades(Math.max(...weights), Math.min(...weights))),
  };
}

/** Decades by which signals, gradients and the steps of weights are off, all together. */
const badness = ({ activations, gradients, weightGradients }: Change) => {
  const decades = Math.abs(activations) + Math.abs(gradients) + weightGradients;
  return Number.isNaN(decades) ? Number.POSITIVE_INFINITY : decades;
};

/** What no reader tells apart; 0 and -0 are one. */
const keyOf = ({ activations, gradients, weightGradients }: Change): string =>
  [activations, gradients, weightGradients].map((decades) => Number(decades.toFixed(3)) + 0).join();

const short = (x: number): string => String(Number(x.toPrecision(4)));
const factor = (change: number): string =>
  Math.abs(change) < 6 ? count(Number((10 ** Math.abs(change)).toPrecision(2))) : `10^${Math.abs(change).toFixed(0)}`;

/** `shrink by a factor of 39`. */
function does(change: number): string {
  if (!Number.isFinite(change)) return change < 0 ? 'vanish' : 'explode';
  if (10 ** Math.abs(change) < 1.05) return 'keep their size';
  return `${change < 0 ? 'shrink' : 'grow'} by a factor of ${factor(change)}`;
}

/** `a, b or c`. */
function listed(names: readonly string[], word: string): string {
  const shown = names.length > 4 ? [...names.slice(0, 3), `${names.length - 3} more`] : names;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} ${word} ${shown.at(-1)}`;
}

/** Weights of variance gain²/fan_in. */
const theoryOfGain = (stack: Stack, gain: number, biasStd: number) => {
  const inputs = stack.layers.map((_, i) => stack.layers[i - 1]?.width ?? stack.inputs);
  const variances = inputs.map((n) => (gain * gain) / n);
  return meanField(stack, variances, biasStd, Number.NaN);
};

const [leastGain, mostGain] = [0.1, 10];

/** The gain with which gradients come out of a stack as large as they went in; undefined where none does. */
export function gradientGain(stack: Stack, biasStd = 0): number | undefined {
  const off = (logGain: number) => {
    const { gradients } = changeOf(theoryOfGain(stack, Math.exp(logGain), biasStd));
    return Math.min(300, Math.max(-300, gradients));
  };
  if (stack.layers.length < 2) return undefined;
  // Regula falsi, with Illinois' halving of the end that stays.
  let [low, high] = [Math.log(leastGain), Math.log(mostGain)];
  let [below, above] = [off(low), off(high)];
  if (!(below < 0 && above > 0)) return undefined;
  for (let step = 0; step < 60 && high - low > 1e-6; step++) {
    // Far from level the change says little of where it is zero.
    const wide = high - low > 0.2;
    const middle = wide ? (low + high) / 2 : (low * above - high * below) / (above - below);
    const change = off(middle);
    if (Math.abs(change) < 1e-5) return Math.exp(middle);
    if (change < 0) [low, below, above] = [middle, change, wide ? above : above / 2];
    else [high, above, below] = [middle, change, wide ? below : below / 2];
  }
  return Math.exp((low + high) / 2);
}

/** What one sees, and which gain keeps what. */
export function explain(stack: Stack, biasStd: number, keeping: number | undefined): [string, string] {
  const { name, value, moment } = mainGain(stack);
  const sees =
    'Each line is how large signals are behind each layer, by theory, and each point the same in real random networks: where the line is level ' +
    'signals keep their size, where it falls they vanish, where it rises they explode, and gradients on their way back do the same.';
  const depth = stack.layers.length;
  const back =
    keeping === undefined
      ? ''
      : Math.abs(keeping - moment) < 1e-3
        ? ', and gradients as well'
        : `, and one of ${short(keeping)} brings gradients through these ${depth} layers at their size`;
  const others = [...new Set([moment, value])]
    .filter((gain) => keeping === undefined || Math.abs(gain - keeping) > 0.01)
    .map((gain) => {
      const says = gain === value && value !== moment ? ', as calculate_gain says,' : '';
      return `with ${short(gain)}${says} gradients ${does(changeOf(theoryOfGain(stack, gain, biasStd)).gradients)}`;
    });
  const instead = others.length > 0 && depth > 1 ? `; ${others.join(' and ')}` : '';
  const between = name === 'linear' ? 'no function' : name;
  return [
    sees,
    `Between layers of ${between} a gain of ${short(moment)} on weights of variance gain²/fan_in keeps the mean square of activations of size one${back}${instead}.`,
  ];
}

/** What signals do with an initializer. */
function telling(layers: readonly LayerTheory[]): string {
  const change = changeOf(layers);
  const { chi = Number.NaN, correlation = Number.NaN } = layers.at(-1) ?? {};
  const weights =
    change.weightGradients < Math.log10(1.05)
      ? 'all weights, and so all layers, get gradients of one size'
      : `gradients of weights, by which layers learn, differ by a factor of ${Number.isFinite(change.weightGradients) ? factor(change.weightGradients) : 'more than numbers hold'} between layers`;
  // What vanished altogether, or is beyond all numbers, has none.
  const inputs = Number.isNaN(correlation)
    ? ''
    : `two inputs of correlation 0.5 come out with ${Number(correlation.toPrecision(2))}, `;
  return (
    `activations ${does(change.activations)} and gradients ${does(change.gradients)}, ${weights}, ${inputs}` +
    `and a further layer would multiply the variance of gradients by ${Number(chi.toPrecision(3))}`
  );
}

/**
 * Which initializer to take, and why: one sentence on it and those that do the same, and one on the next. By theory, of weights that are random around zero:
 * the one with which activations, gradients and gradients of weights are the most level of all through this very stack.
 */
export function adviseOn(
  stack: Stack,
  series: readonly SignalSeries[],
): { readonly best: readonly string[]; readonly advice: SignalReport['advice'] } {
  const groups = new Map<string, { readonly names: string[]; readonly layers: readonly LayerTheory[] }>();
  for (const { name, theory } of series) {
    if (theory === null) continue;
    const key = keyOf(changeOf(theory));
    const group = groups.get(key) ?? { names: [], layers: theory };
    // Of what has the same variances, orthogonal ones first: all their singular values are alike (Saxe et al. 2013, Pennington et al. 2017).
    if (/^orthogonal\b/.test(name)) group.names.unshift(name);
    else group.names.push(name);
    groups.set(key, group);
  }
  const [first, second] = [...groups.values()].sort(
    (a, b) => badness(changeOf(a.layers)) - badness(changeOf(b.layers)),
  );
  const depth = stack.layers.length;
  if (first === undefined || depth < 2) return { best: [], advice: [] };
  const { name } = mainGain(stack);
  const layers = `${depth} layers of ${name === 'linear' ? 'no function' : name}`;
  const take = `Take ${listed(first.names, 'or')} for these ${layers}, with which signals are the most level, all three factors taken together: ${telling(first.layers)}.`;
  if (second === undefined) return { best: first.names, advice: [take] };
  const next = `Next ${second.names.length > 1 ? 'come' : 'comes'} ${listed(second.names, 'and')}, with which ${telling(second.layers)}.`;
  return { best: first.names, advice: [take, next] };
}
