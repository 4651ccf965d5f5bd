import { checkInteger, checkOptions, rangeError, show, typeError } from '../core/check.js';
import type { Fill } from '../core/fill.js';
import type { Initializer } from '../init/initializers.js';
import { resolveFor } from '../init/resolve.js';
import { checkFillOptions, throwIfAborted } from '../pool/operation.js';
import { checkSeed } from '../random/names.js';
import { adviseOn, explain, gradientGain } from './advice.js';
import { type GainGrid, gainGrid, gridCells } from './gain-grid.js';
import { type LayerPoint, runNetwork } from './network.js';
import { mainGain, parseStack, type Stack } from './stack.js';
import { edgeOfChaos, type LayerSignal, type LayerTheory, meanField, weightVariance } from './theory.js';
import { type BlockMatrices, blockShapes, residualScale, runTransformer, transformerTheory } from './transformer.js';

export type { Change } from './advice.js';
export type { GainGrid } from './gain-grid.js';
export type { LayerSignal, LayerTheory } from './theory.js';

/** A number over those of several networks that have it: signals that vanished altogether have no correlation. NaN where none has. */
export interface Spread {
  readonly mean: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Counts of values in bins of equal width over [-reach, reach]; what lies beyond is in the outermost ones. */
export interface ValueCounts {
  readonly reach: number;
  readonly counts: readonly number[];
}

/** One initializer on the stack. */
export interface SignalSeries {
  /** `xavier_uniform`, `kaiming_normal, nonlinearity tanh`. */
  readonly name: string;
  readonly initializer: Initializer;
  /** The standard deviation of the first layer's weights times √fan_in; null where theory has nothing to say. */
  readonly weight: number | null;
  /** Layer by layer; null for weights that are not random or not around zero. */
  readonly theory: readonly LayerTheory[] | null;
  /** Of real networks, layer by layer. */
  readonly networks: readonly { readonly [K in keyof LayerSignal]: Spread }[];
  /** Activations and gradients themselves, at up to five depths. Empty for transformers. */
  readonly samples: readonly {
    readonly layer: number;
    readonly activations: ValueCounts;
    readonly gradients: ValueCounts;
  }[];
}

/** Signals through depth. */
export interface SignalReport {
  readonly stack: string;
  readonly kind: 'linear' | 'transformer';
  readonly inputs: number;
  readonly widths: readonly number[];
  readonly biasStd: number;
  readonly seeds: readonly string[];
  /** The function behind most layers, its gain in PyTorch's table, and the one that keeps the mean square of N(0, 1). */
  readonly activation: string;
  readonly gain: number;
  readonly keepingGain: number;
  readonly series: readonly SignalSeries[];
  /** Pairs (σ_w, σ_b) at which gradients neither vanish nor explode. Empty for transformers. */
  readonly edge: readonly { readonly weight: number; readonly bias: number }[];
  /** The gain that brings gradients through this stack as large as they went in; null where none does, and for transformers. */
  readonly gradientGain: number | null;
  /** What one sees, and which gain keeps the variance: two sentences. */
  readonly explanation: readonly [string, string];
  /** Those of `series` with which signals are the most level, by theory; several that theory cannot tell apart. Empty for transformers. */
  readonly best: readonly string[];
  /** Which of the initializers to take and why, and which is next: two sentences at most. Empty for transformers. */
  readonly advice: readonly string[];
  /** The ten under all gains; null for transformers, and where initializers were chosen. */
  readonly grid: GainGrid | null;
}

export interface SignalReportOptions {
  /** What the weights begin as; by default ten of `torch.nn.init`. */
  readonly initializers?: readonly Initializer[] | undefined;
  /** Of the biases of linear layers, which are normal; 0 by default. */
  readonly biasStd?: number | undefined;
  /** One network each, in [-2^63, 2^64); 0 to 4 by default. */
  readonly seeds?: readonly (number | bigint)[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called as layers are passed, in networks and by theory, each on the way there and on the way back. */
  readonly onProgress?: ((progress: SignalProgress) => void) | undefined;
}

/** How far a report of signals is. */
export interface SignalProgress {
  readonly layers: number;
  readonly totalLayers: number;
}

const defaults: readonly Initializer[] = [
  'uniform',
  'normal',
  'trunc_normal',
  'xavier_uniform',
  'xavier_normal',
  'kaiming_uniform',
  'kaiming_normal',
  'orthogonal',
  { init: 'sparse', sparsity: 0.1 },
  'eye',
];
const transformerDefaults: readonly Initializer[] = [{ init: 'normal', std: 0.02 }];
const mostSeries = 32;
const mostNetworks = 10_000;

/**
 * Follows signals through a stack of layers: what mean-field theory says of the variance of activations and of gradients, layer by layer, and what real
 * random networks do.
 *
 *     const report = await signalReport('linear 512 x 50, tanh', { initializers: ['xavier_normal', 'kaiming_normal'] });
 *     report.explanation;                                  // two sentences
 *
 * @param stack `linear WIDTH x LAYERS, FUNCTION`, several of these with commas between, `input WIDTH` in front if it has another one; or
 *   `transformer WIDTH x BLOCKS, FUNCTION`, for which each initializer is shown with and without GPT-2's 1/√(2·blocks)
 * @throws TypeError and RangeError for a stack, initializers and options; the signal's reason
 */
export async function signalReport(stack: string, options?: SignalReportOptions): Promise<SignalReport> {
  const fn = 'signalReport';
  const given = checkOptions(fn, options, ['initializers', 'biasStd', 'seeds', 'signal', 'onProgress']);
  const parsed = parseStack(fn, stack);
  const kind = parsed.layers[0]?.kind ?? 'linear';
  const { onProgress } = options ?? {};
  checkFillOptions(fn, { signal: given.signal, onProgress });
  const signal = given.signal as AbortSignal | undefined;
  const initializers = checkList(
    fn,
    'initializers',
    given.initializers,
    kind === 'linear' ? defaults : transformerDefaults,
    mostSeries,
  );
  const seeds = checkList(fn, 'seeds', given.seeds, [0, 1, 2, 3, 4], mostNetworks).map((seed) => checkSeed(fn, seed));
  const biasStd = checkStd(fn, given.biasStd ?? 0);
  if (kind === 'transformer' && biasStd > 0)
    throw rangeError(fn, 'biasStd', '0', biasStd, 'blocks of a transformer have no biases here');
  const { name: activation, value: gain, moment } = mainGain(parsed);
  const series: SignalSeries[] = [];
  const known = new Map<string, readonly LayerTheory[]>();
  const theoryOf = (variances: readonly number[]) => {
    const key = variances.map((variance) => variance.toPrecision(12)).join();
    const theory = known.get(key) ?? meanField(parsed, variances, biasStd);
    known.set(key, theory);
    return theory;
  };
  const isLinear = kind === 'linear';
  const hasGrid = isLinear && given.initializers === undefined;
  const networks = initializers.length * seeds.length * (isLinear ? 1 : residualScales(parsed).length);
  const totalLayers = 2 * parsed.layers.length * (networks + (hasGrid ? gridCells() : 0));
  let layers = 0;
  const passed = (count: number) => {
    throwIfAborted(signal);
    layers += count;
    onProgress?.({ layers, totalLayers });
  };
  const run = { stack: parsed, seeds, biasStd, onLayer: () => passed(1), theoryOf };
  for (const initializer of initializers as readonly Initializer[]) {
    if (isLinear) series.push(await linearSeries(initializer, run));
    else series.push(...(await transformerSeries(initializer, run)));
  }
  const keeping = isLinear ? gradientGain(parsed, biasStd) : undefined;
  const { best, advice } = isLinear ? adviseOn(parsed, series) : { best: [], advice: [] };
  return {
    stack,
    kind,
    inputs: parsed.inputs,
    widths: parsed.layers.map(({ width }) => width),
    biasStd,
    seeds: seeds.map(String),
    activation,
    gain,
    keepingGain: moment,
    series,
    edge: isLinear ? edgeOfChaos(activation) : [],
    gradientGain: keeping ?? null,
    explanation: isLinear ? explain(parsed, biasStd, keeping) : explainTransformer(series),
    best,
    advice,
    grid: hasGrid ? await gainGrid(parsed, biasStd, seeds[0] as bigint, passed) : null,
  };
}

function checkList<T>(fn: string, name: string, value: unknown, by: readonly T[], most: number): readonly T[] {
  if (value === undefined) return by;
  if (!Array.isArray(value)) throw typeError(fn, name, 'an array', value);
  checkInteger(fn, `${name}.length`, value.length, 1, most);
  return value as T[];
}

function checkStd(fn: string, value: unknown): number {
  if (typeof value !== 'number') throw typeError(fn, 'biasStd', 'a finite number ≥ 0', value);
  if (!(value >= 0 && value <= 1e6)) throw rangeError(fn, 'biasStd', 'a number from 0 to 1,000,000', value);
  return value;
}

interface Run {
  readonly stack: Stack;
  readonly seeds: readonly bigint[];
  readonly biasStd: number;
  readonly onLayer: () => void;
  /** Of weights with such variances: several initializers have the same. */
  readonly theoryOf: (variances: readonly number[]) => readonly LayerTheory[];
}

async function linearSeries(
  initializer: Initializer,
  { stack, seeds, biasStd, onLayer, theoryOf }: Run,
): Promise<SignalSeries> {
  const inputsOf = (i: number) => stack.layers[i - 1]?.width ?? stack.inputs;
  const fills = stack.layers.map(({ width }, i) => resolveFor('signalReport', initializer, [width, inputsOf(i)]));
  const variances = fills.map(weightVariance);
  const known = variances.every((variance): variance is number => variance !== undefined);
  const depths = stack.layers.length;
  const sampled = new Set([0, 1, 2, 3, 4].map((i) => Math.round((i * (depths - 1)) / 4)));
  const points: (readonly LayerPoint[])[] = [];
  for (const seed of seeds) {
    // One network's values are shown; all of them would fill memory.
    const kept = points.length === 0 ? sampled : undefined;
    points.push(await runNetwork(stack, fills, seed, { biasStd, sampled: kept, onLayer }));
  }
  return {
    name: nameOf(initializer),
    initializer,
    weight: known ? Math.sqrt(stack.inputs * (variances[0] ?? 0)) : null,
    theory: known ? theoryOf(variances) : null,
    networks: spreads(points),
    samples: samplesOf(points[0] ?? []),
  };
}

/** With and without GPT-2's scale of outputs. */
const residualScales = (stack: Stack) =>
  [
    [1, ''],
    [residualScale(stack), ', outputs ÷ √(2L)'],
  ] as const;

async function transformerSeries(initializer: Initializer, { stack, seeds, onLayer }: Run): Promise<SignalSeries[]> {
  const shapes = blockShapes(stack.inputs);
  const fills: BlockMatrices<Fill> = {
    value: resolveFor('signalReport', initializer, shapes.value),
    output: resolveFor('signalReport', initializer, shapes.output),
    up: resolveFor('signalReport', initializer, shapes.up),
    down: resolveFor('signalReport', initializer, shapes.down),
  };
  const variances = {
    value: weightVariance(fills.value),
    output: weightVariance(fills.output),
    up: weightVariance(fills.up),
    down: weightVariance(fills.down),
  };
  const known = Object.values(variances).every((variance) => variance !== undefined);
  const series: SignalSeries[] = [];
  for (const [scale, suffix] of residualScales(stack)) {
    const points: (readonly LayerPoint[])[] = [];
    for (const seed of seeds) {
      points.push(await runTransformer(stack, fills, seed, scale, onLayer));
    }
    series.push({
      name: nameOf(initializer) + suffix,
      initializer,
      weight: known ? Math.sqrt(stack.inputs * (variances.value ?? 0)) : null,
      theory: known ? transformerTheory(stack, variances as BlockMatrices<number>, scale) : null,
      networks: spreads(points),
      samples: [],
    });
  }
  return series;
}

function nameOf(initializer: Initializer): string {
  if (typeof initializer === 'string') return initializer;
  const { init, ...parameters } = initializer as { readonly init: string } & Readonly<Record<string, unknown>>;
  const words = Object.entries(parameters).map(([name, value]) => {
    return `${name} ${typeof value === 'number' ? Number(value.toPrecision(5)) : typeof value === 'string' ? value : show(value)}`;
  });
  return [init, ...words].join(', ');
}

const quantities = ['mean', 'square', 'variance', 'gradient', 'weightGradient', 'correlation'] as const;

function spreads(runs: readonly (readonly LayerPoint[])[]): SignalSeries['networks'] {
  return (runs[0] ?? []).map((_, i) => {
    const of = (what: (typeof quantities)[number]): Spread => {
      const values = runs.map((run) => run[i]?.[what] ?? Number.NaN).filter((value) => !Number.isNaN(value));
      if (values.length === 0) return { mean: Number.NaN, median: Number.NaN, min: Number.NaN, max: Number.NaN };
      values.sort((a, b) => a - b);
      const middle = values.length / 2;
      const median = ((values[Math.ceil(middle) - 1] as number) + (values[Math.floor(middle)] as number)) / 2;
      const mean = values.reduce((all, value) => all + value, 0) / values.length;
      return { mean, median, min: values[0] as number, max: values.at(-1) as number };
    };
    return {
      mean: of('mean'),
      square: of('square'),
      variance: of('variance'),
      gradient: of('gradient'),
      weightGradient: of('weightGradient'),
      correlation: of('correlation'),
    };
  });
}

const sampleBins = 61;

/** All depths over the same reach, so that what shrinks is seen to. */
function samplesOf(points: readonly LayerPoint[]): SignalSeries['samples'] {
  const kept = points.flatMap(({ samples }, layer) =>
    samples === undefined ? [] : [{ layer: layer + 1, ...samples }],
  );
  const [a, g] = [reachOf(kept.map((each) => each.activations)), reachOf(kept.map((each) => each.gradients))];
  return kept.map(({ layer, activations, gradients }) => {
    return { layer, activations: countsOf(activations, a), gradients: countsOf(gradients, g) };
  });
}

function reachOf(lists: readonly Float64Array[]): number {
  const ends = lists.map((values) => values.map(Math.abs).sort()[Math.floor(0.995 * (values.length - 1))] ?? 0);
  const most = Math.max(...ends.filter(Number.isFinite), 0);
  return most > 0 ? most : 1;
}

function countsOf(values: Float64Array, reach: number): ValueCounts {
  const counts = Array.from({ length: sampleBins }, () => 0);
  for (const value of values) {
    const bin = Math.floor(((value / reach + 1) * sampleBins) / 2);
    const within = Math.min(sampleBins - 1, Math.max(0, bin));
    if (!Number.isNaN(within)) counts[within] = (counts[within] as number) + 1;
  }
  return { reach, counts };
}

function explainTransformer(series: readonly SignalSeries[]): [string, string] {
  const words = series.map(
    (each) =>
      `with ${each.name} it grows to ${short(each.theory?.at(-1)?.square ?? each.networks.at(-1)?.square.median ?? 0)}`,
  );
  return [
    'Each line is the mean square of the residual stream behind each block, which begins at 1, by theory, and each point the same in real random networks: every block ' +
      'adds its part, and norms in front of the blocks hide how large the sum has become.',
    `Without a scale it grows with each block, and with output matrices divided by √(2L) all L blocks together add as much as one would: ${words.join(', ')}.`,
  ];
}

const short = (x: number): string => String(Number(x.toPrecision(4)));
