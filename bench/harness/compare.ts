import type { Table } from '../../lib/core/table.js';
import type { BenchRun, TrialResult } from './schema.js';
import { spreadOf } from './stats.js';
import { digits, noiseWarning } from './tables.js';

/** Below this, a difference is never called one: even quiet machines differ by it from one process to the next. */
export const leastNoise = 0.03;

export interface Comparison {
  readonly id: string;
  readonly a: TrialResult;
  readonly b: TrialResult;
  /** Time of b over time of a: above 1, b is slower. */
  readonly ratio: number;
  /** What the ratio may differ from 1 by without meaning anything. */
  readonly noise: number;
  /** memset's ratio: what the machine itself did. */
  readonly memset: number | undefined;
  /** None for a difference where one of the runs warns of noise, and where memset is to be the unit and one of them has none. */
  readonly verdict: 'slower' | 'faster' | 'same' | 'none';
}

export interface CompareOptions {
  /** Judge times in units of memset's in the same trial, for runs on different machines. */
  readonly relative?: boolean;
  /** The least noise, in place of leastNoise. */
  readonly tolerance?: number;
}

/**
 * Compares what two runs have in common.
 *
 * The noise of a ratio is √(sa² + sb² + da² + db² + m²): s is the spread of a trial (the distance of its quartiles over its
 * median), d how far memset wandered between the trials of a run, and m how far memset moved in this trial to the side to which
 * the ratio lies: what slows memset down, in turn with the fill, is the machine.
 */
export function compare(
  a: BenchRun,
  b: BenchRun,
  { relative = false, tolerance = leastNoise }: CompareOptions = {},
): Comparison[] {
  const rough = [a, b].some((run) => noiseWarning(run) !== undefined);
  const before = new Map(a.results.map((result) => [result.id, result]));
  return b.results.flatMap((now) => {
    const was = before.get(now.id);
    if (was === undefined) return [];
    const memset = was.memset === null || now.memset === null ? undefined : now.memset.median / was.memset.median;
    const ratio = now.ns.median / was.ns.median / (relative ? (memset ?? 1) : 1);
    const spreads = [was, now].flatMap((result) => {
      const limit = relative && result.memset !== null ? [spreadOf(result.memset)] : [];
      return [spreadOf(result.ns), ...limit];
    });
    const moved = relative ? 0 : drift(ratio, memset);
    const noise = Math.max(tolerance, Math.hypot(...spreads, a.noise.between ?? 0, b.noise.between ?? 0, moved));
    const isSame = ratio <= 1 + noise && ratio >= 1 / (1 + noise);
    const isWithoutUnit = relative && memset === undefined;
    const verdict = isWithoutUnit ? 'none' : isSame ? 'same' : rough ? 'none' : ratio > 1 ? 'slower' : 'faster';
    return [{ id: now.id, a: was, b: now, ratio, noise, memset, verdict } as const];
  });
}

/** How far memset moved to the side to which a ratio lies. */
function drift(ratio: number, memset = 1): number {
  return Math.max(0, ratio > 1 ? memset - 1 : 1 / memset - 1);
}

/** The comparisons, as a table. */
export function compareTable(comparisons: readonly Comparison[]): Table {
  return {
    head: ['trial', 'a, ns', 'b, ns', 'b / a', 'noise', 'memset b / a', ''],
    align: ['left', 'right', 'right', 'right', 'right', 'right', 'left'],
    rows: comparisons.map(({ id, a, b, ratio, noise, memset, verdict }) => [
      id,
      digits(a.ns.median),
      digits(b.ns.median),
      ratio.toFixed(3),
      `± ${noise.toFixed(3)}`,
      memset === undefined ? '–' : memset.toFixed(3),
      verdict === 'same' ? '' : verdict === 'none' ? 'no verdict' : verdict,
    ]),
  };
}

/** What makes two runs hard to compare. */
export function differences(a: BenchRun, b: BenchRun): string[] {
  const facts = ['cpu', 'cores', 'simd_target', 'huge_pages', 'governor', 'node', 'compiler'] as const;
  const pairs = facts.map((fact) => [fact, a.machine[fact], b.machine[fact]] as const);
  return [...pairs, ['affinity', a.affinity, b.affinity] as const].flatMap(([fact, x, y]) =>
    x === y ? [] : [`${fact} differs: ${x} and ${y}`],
  );
}
