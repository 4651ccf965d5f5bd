import { version } from '../../lib/core/version.js';
import { force_simd_target } from '../../lib/native/addon.js';
import { bytes_of, id_of, shape_of, type Trial } from './catalog.js';
import { recorded_checksum, verify } from './checksums.js';
import { type Affinity, cores_for, cores_for_peer, describe_machine, usable_cores } from './machine.js';
import { too_large } from './memory.js';
import { ask_peer, type FoundPeer, find_peer, type PeerName, steering } from './peers/index.js';
import { ask, child_command, pinned } from './process.js';
import {
  format_version,
  type Job,
  measured_schema,
  type Noise,
  type PeerResult,
  type Result,
  type Run,
} from './schema.js';
import { median_of, type Stats, spread_of, stats_of } from './stats.js';
import { cached_log2 } from './suites.js';

export interface RunOptions {
  readonly suite: string;
  readonly trials: readonly Trial[];
  readonly command: string;
  /** Of each trial, at least. */
  readonly seconds: number;
  readonly rounds: number;
  readonly affinity?: Affinity;
  readonly peers?: readonly PeerName[];
  /** The Python that has the peers. */
  readonly python?: string | undefined;
  /** A SIMD target in place of the best one. */
  readonly target?: string | undefined;
  /** Ends the run early: what was measured until then is the result. */
  readonly signal?: AbortSignal | undefined;
  readonly on_progress?: (text: string, done: number, total: number) => void;
  /** Told when something is skipped or fails, in words. */
  readonly on_note?: (text: string) => void;
}

/** Measures one trial, in a process of its own, and checks what it wrote. */
async function run_trial(trial: Trial, options: RunOptions): Promise<Result> {
  const { seconds, rounds, target, affinity = 'none', signal } = options;
  const job: Job = { trial, seconds, rounds, ...(target !== undefined && { target }) };
  const command = pinned(child_command('trial', job), cores_for(trial.threads, affinity));
  const { fill, memset, memcpy, checksum } = await ask(id_of(trial), command, measured_schema, signal);
  verify(trial, checksum);
  const stats_or_null = (samples: readonly number[] | null) => (samples === null ? null : stats_of(samples));
  return {
    id: id_of(trial),
    trial,
    shape: shape_of(trial),
    bytes: bytes_of(trial),
    ns: stats_of(fill),
    memset: stats_or_null(memset),
    memcpy: stats_or_null(memcpy),
    checksum,
  };
}

/** Of larger fills, peers are measured on 2^26 elements: they are slow, and time an element no longer changes. */
export function peer_log2({ log2 }: Pick<Trial, 'log2'>): number {
  return Math.min(log2, 26);
}

/** The reason of what a peer has no function for. */
export const not_offered = 'not offered';

async function run_peer(
  peer: FoundPeer,
  trial: Trial,
  threads: number,
  options: RunOptions,
): Promise<PeerResult | string> {
  const { fill, dtype } = trial;
  const log2 = peer_log2(trial);
  const { rounds, seconds, python, affinity = 'none', signal } = options;
  const shape = shape_of({ fill, log2 });
  const cores = cores_for_peer(threads, affinity);
  try {
    const job = { peer: peer.name, fill, dtype, log2, shape, threads, cores, rounds, seconds };
    const answer = await ask_peer(peer.name, python, job, signal);
    if ('samples' in answer) return { peer: peer.name, fill, dtype, log2, threads, ns: stats_of(answer.samples) };
    return not_offered;
  } catch (error) {
    signal?.throwIfAborted();
    return (error instanceof Error ? error.message : String(error)).split('\n').at(-1) ?? '';
  }
}

/** Whether a trial is there for its rate in cache, beside a larger one. */
function is_cached(trial: Trial, trials: readonly Trial[]): boolean {
  const larger = ({ fill, dtype, log2 }: Trial) => fill === trial.fill && dtype === trial.dtype && log2 > cached_log2;
  return trial.log2 === cached_log2 && trials.some(larger);
}

/** What a peer is asked for: each fill, dtype and size once, on all cores, warm. */
function wanted_of_peers(trials: readonly Trial[]): Map<Trial, number> {
  const last = new Map<string, Trial>();
  let threads = 1;
  for (const trial of trials) {
    threads = Math.max(threads, trial.threads);
    if (trial.memory === 'warm' && trial.executor === 'sync' && !is_cached(trial, trials)) {
      last.set(`${trial.fill} ${trial.dtype} ${trial.log2}`, trial);
    }
  }
  return new Map([...last.values()].map((trial) => [trial, threads]));
}

