import { idOf, shapeOf, type Trial } from '../../bench/harness/catalog.js';
import type { BenchRun, TrialResult } from '../../bench/harness/schema.js';
import type { Stats } from '../../bench/harness/stats.js';
import { type Output, run } from '../../lib/cli/program.js';

/** Times around a median, so spread that their quartiles lie `spread` apart. */
export function times(median: number, spread = 0.02): Stats {
  const half = (median * spread) / 2;
  return { n: 11, min: median - half, q1: median - half, median, q3: median + half, max: median + half };
}

export function result(trial: Partial<Trial>, median: number, { spread = 0.02, memset = 0.1 } = {}): TrialResult {
  const whole: Trial = {
    fill: 'normal',
    dtype: 'float32',
    log2: 20,
    threads: 1,
    memory: 'warm',
    executor: 'sync',
    ...trial,
  };
  return {
    id: idOf(whole),
    trial: whole,
    shape: shapeOf(whole),
    bytes: 4 * 2 ** whole.log2,
    ns: times(median, spread),
    memset: times(memset),
    memcpy: times(2 * memset),
    checksum: '0123456789abcdef',
  };
}

/** A run that might have been. */
export function runWith(results: readonly TrialResult[], more: Partial<BenchRun> = {}): BenchRun {
  return {
    format: 'nninit-bench',
    version: 1,
    suite: 'main',
    nninit: '0.1.0',
    date: '2026-01-02T03:04:05.000Z',
    command: 'nninit bench',
    affinity: 'none',
    machine: {
      cpu: 'A processor',
      cores: 8,
      numa_nodes: 1,
      caches: [
        { level: 'L1d', bytes: 2 ** 15, shared_by: 1 },
        { level: 'L2', bytes: 2 ** 20, shared_by: 1 },
      ],
      virtual: false,
      memory_bytes: 2 ** 35,
      huge_pages: 'madvise',
      governor: 'performance',
      load: 0,
      os: 'Linux 6',
      node: 'v20.0.0',
      compiler: 'GCC: 12',
      simd_target: 'AVX2',
    },
    noise: { within: 0.01, between: 0.01 },
    results: [...results],
    peers: [],
    peer_results: [],
    skipped: [],
    ...more,
  };
}

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `nninit bench …`, in this process. */
export async function bench(...args: string[]): Promise<Ran> {
  const text = { stdout: '', stderr: '' };
  const output = (name: 'stdout' | 'stderr'): Output => ({
    write: (piece: string) => {
      text[name] += piece;
    },
  });
  const code = await run(['bench', ...args], { stdout: output('stdout'), stderr: output('stderr') });
  return { code, ...text };
}
