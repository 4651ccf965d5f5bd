import { bytesOf } from './catalog.js';
import type { BenchRun } from './schema.js';
import type { Stats } from './stats.js';

const head = [
  ...['library', 'fill', 'dtype', 'elements', 'bytes', 'threads', 'memory', 'executor', 'rounds'],
  ...['min_ns', 'q1_ns', 'median_ns', 'q3_ns', 'max_ns', 'bytes_per_s', 'ghz', 'cycles_per_element', 'cycles_per_byte'],
  ...['memset_ns', 'memcpy_ns', 'checksum'],
];

/** A run as CSV (RFC 4180), for spreadsheets: a row for each result, those of other libraries too. Times are of one element. */
export function csvOf({ results, peers, peer_results }: BenchRun): string {
  const times = ({ n, min, q1, median, q3, max }: Stats) => [n, min, q1, median, q3, max];
  const labels = new Map(peers.map(({ name, label, version }) => [name, `${label} ${version}`]));
  const rows = [
    ...results.map(({ trial, bytes, ns, ghz, memset, memcpy, checksum }) => {
      const { fill, dtype, log2, threads, memory, executor } = trial;
      const each = bytes / 2 ** log2;
      const cycles = ghz === undefined ? undefined : ns.median * ghz;
      return [
        ...['nninit', fill, dtype, 2 ** log2, bytes, threads, memory, executor, ...times(ns)],
        ...[(1e9 * each) / ns.median, ghz, cycles, cycles === undefined ? undefined : cycles / each],
        ...[memset?.median, memcpy?.median, checksum],
      ];
    }),
    ...peer_results.map(({ peer, ns, ...trial }) => {
      const { fill, dtype, log2, threads } = trial;
      const bytes = bytesOf(trial);
      return [
        ...[labels.get(peer) ?? peer, fill, dtype, 2 ** log2, bytes, threads, 'warm', 'sync', ...times(ns)],
        ...[(1e9 * bytes) / 2 ** log2 / ns.median, '', '', '', '', '', ''],
      ];
    }),
  ];
  return [head, ...rows].map((row) => `${row.map(fieldOf).join(',')}\r\n`).join('');
}

function fieldOf(value: string | number | undefined): string {
  const text = String(value ?? '');
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
