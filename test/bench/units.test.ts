import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { describe, expect, test } from 'vitest';
import type { Trial } from '../../bench/harness/catalog.js';
import { chain, chainCycles } from '../../bench/harness/clock.js';
import { partsOf } from '../../bench/harness/crew.js';
import { csvOf } from '../../bench/harness/csv.js';
import { coresForPeer, orderCores, parseCpuList, siblingOf, usableCores } from '../../bench/harness/machine.js';
import { tooLarge } from '../../bench/harness/memory.js';
import { steering } from '../../bench/harness/peers/index.js';
import { checkMoments } from '../../bench/harness/peers/loop.js';
import { noiseOf } from '../../bench/harness/run.js';
import { scalings, verdicts } from '../../bench/harness/scaling.js';
import { type BenchRun, jsonSchema, type TrialResult } from '../../bench/harness/schema.js';
import { spreadOf, statsOf } from '../../bench/harness/stats.js';
import { doublings, mainSuite, quickSuite, type Selection, scalingSuite } from '../../bench/harness/suites.js';
import { headline, peersTable, report } from '../../bench/harness/tables.js';
import { scalingReport } from '../../lib/cli/bench-results.js';
import { textTable } from '../../lib/core/table.js';
import { result, runWith, times } from './support.js';

test('docs/bench.schema.json is the schema of today (npm run bench:schema)', () => {
  const written: unknown = JSON.parse(readFileSync(new URL('../../docs/bench.schema.json', import.meta.url), 'utf8'));
  expect(written).toEqual(jsonSchema());
});

test('medians and quartiles', () => {
  expect(statsOf([5, 1, 3])).toEqual({ n: 3, min: 1, q1: 2, median: 3, q3: 4, max: 5 });
  expect(statsOf([7])).toEqual({ n: 1, min: 7, q1: 7, median: 7, q3: 7, max: 7 });
  expect(spreadOf(statsOf([1, 2, 3, 4, 5]))).toBe(2 / 3);
});

test('parts cover all bytes, at pages, none too small', () => {
  for (const [bytes, threads] of [
    [100, 8],
    [2 ** 20, 8],
    [2 ** 24 + 12, 3],
    [2 ** 30, 256],
  ] as const) {
    const parts = partsOf(bytes, threads);
    expect(parts.reduce((sum, part) => sum + part, 0)).toBe(bytes);
    for (const part of parts.slice(0, -1)) expect(part % 4096).toBe(0);
    expect(parts.length === 1 || Math.min(...parts) >= 252 * 1024).toBe(true);
  }
});

