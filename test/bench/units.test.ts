import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parts_of } from '../../lib/bench/crew.js';
import { order_cores, parse_cpu_list } from '../../lib/bench/machine.js';
import { noise_of } from '../../lib/bench/run.js';
import { scalings, verdicts } from '../../lib/bench/scaling.js';
import { json_schema } from '../../lib/bench/schema.js';
import { spread_of, stats_of } from '../../lib/bench/stats.js';
import { doublings, main_suite, scaling_suite } from '../../lib/bench/suites.js';
import { report } from '../../lib/bench/table.js';
import { result, run_with } from './support.js';

test('docs/bench.schema.json is the schema of today (npm run bench:schema)', () => {
  const written: unknown = JSON.parse(readFileSync(new URL('../../docs/bench.schema.json', import.meta.url), 'utf8'));
  expect(written).toEqual(json_schema());
});

test('medians and quartiles', () => {
  expect(stats_of([5, 1, 3])).toEqual({ n: 3, min: 1, q1: 2, median: 3, q3: 4, max: 5 });
  expect(stats_of([7])).toEqual({ n: 1, min: 7, q1: 7, median: 7, q3: 7, max: 7 });
  expect(spread_of(stats_of([1, 2, 3, 4, 5]))).toBe(2 / 3);
});

test('parts cover all bytes, at pages, none too small', () => {
  for (const [bytes, threads] of [
    [100, 8],
    [2 ** 20, 8],
    [2 ** 24 + 12, 3],
    [2 ** 30, 256],
  ] as const) {
    const parts = parts_of(bytes, threads);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(bytes);
    for (const part of parts.slice(0, -1)) expect(part % 4096).toBe(0);
    expect(parts.length === 1 || Math.min(...parts) >= 252 * 1024).toBe(true);
  }
});

describe('cores', () => {
  test('lists', () => {
    expect(parse_cpu_list('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(parse_cpu_list('')).toEqual([0]);
  });

  // Two nodes of two cores with two threads each.
  const all = Array.from({ length: 8 }, (_, cpu) => ({ cpu, node: cpu % 2, sibling: cpu < 4 ? 0 : 1 }));
  test('compact: a node after the other, real cores first', () => {
    expect(order_cores(all, 'compact')).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  });
  test('spread: nodes in turn, real cores first', () => {
    expect(order_cores(all, 'spread')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

test('suites', () => {
  expect(doublings(6)).toEqual([1, 2, 4, 6]);
  expect(doublings(1)).toEqual([1]);
  const trials = main_suite({}, 8);
  expect(new Set(trials.map(({ threads }) => threads))).toEqual(new Set([1, 8]));
  expect(new Set(trials.map((trial) => JSON.stringify(trial))).size).toBe(trials.length);
  expect(main_suite({ fills: ['eye'], threads: [3] }, 8)).toEqual([
    { fill: 'eye', dtype: 'float32', log2: 24, threads: 3, memory: 'warm', executor: 'sync' },
  ]);
  expect(scaling_suite({ fills: ['normal'] }, 4)).toHaveLength(11 * 3);
});

test('scaling: speed-up, efficiency, and where memory is the limit', () => {
  const run = run_with([
    result({ threads: 1, log2: 26 }, 0.4, { memset: 0.1 }),
    result({ threads: 2, log2: 26 }, 0.2, { memset: 0.08 }),
    result({ threads: 8, log2: 26 }, 0.08, { memset: 0.075 }),
    result({ threads: 8, log2: 10 }, 0.08, { memset: 0.001 }),
  ]);
  const [scaling] = scalings(run);
  expect(scaling?.points.map(({ speedup }) => speedup)).toEqual([1, 2, 5]);
  expect(scaling?.points.map(({ efficiency }) => efficiency)).toEqual([1, 1, 0.625]);
  expect(verdicts(scalings(run))).toEqual(['normal_ 2^26 float32: bound by memory from 8 threads on']);
});

test('noise is what memset saw, within trials and between them', () => {
  const noise = noise_of([0.1, 0.11, 0.12].map((memset) => result({}, 1, { memset })));
  expect(noise.within).toBeCloseTo(0.02);
  expect(noise.between).toBeCloseTo(0.01 / 0.11);
});

test('the report warns of noise, and can be Markdown', () => {
  const run = run_with([result({}, 0.3)], { noise: { within: 0.02, between: 0.3 } });
  expect(report(run)).toContain('WARNING   more than 10 %');
  expect(report(run_with([result({}, 0.3)]))).not.toContain('WARNING');
  expect(report(run, { markdown: true })).toContain('| normal_ 2^20 | float32 | 1 | warm | 0.3 |');
});