/** The noise that memset saw, which has none of its own. */
export function noise_of(results: readonly Result[]): Noise {
  const groups = new Map<string, number[]>();
  const within: number[] = [];
  for (const { memset, bytes, trial } of results) {
    if (memset === null) continue;
    within.push(spread_of(memset));
    const key = `${bytes} ${trial.threads} ${trial.memory} ${trial.executor}`;
    groups.set(key, [...(groups.get(key) ?? []), memset.median * 2 ** trial.log2]);
  }
  const between = [...groups.values()].filter((group) => group.length > 2).map((group) => spread_of(stats_of(group)));
  const median_or_zero = (values: readonly number[]) => (values.length === 0 ? 0 : median_of(values));
  return { within: median_or_zero(within), between: between.length === 0 ? null : median_of(between) };
}

/** A trial or a peer that has no result, and why. */
interface Note {
  readonly what: string;
  readonly why: string;
}

/** What a run has so far. */
interface Found {
  readonly peers: FoundPeer[];
  readonly results: Result[];
  readonly peer_results: PeerResult[];
  readonly skipped: Note[];
  readonly failed: Note[];
}

/** Runs a suite, trial by trial, peers beside the trials that they are compared with. A trial that fails does not end it. */
export async function run_bench(options: RunOptions): Promise<Run> {
  if (options.target !== undefined) force_simd_target(options.target);
  const machine = describe_machine();
  const found: Found = { peers: [], results: [], peer_results: [], skipped: [], failed: [] };
  try {
    await run_all(options, found);
  } catch (error) {
    if (!options.signal?.aborted) throw error;
  }
  const environment = steering();
  return {
    format: 'nninit-bench',
    version: format_version,
    suite: options.suite,
    nninit: version,
    date: new Date().toISOString(),
    command: options.command,
    affinity: options.affinity ?? 'none',
    ...(found.peers.length > 0 && Object.keys(environment).length > 0 && { environment }),
    machine,
    noise: noise_of(found.results),
    ...found,
  };
}

/** An error's message, less the name that stands before it in any case. */
function why_of(error: unknown, id: string): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/^bench: /, '');
  return text.startsWith(id) ? text.slice(id.length).replace(/^:? /, '') : text;
}

async function run_all(options: RunOptions, { peers, results, peer_results, skipped, failed }: Found): Promise<void> {
  const { trials, on_progress, on_note, python, signal } = options;
  const note = (list: Note[], what: string, why: string) => {
    list.push({ what, why });
    if (why !== not_offered) on_note?.(`${what}: ${why}`);
  };
  for (const name of options.peers ?? []) {
    const peer = await find_peer(name, python, signal);
    if (typeof peer === 'string') note(skipped, name, peer);
    else peers.push(peer);
  }
  const wanted = peers.length === 0 ? new Map<Trial, number>() : wanted_of_peers(trials);
  const total = trials.length + wanted.size * peers.length;
  let done = 0;
  for (const trial of trials) {
    const id = id_of(trial);
    const why =
      recorded_checksum(trial) === undefined
        ? 'no checksum is recorded for this size'
        : (too_large(trial) ?? too_many(trial, options.affinity));
    on_progress?.(id, done++, total);
    if (why !== undefined) note(skipped, id, why);
    else {
      try {
        results.push(await run_trial(trial, options));
      } catch (error) {
        signal?.throwIfAborted();
        note(failed, id, why_of(error, id));
      }
    }
    const threads = wanted.get(trial);
    if (threads === undefined) continue;
    for (const peer of peers) {
      on_progress?.(`${peer.label}: ${trial.fill} ${trial.dtype} 2^${trial.log2}`, done++, total);
      const answer = await run_peer(peer, trial, threads, options);
      if (typeof answer === 'string') note(skipped, `${peer.name}: ${trial.fill} ${trial.dtype}`, answer);
      else peer_results.push(answer);
    }
  }
}

function too_many({ threads }: Trial, affinity: Affinity = 'none'): string | undefined {
  const cores = usable_cores();
  return affinity !== 'none' && threads > cores ? `has more threads than the ${cores} cores it is put on` : undefined;
}

/** Billions of bytes a second. */
export function gb_per_s(stats: Stats, { bytes, trial }: Pick<Result, 'bytes' | 'trial'>): number {
  return bytes / 2 ** trial.log2 / stats.median;
}