describe('cores', () => {
  test('lists', () => {
    expect(parseCpuList('0-3,8,10-11')).toEqual([0, 1, 2, 3, 8, 10, 11]);
    expect(parseCpuList('5')).toEqual([5]);
  });

  // A node of high-bandwidth or attached memory: its list once put core 0 there.
  test('a memory node without cores has none', () => {
    expect(parseCpuList('')).toEqual([]);
    expect(parseCpuList('\n')).toEqual([]);
  });

  test('a core whose first hardware thread is not allowed is a real core by its second', () => {
    expect([0, 4].map((cpu) => siblingOf(cpu, '0,4', [0, 1, 4, 5]))).toEqual([0, 1]);
    expect(siblingOf(4, '0,4', [1, 4])).toBe(0);
  });

  test('no more than a container grants', () => {
    expect(usableCores(1)).toBe(1);
    expect(usableCores(10_000)).toBe(availableParallelism());
    expect(usableCores(undefined)).toBeGreaterThanOrEqual(1);
  });

  test.runIf(process.platform === 'linux')('a peer has as many as the trial that it is compared with', () => {
    expect(coresForPeer(1, 'none')).toHaveLength(1);
    expect(coresForPeer(1024, 'none').length).toBeGreaterThanOrEqual(usableCores());
  });

  // Two nodes of two cores with two threads each.
  const all = Array.from({ length: 8 }, (_, cpu) => ({ cpu, node: cpu % 2, sibling: cpu < 4 ? 0 : 1 }));
  test('compact: a node after the other, real cores first', () => {
    expect(orderCores(all, 'compact')).toEqual([0, 2, 1, 3, 4, 6, 5, 7]);
  });
  test('spread: nodes in turn, real cores first', () => {
    expect(orderCores(all, 'spread')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });
});

test('suites', () => {
  expect(doublings(6)).toEqual([1, 2, 4, 6]);
  expect(doublings(1)).toEqual([1]);
  const trials = mainSuite({}, 8);
  expect(new Set(trials.map(({ threads }) => threads))).toEqual(new Set([1, 8]));
  expect(new Set(trials.map((trial) => JSON.stringify(trial))).size).toBe(trials.length);
  expect(mainSuite({ fills: ['eye'], threads: [3] }, 8)).toEqual([
    { fill: 'eye', dtype: 'float32', log2: 24, threads: 3, memory: 'warm', executor: 'sync' },
  ]);
  expect(scalingSuite({ fills: ['normal'] }, 4)).toHaveLength(11 * 3);
});

test('the quick suite has the common fills on all threads, and no more than twenty seconds are for', () => {
  const trials = quickSuite(8);
  expect(trials.length).toBeLessThan(9);
  expect(trials.map(({ fill, threads }) => `${fill} ${threads}`)).toEqual(
    expect.arrayContaining(['constant 8', 'uniform 1', 'uniform 8', 'normal 1', 'normal 8', 'trunc_normal 8']),
  );
  expect(quickSuite(1).every(({ threads }) => threads === 1)).toBe(true);
});

test('a chain takes the cycles that it says: no compiler leaves any of it out', () => {
  const ns = () => {
    const start = process.hrtime.bigint();
    chain();
    return Number(process.hrtime.bigint() - start);
  };
  const best = Math.min(...Array.from({ length: 300 }, ns));
  expect(chainCycles / best).toBeGreaterThan(0.2);
  expect(chainCycles / best).toBeLessThan(10);
});

describe('in one line', () => {
  const results = [
    result({ fill: 'constant', threads: 2, log2: 26 }, 0.1, { memset: 0.125 }),
    result({ fill: 'uniform', threads: 2, log2: 26 }, 0.125, { memset: 0.125 }),
    result({ fill: 'uniform', threads: 1, log2: 26 }, 0.2, { memset: 0.05 }),
    result({ fill: 'normal', threads: 2, log2: 26 }, 0.2, { memset: 0.16 }),
  ];

  test('a run says how near it came to the write bandwidth, which is the better of memset and a constant fill', () => {
    expect(headline(runWith(results))).toBe(
      "uniform_ float32 on 2 threads: 32 GB/s, 80 % of this machine's write bandwidth (40 GB/s)\n" +
        "normal_ float32 on 2 threads: 20 GB/s, 50 % of this machine's write bandwidth (40 GB/s)\n",
    );
    expect(report(runWith(results))).toContain('80 % of this machine');
  });

  test('a noisy run says nothing, nor does one of small tensors', () => {
    expect(headline(runWith(results, { noise: { within: 0.3, between: null } }))).toBe('no verdict: see the warning\n');
    expect(headline(runWith([result({ fill: 'uniform', log2: 16 }, 0.1)]))).toBe('');
  });
});

test('CSV has a row for each result, those of peers too', () => {
  const run = runWith([{ ...result({ fill: 'uniform', dtype: 'bfloat16', log2: 4 }, 0.5), bytes: 32, ghz: 4 }], {
    peers: [{ name: 'torch', label: 'PyTorch', version: '2.13, "nightly"' }],
    peer_results: [{ peer: 'torch', fill: 'uniform', dtype: 'bfloat16', log2: 4, threads: 2, ns: times(2, 0) }],
  });
  expect(csvOf(run)).toBe(
    [
      'library,fill,dtype,elements,bytes,threads,memory,executor,rounds,min_ns,q1_ns,median_ns,q3_ns,max_ns,bytes_per_s,ghz,cycles_per_element,cycles_per_byte,memset_ns,memcpy_ns,checksum',
      'nninit,uniform,bfloat16,16,32,1,warm,sync,11,0.495,0.495,0.5,0.505,0.505,4000000000,4,2,1,0.1,0.2,0123456789abcdef',
      '"PyTorch 2.13, ""nightly""",uniform,bfloat16,16,32,2,warm,sync,11,2,2,2,2,2,1000000000,,,,,,',
      '',
    ].join('\r\n'),
  );
});

test('the main suite measures what is asked for by name', () => {
  const of = (selection: Selection) =>
    mainSuite({ threads: [1], ...selection }, 8).map(({ fill, dtype, log2 }) => `${fill} ${dtype} ${log2}`);
  expect(of({ fills: ['zeros'] })).toEqual(['zeros float32 26']);
  expect(of({ fills: ['trunc_normal'], dtypes: ['bfloat16'], log2: [20] })).toEqual(['trunc_normal bfloat16 20']);
  expect(of({ fills: ['orthogonal'], dtypes: ['float64'] })).toEqual(['orthogonal float64 22']);
  expect(of({ fills: ['xavier_uniform'], log2: [13] })).toEqual(['xavier_uniform float32 12']);
});

test('scaling: speed-up, efficiency, and where memory is the limit', () => {
  const run = runWith([
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

test('bound by memory from a thread count on means on all that are more', () => {
  const run = runWith(
    [0.11, 0.08, 0.055].map((ns, i) =>
      result({ threads: 2 ** i, log2: 26 }, ns, { memset: [0.1, 0.06, 0.05][i] ?? 0 }),
    ),
  );
  expect(verdicts(scalings(run))).toEqual(['normal_ 2^26 float32: bound by memory from 4 threads on']);
});

test('noise is what memset saw, within trials and between them', () => {
  const noise = noiseOf([0.1, 0.11, 0.12].map((memset) => result({}, 1, { memset })));
  expect(noise.within).toBeCloseTo(0.02);
  expect(noise.between).toBeCloseTo(0.01 / 0.11);
});

test('what too few trials say of noise between them is nothing', () => {
  const noise = noiseOf([result({}, 1), result({}, 1, { memset: 0.2 })]);
  expect(noise.between).toBeNull();
  expect(report(runWith([result({}, 1)], { noise }))).toMatch(/memset varied by \d+ % within trials\n/);
});

test('the report warns of noise, and can be Markdown', () => {
  const run = runWith([result({}, 0.3)], { noise: { within: 0.02, between: 0.3 } });
  expect(report(run)).toContain('WARNING   more than 10 %');
  expect(report(runWith([result({}, 0.3)]))).not.toContain('WARNING');
  expect(report(run, { markdown: true })).toContain('| normal_ 2^20 | float32 | 1 | warm | 0.3 |');
});

test('what ran on several threads only is not shown as of one', () => {
  const peer = { peer: 'torch', fill: 'normal', dtype: 'float32', log2: 20, threads: 2, ns: times(2.5) } as const;
  const peers = [{ name: 'torch', label: 'PyTorch', version: '2' }];
  const table = (results: readonly TrialResult[]) =>
    peersTable(runWith(results, { peers, peer_results: [peer, { ...peer, fill: 'uniform' }] }));
  const two = [result({ threads: 2 }, 0.2)];
  expect(table(two)?.head).toEqual(['fill', 'dtype', 'nninit, 2 threads', 'PyTorch']);
  const mixed = table([...two, result({ fill: 'uniform', threads: 1 }, 0.3)]);
  expect(mixed?.rows.map((row) => row.slice(2, 4))).toEqual([
    ['', '0.2 ns'],
    ['0.3 ns', ''],
  ]);
});

test('the header tells hardware threads from cores, one from several, and what steered the peers', () => {
  const { machine } = runWith([]);
  const head = (more: Partial<BenchRun>) => report(runWith([result({}, 0.3)], more));
  expect(head({ machine: { ...machine, real_cores: 4 } })).toContain('A processor, 8 hardware threads on 4 cores,');
  expect(head({ machine: { ...machine, cores: 1, real_cores: 1 } })).toContain('A processor, 1 core,');
  expect(head({ environment: { OPENBLAS_CORETYPE: 'Haswell' } })).toContain('\nvariables OPENBLAS_CORETYPE=Haswell\n');
  const environment = { OMP_PROC_BIND: 'true', OMP_NUM_THREADS: '1', TF_VAR_password: 'secret', HOME: '/root' };
  expect(steering(environment)).toEqual({ OMP_PROC_BIND: 'true' });
});

test('a loop that does nothing is no peer', () => {
  expect(() => checkMoments('normal', new Float32Array(10_000))).toThrow(/normal has mean 0 and standard deviation 0/);
  expect(() => checkMoments('uniform', new Float32Array(10_000).fill(0.5))).toThrow(/uniform/);
  const good = new Float64Array(10_000).map((_, i) => i / 10_000);
  expect(() => checkMoments('uniform', good)).not.toThrow();
});

test('the pool, whose tensors are shared, needs memory for memset besides', () => {
  const trial: Trial = { fill: 'normal', dtype: 'float32', log2: 28, threads: 2, memory: 'warm', executor: 'sync' };
  expect(tooLarge(trial, 2 * 2 ** 30)).toBeUndefined();
  expect(tooLarge({ ...trial, executor: 'pool' }, 2 * 2 ** 30)).toBe('needs 2.0 GiB where 2.0 GiB are free');
});

test('a run on a loaded machine gets a warning and no verdict', () => {
  const results = [1, 8].map((threads) => result({ log2: 26, threads }, 0.3 / threads));
  const quiet = runWith(results, { suite: 'scaling' });
  expect(scalingReport(quiet)).toMatch(/bound by/);
  const loaded = { ...quiet, machine: { ...quiet.machine, load: quiet.machine.cores } };
  const report = scalingReport(loaded);
  expect(report).toMatch(/WARNING .*a load of [\d.]+ at the start: other programs ran/);
  expect(report).toMatch(/no verdict: see the warning/);
  expect(report).not.toMatch(/bound by/);
});

test('a thread count that is asked for is the only one', () => {
  for (const selection of [{ threads: [3] }, { threads: [3], fills: ['xavier_uniform'] }] as const) {
    expect(new Set(mainSuite(selection, 8).map(({ threads }) => threads))).toEqual(new Set([3]));
  }
  expect(new Set(mainSuite({}, 8).map(({ threads }) => threads))).toEqual(new Set([1, 8]));
});

test('what is done on one thread only is not measured as of several, or of the pool', () => {
  const fills = ['widenFloat16'] as const;
  const threads = [1, 2];
  for (const trials of [
    mainSuite({ fills, threads, log2: [20] }, 2),
    scalingSuite({ fills, threads, log2: [20] }, 2),
  ]) {
    expect(trials.map((trial) => [trial.threads, trial.executor])).toEqual([[1, 'sync']]);
  }
  expect(scalingSuite({ fills, threads, executor: 'pool' }, 2)).toEqual([]);
});

test('a size that is asked for is the only one', () => {
  expect(new Set(mainSuite({ log2: [22] }, 2).map(({ log2 }) => log2))).toEqual(new Set([22]));
  expect(new Set(mainSuite({}, 2).map(({ log2 }) => log2))).toContain(16);
});

test('numbers of a column stand with their points under one another', () => {
  const cells = ['0.0932', '1.25', '1,230', '3 ×', '–', '40.1 ×'];
  const table = textTable({ head: ['x'], align: ['point'], rows: cells.map((cell) => [cell]) });
  const rows = table.split('\n').slice(2, -1);
  expect(rows.map((row) => row.replaceAll(' ', ''))).toEqual(cells.map((cell) => cell.replaceAll(' ', '')));
  expect([0, 1, 5].map((i) => rows[i]?.indexOf('.'))).toEqual([5, 5, 5]);
  expect(rows[2]).toBe('1,230');
  expect(rows[3]?.indexOf('3')).toBe(4);
  expect(rows[5]?.indexOf('×')).toBe(rows[3]?.indexOf('×'));
});
