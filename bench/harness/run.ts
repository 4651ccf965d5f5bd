import { version } from '../../lib/core/version.js';
import { forceSimdTarget } from '../../lib/native/addon.js';
import { bytesOf, idOf, shapeOf, type Trial } from './catalog.js';
import { recordedChecksum, verify } from './checksums.js';
import { type Affinity, coresFor, coresForPeer, describeMachine, usableCores } from './machine.js';
import { tooLarge } from './memory.js';
import { askPeer, type FoundPeer, findPeer, type PeerName, steering } from './peers/index.js';
import { ask, childCommand, pinned } from './process.js';
import {
  type BenchRun,
  formatVersion,
  type Measured,
  measuredSchema,
  type Noise,
  type PeerResult,
  type TrialRequest,
  type TrialResult,
} from './schema.js';
import { medianOf, type Stats, spreadOf, statsOf } from './stats.js';
import { cachedLog2 } from './suites.js';

export interface BenchOptions {
  readonly suite: string;
  readonly trials: readonly Trial[];
  readonly command: string;
  /** Of each trial, at least. */
  readonly seconds: number;
  readonly rounds: number;
  /** Times that all trials are run, each time in another order: what drifts meets all alike. Seconds and rounds are of all together. */
  readonly passes: number;
  readonly affinity?: Affinity;
  readonly peers?: readonly PeerName[];
  /** The Python that has the peers. */
  readonly python?: string | undefined;
  /** A SIMD target in place of the best one. */
  readonly target?: string | undefined;
  /** Ends the run early: what was measured until then is the result. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (text: string, done: number, total: number) => void;
  /** Told when something is skipped or fails, in words. */
  readonly onNote?: (text: string) => void;
}

/** One pass over a trial, in a process of its own; what it wrote is checked. */
async function runTrial(trial: Trial, options: BenchOptions): Promise<Measured> {
  const { target, affinity = 'none', signal, passes } = options;
  const [seconds, rounds] = [options.seconds / passes, Math.ceil(options.rounds / passes)];
  const job: TrialRequest = { trial, seconds, rounds, ...(target !== undefined && { target }) };
  const command = pinned(childCommand('trial', job), coresFor(trial.threads, affinity));
  const measured = await ask(idOf(trial), command, measuredSchema, signal);
  verify(trial, measured.checksum);
  return measured;
}

/** All passes over a trial in one. */
function resultOf(trial: Trial, passes: readonly Measured[]): TrialResult {
  const statsOfAll = (name: 'memset' | 'memcpy') => {
    const samples = passes.flatMap((pass) => pass[name] ?? []);
    return samples.length === 0 ? null : statsOf(samples);
  };
  return {
    id: idOf(trial),
    trial,
    shape: shapeOf(trial),
    bytes: bytesOf(trial),
    ns: statsOf(passes.flatMap(({ fill }) => fill)),
    ghz: medianOf(passes.flatMap(({ ghz }) => ghz)),
    memset: statsOfAll('memset'),
    memcpy: statsOfAll('memcpy'),
    checksum: recordedChecksum(trial) ?? '',
  };
}

/** Of larger fills, peers are measured on 2^26 elements: they are slow, and time an element no longer changes. */
export function peerLog2({ log2 }: Pick<Trial, 'log2'>): number {
  return Math.min(log2, 26);
}

/** The reason of what a peer has no function for. */
export const notOffered = 'not offered';

async function runPeer(
  peer: FoundPeer,
  trial: Trial,
  threads: number,
  options: BenchOptions,
): Promise<PeerResult | string> {
  const { fill, dtype } = trial;
  const log2 = peerLog2(trial);
  const { rounds, seconds, python, affinity = 'none', signal } = options;
  const shape = shapeOf({ fill, log2 });
  const cores = coresForPeer(threads, affinity);
  try {
    const job = { peer: peer.name, fill, dtype, log2, shape, threads, cores, rounds, seconds };
    const answer = await askPeer(peer.name, python, job, signal);
    if ('samples' in answer) return { peer: peer.name, fill, dtype, log2, threads, ns: statsOf(answer.samples) };
    return notOffered;
  } catch (error) {
    signal?.throwIfAborted();
    return (error instanceof Error ? error.message : String(error)).split('\n').at(-1) ?? '';
  }
}

/** Whether a trial is there for its rate in cache, beside a larger one. */
function isCached(trial: Trial, trials: readonly Trial[]): boolean {
  const larger = ({ fill, dtype, log2 }: Trial) => fill === trial.fill && dtype === trial.dtype && log2 > cachedLog2;
  return trial.log2 === cachedLog2 && trials.some(larger);
}

/** What a peer is asked for: each fill, dtype and size once, on all cores, warm. */
function wantedOfPeers(trials: readonly Trial[]): Map<Trial, number> {
  const last = new Map<string, Trial>();
  let threads = 1;
  for (const trial of trials) {
    threads = Math.max(threads, trial.threads);
    if (trial.memory === 'warm' && trial.executor === 'sync' && !isCached(trial, trials)) {
      last.set(`${trial.fill} ${trial.dtype} ${trial.log2}`, trial);
    }
  }
  return new Map([...last.values()].map((trial) => [trial, threads]));
}

