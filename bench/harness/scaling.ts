import type { Table } from '../../lib/core/table.js';
import { counted } from '../../lib/core/text.js';
import { type Trial, titleOf } from './catalog.js';
import { gbPerS } from './run.js';
import type { BenchRun, TrialResult } from './schema.js';
import { digits, percent } from './tables.js';

/** From this share of memset's rate on, a fill is bound by memory. */
export const memoryBound = 0.85;

/** A fill on one thread count, held against one thread and against memory. */
export interface Point {
  readonly result: TrialResult;
  readonly threads: number;
  /** Times as fast as one thread. */
  readonly speedup: number | undefined;
  /** speedup / threads. */
  readonly efficiency: number | undefined;
  /** Its rate over memset's on as many threads. */
  readonly ofMemset: number | undefined;
}

/** All thread counts of a fill, dtype and size. */
export interface Scaling {
  readonly trial: Trial;
  readonly points: readonly Point[];
  /** The fewest threads from which on it is bound by memory; undefined if it is not on the most. */
  readonly boundFrom: number | undefined;
}

/** Groups results by all but the threads, and holds them against one thread. */
export function scalings({ results }: BenchRun): Scaling[] {
  const groups = new Map<string, TrialResult[]>();
  for (const result of results) {
    const { threads: _, ...rest } = result.trial;
    const key = JSON.stringify(rest);
    groups.set(key, [...(groups.get(key) ?? []), result]);
  }
  return [...groups.values()].flatMap((group) => {
    const sorted = [...group].sort((x, y) => x.trial.threads - y.trial.threads);
    const [first] = sorted;
    if (first === undefined) return [];
    const one = first.trial.threads === 1 ? first : undefined;
    const points = sorted.map((result): Point => {
      const { threads } = result.trial;
      const speedup = one && one.ns.median / result.ns.median;
      return {
        result,
        threads,
        speedup,
        efficiency: speedup && speedup / threads,
        ofMemset: result.memset === null ? undefined : result.memset.median / result.ns.median,
      };
    });
    const bound = (point: Point) => (point.ofMemset ?? 0) >= memoryBound;
    // After the last that is not.
    const boundFrom = points[points.findLastIndex((point) => !bound(point)) + 1]?.threads;
    return [{ trial: first.trial, points, boundFrom }];
  });
}

/** Where each fill turns memory-bound on its largest size, in words. */
export function verdicts(all: readonly Scaling[]): string[] {
  const largest = new Map<string, Scaling>();
  for (const scaling of all) {
    const key = JSON.stringify({ ...scaling.trial, log2: 0, threads: 0 });
    if (scaling.trial.log2 >= (largest.get(key)?.trial.log2 ?? 0)) largest.set(key, scaling);
  }
  return [...largest.values()].map(({ trial, points, boundFrom }) => {
    const name = `${titleOf(trial)} ${trial.dtype}`;
    if (boundFrom !== undefined) return `${name}: bound by memory from ${counted(boundFrom, 'thread')} on`;
    const last = points.at(-1);
    if (last?.ofMemset === undefined) return `${name}: not held against memory`;
    return `${name}: bound by arithmetic up to ${counted(last.threads, 'thread')}, where it has ${percent(last.ofMemset)} of memset's rate`;
  });
}

/** The scalings as a table: a line for each size and thread count. */
export function scalingTable(all: readonly Scaling[]): Table {
  const orDash = (x: number | undefined, show: (x: number) => string) => (x === undefined ? '–' : show(x));
  return {
    head: ['fill', 'dtype', 'threads', 'ns/element', 'GB/s', 'of memset', 'speedup', 'efficiency'],
    align: ['left', 'left', 'right', 'point', 'point', 'right', 'point', 'right'],
    rows: all.flatMap(({ trial, points }) =>
      points.map(({ result, threads, speedup, efficiency, ofMemset }) => [
        titleOf(trial),
        trial.dtype,
        String(threads),
        digits(result.ns.median),
        digits(gbPerS(result.ns, result)),
        orDash(ofMemset, percent),
        orDash(speedup, (x) => `${digits(x)} ×`),
        orDash(efficiency, percent),
      ]),
    ),
  };
}
