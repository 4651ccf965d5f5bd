import { type Align, markdownTable, type Table, textTable } from '../../lib/core/table.js';
import { counted } from '../../lib/core/text.js';
import { type Trial, titleOf } from './catalog.js';
import { gbPerS, notOffered, peerLog2 } from './run.js';
import type { BenchRun, PeerResult, TrialResult } from './schema.js';
import { spreadOf } from './stats.js';

/** Beyond this, times are to be taken with caution. */
export const muchNoise = 0.1;

/** Three digits: 0.0932, 1.25, 40.1, 1,230. */
export function digits(x: number): string {
  if (!Number.isFinite(x)) return '–';
  return x >= 1000 ? Math.round(x).toLocaleString('en-US') : Number(x.toPrecision(3)).toString();
}

/** ± half the distance of the quartiles, in per cent. */
function plusMinus(spread: number): string {
  return `± ${(50 * spread).toFixed(spread < 0.02 ? 1 : 0)} %`;
}

export function percent(x: number): string {
  return `${(100 * x).toFixed(0)} %`;
}

/** 'warm', 'fresh', 'pool': what is special about a trial. */
function circumstances({ memory, executor }: Trial): string {
  return executor === 'pool' ? `${memory}, pool` : memory;
}

/** Whether a call is so short that the time of the whole of it is what matters. */
export function isCall({ log2 }: Pick<Trial, 'log2'>): boolean {
  return log2 <= 10;
}

/** nninit's own results, beside memset. */
export function resultsTable(results: readonly TrialResult[]): Table {
  return {
    head: [
      'fill',
      'dtype',
      'threads',
      'memory',
      'ns/element',
      'spread',
      'cycles',
      'a byte',
      'GB/s',
      'of memset',
      'of memcpy',
    ],
    align: ['left', 'left', 'right', 'left', 'point', 'right', 'point', 'point', 'point', 'right', 'right'],
    rows: results.map((result) => {
      const { trial, bytes, ns, ghz, memset, memcpy } = result;
      const cycles = ghz === undefined ? Number.NaN : ns.median * ghz;
      const ratio = (limit: TrialResult['memset']) => (limit === null ? '–' : percent(limit.median / ns.median));
      return [
        titleOf(trial),
        trial.dtype,
        String(trial.threads),
        circumstances(trial),
        digits(ns.median),
        plusMinus(spreadOf(ns)),
        digits(cycles),
        digits((cycles * 2 ** trial.log2) / bytes),
        digits(gbPerS(ns, result)),
        isCall(trial) ? '–' : ratio(memset),
        isCall(trial) ? '–' : ratio(memcpy),
      ];
    }),
  };
}

/** A fill, its dtype and size, with all that was measured of it on warm memory. */
export interface Row {
  readonly trial: Trial;
  readonly most: TrialResult;
  /** On one thread, where that is another trial. */
  readonly one: TrialResult | undefined;
  readonly peers: ReadonlyMap<string, PeerResult>;
}

/** The fills for which peers were measured, each with its fastest and its one-thread result. */
export function peerRows({ results, peer_results }: BenchRun): Row[] {
  const rows = new Map<string, TrialResult[]>();
  for (const result of results) {
    const { fill, dtype, log2, memory, executor } = result.trial;
    if (memory !== 'warm' || executor !== 'sync') continue;
    const key = `${fill} ${dtype} ${log2}`;
    rows.set(key, [...(rows.get(key) ?? []), result]);
  }
  return [...rows.values()].flatMap((group) => {
    const most = group.reduce((a, b) => (b.trial.threads > a.trial.threads ? b : a));
    const { trial } = most;
    const mine = peer_results.filter(
      (peer) => peer.fill === trial.fill && peer.dtype === trial.dtype && peer.log2 === peerLog2(trial),
    );
    if (mine.length === 0) return [];
    const one = group.find((result) => result.trial.threads === 1 && result !== most);
    return [{ trial, most, one, peers: new Map(mine.map((peer) => [peer.peer, peer])) }];
  });
}