/** The noise that memset saw, which has none of its own. */
export function noiseOf(results: readonly TrialResult[]): Noise {
  const groups = new Map<string, number[]>();
  const within: number[] = [];
  for (const { memset, bytes, trial } of results) {
    if (memset === null) continue;
    within.push(spreadOf(memset));
    const key = `${bytes} ${trial.threads} ${trial.memory} ${trial.executor}`;
    groups.set(key, [...(groups.get(key) ?? []), memset.median * 2 ** trial.log2]);
  }
  const between = [...groups.values()].filter((group) => group.length > 2).map((group) => spreadOf(statsOf(group)));
  const medianOrZero = (values: readonly number[]) => (values.length === 0 ? 0 : medianOf(values));
  return { within: medianOrZero(within), between: between.length === 0 ? null : medianOf(between) };
}

/** A trial or a peer that has no result, and why. */
interface Note {
  readonly what: string;
  readonly why: string;
}

/** What a run has so far. */
interface Found {
  readonly peers: FoundPeer[];
  readonly results: TrialResult[];
  readonly peer_results: PeerResult[];
  readonly skipped: Note[];
  readonly failed: Note[];
}

/** Runs a suite, trial by trial, peers beside the trials that they are compared with. A trial that fails does not end it. */
export async function runBench(options: BenchOptions): Promise<BenchRun> {
  if (options.target !== undefined) forceSimdTarget(options.target);
  const machine = describeMachine();
  const found: Found = { peers: [], results: [], peer_results: [], skipped: [], failed: [] };
  try {
    await runAll(options, found);
  } catch (error) {
    if (!options.signal?.aborted) throw error;
  }
  const environment = steering();
  return {
    format: 'nninit-bench',
    version: formatVersion,
    suite: options.suite,
    nninit: version,
    date: new Date().toISOString(),
    command: options.command,
    affinity: options.affinity ?? 'none',
    passes: options.passes,
    ...(found.peers.length > 0 && Object.keys(environment).length > 0 && { environment }),
    machine,
    noise: noiseOf(found.results),
    ...found,
  };
}

/** An error's message, less the name that stands before it in any case. */
function whyOf(error: unknown, id: string): string {
  const text = (error instanceof Error ? error.message : String(error)).replace(/^bench: /, '');
  return text.startsWith(id) ? text.slice(id.length).replace(/^:? /, '') : text;
}

async function runAll(options: BenchOptions, { peers, results, peer_results, skipped, failed }: Found): Promise<void> {
  const { trials, onProgress, onNote, python, signal } = options;
  const note = (list: Note[], what: string, why: string) => {
    list.push({ what, why });
    if (why !== notOffered) onNote?.(`${what}: ${why}`);
  };
  for (const name of options.peers ?? []) {
    const peer = await findPeer(name, python, signal);
    if (typeof peer === 'string') note(skipped, name, peer);
    else peers.push(peer);
  }
  const wanted = peers.length === 0 ? new Map<Trial, number>() : wantedOfPeers(trials);
  const total = trials.length * options.passes + wanted.size * peers.length;
  let done = 0;
  const measured = new Map<Trial, Measured[]>();
  for (const trial of trials) {
    const why =
      recordedChecksum(trial) === undefined
        ? 'no checksum is recorded for this size'
        : (tooLarge(trial) ?? tooMany(trial, options.affinity));
    if (why === undefined) measured.set(trial, []);
    else {
      note(skipped, idOf(trial), why);
      done += options.passes;
    }
  }
  try {
    for (let pass = 0; pass < options.passes; pass++) {
      for (const trial of shuffled([...measured.keys()])) {
        const id = idOf(trial);
        onProgress?.(id, done++, total);
        try {
          measured.get(trial)?.push(await runTrial(trial, options));
        } catch (error) {
          signal?.throwIfAborted();
          measured.delete(trial);
          done += options.passes - pass - 1;
          note(failed, id, whyOf(error, id));
        }
        const threads = wanted.get(trial);
        if (threads === undefined || pass > 0) continue;
        for (const peer of peers) {
          onProgress?.(`${peer.label}: ${trial.fill} ${trial.dtype} 2^${trial.log2}`, done++, total);
          const answer = await runPeer(peer, trial, threads, options);
          if (typeof answer === 'string') note(skipped, `${peer.name}: ${trial.fill} ${trial.dtype}`, answer);
          else peer_results.push(answer);
        }
      }
    }
  } finally {
    // Also what there is when the run is interrupted.
    for (const [trial, passes] of measured) if (passes.length > 0) results.push(resultOf(trial, passes));
  }
}

/** In an order of chance. */
function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, place: Math.random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ item }) => item);
}

function tooMany({ threads }: Trial, affinity: Affinity = 'none'): string | undefined {
  const cores = usableCores();
  return affinity !== 'none' && threads > cores ? `has more threads than the ${cores} cores it is put on` : undefined;
}

/** Billions of bytes a second. */
export function gbPerS(stats: Stats, { bytes, trial }: Pick<TrialResult, 'bytes' | 'trial'>): number {
  return bytes / 2 ** trial.log2 / stats.median;
}
