import { setImmediate } from 'node:timers/promises';
import { gains } from '../init/gain.js';
import type { Initializer } from '../init/initializers.js';
import { resolve } from '../init/resolve.js';
import { type Change, changeOf } from './advice.js';
import { runNetwork } from './network.js';
import type { Stack } from './stack.js';
import { meanField, weightVariance } from './theory.js';

/** Ten initializers of torch.nn.init under each gain of the table: what a stack does to signals, by theory where it has something to say. */
export interface GainGrid {
  /** Each value once, in order, with the functions whose it is. */
  readonly gains: readonly { readonly value: number; readonly names: readonly string[] }[];
  readonly rows: readonly {
    readonly name: string;
    /** Whether these are of theory, or of one real network. */
    readonly by: 'theory' | 'network';
    /** One for each gain. */
    readonly cells: readonly Change[];
  }[];
}

/** The ten with a gain of one: those that take none have their weights multiplied by it. */
const rows: readonly Initializer[] = [
  'uniform',
  'normal',
  'trunc_normal',
  'xavier_uniform',
  'xavier_normal',
  { init: 'kaiming_uniform', nonlinearity: 'linear' },
  { init: 'kaiming_normal', nonlinearity: 'linear' },
  'orthogonal',
  { init: 'sparse', sparsity: 0.1 },
  'eye',
];

/** Values that no eye tells apart are one, as relu's and that of leaky_relu. */
function distinctGains(): GainGrid['gains'] {
  const all: { value: number; names: string[] }[] = [];
  for (const { name, value } of gains) {
    if (/^conv/.test(name)) continue; // as linear
    const same = all.find((each) => Math.abs(each.value / value - 1) < 1e-3);
    if (same === undefined) all.push({ value, names: [name] });
    else same.names.push(name);
  }
  return all.sort((a, b) => a.value - b.value);
}

/** How many cells a grid has. */
export const gridCells = (): number => rows.length * distinctGains().length;

/** @param passed called with the layers that were passed; throws where the work is to stop */
export async function gainGrid(
  stack: Stack,
  biasStd: number,
  seed: bigint,
  passed: (layers: number) => void,
): Promise<GainGrid> {
  const columns = distinctGains();
  const onLayer = () => passed(1);
  const known = new Map<string, Change>(); // several initializers have the same variances
  const made: GainGrid['rows'][number][] = [];
  for (const initializer of rows) {
    const fills = stack.layers.map(({ width }, i) =>
      resolve(initializer, [width, stack.layers[i - 1]?.width ?? stack.inputs]),
    );
    const variances = fills.map(weightVariance);
    const isKnown = variances.every((variance): variance is number => variance !== undefined);
    const cells: Change[] = [];
    for (const { value } of columns) {
      if (isKnown) {
        await setImmediate(); // signals and timers have their turn
        passed(2 * stack.layers.length);
        const scaled = variances.map((variance) => variance * value * value);
        const key = scaled.map((variance) => variance.toPrecision(9)).join();
        const change = known.get(key) ?? changeOf(meanField(stack, scaled, biasStd, Number.NaN));
        known.set(key, change);
        cells.push(change);
      } else cells.push(changeOf(await runNetwork(stack, fills, seed, { biasStd, factor: value, onLayer })));
    }
    const name = typeof initializer === 'string' ? initializer : (initializer as { readonly init: string }).init;
    made.push({ name, by: isKnown ? 'theory' : 'network', cells });
  }
  return { gains: columns, rows: made };
}