/** Peers beside nninit: their time, and how many times as long it is. */
export function peersTable(run: BenchRun): Table | undefined {
  const rows = peerRows(run);
  if (rows.length === 0) return undefined;
  const measured = run.peers.filter(({ name }) => rows.some((row) => row.peers.has(name)));
  const threads = Math.max(...rows.map(({ most }) => most.trial.threads));
  const cell = (row: Row, name: string) => {
    const peer = row.peers.get(name);
    if (peer === undefined) return '';
    return `${time(peer.ns.median, row.trial)} (${digits(peer.ns.median / row.most.ns.median)} ×)`;
  };
  const oneOf = ({ one, most }: Row) => one ?? (most.trial.threads === 1 ? most : undefined);
  const one = threads > 1 && rows.some(oneOf) ? ['nninit, 1 thread'] : [];
  return {
    head: ['fill', 'dtype', ...one, `nninit, ${counted(threads, 'thread')}`, ...measured.map(({ label }) => label)],
    align: ['left', 'left', ...one.map((): Align => 'right'), 'right', ...measured.map((): Align => 'right')],
    rows: rows.map((row) => [
      titleOf(row.trial),
      row.trial.dtype,
      ...one.map(() => {
        const result = oneOf(row);
        return result === undefined ? '' : time(result.ns.median, row.trial);
      }),
      row.most.trial.threads === threads ? time(row.most.ns.median, row.trial) : '',
      ...measured.map(({ name }) => cell(row, name)),
    ]),
  };
}

/** Nanoseconds an element; of small calls and of whole matrices the time of the call. */
function time(ns: number, trial: Trial): string {
  const whole = ns * 2 ** trial.log2;
  if (isCall(trial)) return `${digits(whole / 1e3)} µs`;
  return trial.fill === 'orthogonal' || trial.fill === 'sparse' ? `${digits(whole / 1e6)} ms` : `${digits(ns)} ns`;
}

const binary = (bytes: number) => {
  const unit = bytes >= 2 ** 30 ? 30 : bytes >= 2 ** 20 ? 20 : 10;
  return `${digits(bytes / 2 ** unit)} ${{ 10: 'KiB', 20: 'MiB', 30: 'GiB' }[unit]}`;
};

/** The machine, in a few lines. */
export function header({ machine, nninit, date, affinity, environment, peers }: BenchRun): string {
  const { cpu, cores, caches, numa_nodes } = machine;
  const shared = (n: number) => (n > 1 ? ` by ${n}` : '');
  const smt = machine.real_cores != null && machine.real_cores < cores;
  const lines = [
    `nninit ${nninit}, ${date.slice(0, 10)}`,
    `CPU       ${cpu}, ${smt ? `${cores} hardware threads on ${counted(machine.real_cores ?? cores, 'core')}` : counted(cores, 'core')}${numa_nodes > 1 ? ` on ${numa_nodes} memory nodes` : ''}${machine.virtual === true ? ' (virtual)' : ''}, SIMD target ${machine.simd_target}`,
    `caches    ${caches.map(({ level, bytes, shared_by }) => `${level} ${binary(bytes)}${shared(shared_by)}`).join(', ') || 'unknown'}`,
    `memory    ${binary(machine.memory_bytes)}, transparent huge pages: ${machine.huge_pages}`,
    `system    ${machine.os}, Node ${machine.node}, frequency governor ${machine.governor}, affinity ${affinity}, load ${machine.load.toFixed(1)} at the start`,
    `compiler  ${machine.compiler}`,
    ...(environment === undefined
      ? []
      : [
          `variables ${Object.entries(environment)
            .map(([name, value]) => `${name}=${value}`)
            .join(' ')}`,
        ]),
    ...(peers.length === 0 ? [] : [`peers     ${peers.map(({ label, version }) => `${label} ${version}`).join(', ')}`]),
  ];
  return `${lines.join('\n')}\n`;
}

/** The noise seen. */
export function noiseLine({ noise: { within, between } }: BenchRun): string {
  const trials = between === null ? '' : ` and by ${percent(between)} between them`;
  return `noise     memset varied by ${percent(within)} within trials${trials}\n`;
}

/** Results on so little memory say nothing of how fast it can be written. */
const leastBytesOfMemory = 2 ** 26;

/** Billions of bytes a second that threads can write: by memset, or by a constant fill, which writes past the caches. The better one. */
export function ceilingOf({ results }: BenchRun, threads: number): number | undefined {
  const rates = results.flatMap((result) => {
    const { trial, bytes, memset, ns } = result;
    if (trial.memory !== 'warm' || trial.threads !== threads || bytes < leastBytesOfMemory) return [];
    return [...(memset === null ? [] : [gbPerS(memset, result)]), gbPerS(ns, result)];
  });
  return rates.length === 0 ? undefined : Math.max(...rates);
}

/** What the run says in one line: how near the common fills come to what this machine can write at all. */
export function headline(run: BenchRun): string {
  const lines = (['uniform', 'normal'] as const).flatMap((fill) => {
    const mine = run.results.filter(
      ({ trial, bytes }) =>
        trial.fill === fill &&
        trial.dtype === 'float32' &&
        trial.memory === 'warm' &&
        trial.executor === 'sync' &&
        bytes >= leastBytesOfMemory,
    );
    const best = mine.reduce<TrialResult | undefined>(
      (a, b) => (a === undefined || b.trial.threads > a.trial.threads ? b : a),
      undefined,
    );
    const ceiling = best && ceilingOf(run, best.trial.threads);
    if (best === undefined || ceiling === undefined) return [];
    const rate = gbPerS(best.ns, best);
    const on = counted(best.trial.threads, 'thread');
    return [
      `${fill}_ float32 on ${on}: ${digits(rate)} GB/s, ${percent(rate / ceiling)} of this machine's write bandwidth (${digits(ceiling)} GB/s)`,
    ];
  });
  if (lines.length === 0) return '';
  if (noiseWarning(run) !== undefined) return 'no verdict: see the warning\n';
  return `${lines.join('\n')}\n`;
}

/** A warning of other work or much noise, with which nothing should be concluded; undefined where there is little. */
export function noiseWarning({ noise: { within, between }, machine: { load, cores } }: BenchRun): string | undefined {
  if (load > Math.max(0.5, cores / 10)) {
    return `a load of ${load.toFixed(1)} at the start: other programs ran; these times are rough`;
  }
  if (Math.max(within, between ?? 0) <= muchNoise) return undefined;
  return `more than ${percent(muchNoise)} of noise: something else ran, or the frequency changed; these times are rough`;
}

/** All that is said above the tables. */
export function preface(run: BenchRun): string {
  const warning = noiseWarning(run);
  const failed = (run.failed ?? []).map(({ what, why }) => `FAILED    ${what}: ${why.replace(/\s*\n\s*/g, ' ')}\n`);
  return [
    header(run),
    noiseLine(run),
    warning === undefined ? '' : `WARNING   ${warning}\n`,
    skippedLines(run),
    ...failed,
  ].join('');
}

/** What was not run, and why; alike reasons together. What a peer does not offer is an empty cell, and not listed. */
export function skippedLines({ skipped }: BenchRun): string {
  const byWhy = new Map<string, string[]>();
  for (const { what, why } of skipped) {
    if (why === notOffered) continue;
    byWhy.set(why, [...(byWhy.get(why) ?? []), what]);
  }
  return [...byWhy].map(([why, whats]) => `skipped   ${whats.join(', ')}: ${why}\n`).join('');
}

/** Everything about a run, for a terminal or as Markdown. */
export function report(run: BenchRun, { markdown = false } = {}): string {
  const table = markdown ? markdownTable : textTable;
  const peers = peersTable(run);
  const block = (text: string) => (markdown ? `\`\`\`\n${text}\`\`\`\n` : text);
  const words = headline(run);
  return [
    block(preface(run)),
    table(resultsTable(run.results)),
    ...(peers === undefined ? [] : [table(peers)]),
    ...(words === '' ? [] : [words]),
  ].join('\n');
}
