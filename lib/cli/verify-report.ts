import type { Difference } from '../checkpoint/verify/match.js';
import type { Measured } from '../checkpoint/verify/statistics/compare.js';
import type { Score, Statistics } from '../checkpoint/verify/statistics/measure.js';
import type { Origin, VerifyReport } from '../checkpoint/verify/verify-checkpoint.js';
import { textTable } from '../core/table.js';
import { count, counted, printable, shapeText, size } from '../core/text.js';

/** The outcome of `nninit verify`. */
export interface Report {
  /** For people. */
  readonly text: string;
  /** For `--json`. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Tensors that are not as planned. */
  readonly differing: number;
  /** The first of them, and what is wrong with it. */
  readonly first: string | undefined;
}

/** What to print of a look at a checkpoint. */
export function reportOf(found: VerifyReport, path: string, seconds: number): Report {
  const { origin, measured, limit } = found;
  if (measured !== undefined && limit !== undefined)
    return measuredReport({ ...found, measured, limit }, path, seconds);
  if (origin === undefined) throw new Error('a checkpoint was compared with nothing');
  return verifiedReport({ ...found, origin }, path, seconds);
}

/** So many differences are printed; --json has them all. */
const mostLines = 20;

/** The report of a comparison byte for byte. */
function verifiedReport(result: VerifyReport & { readonly origin: Origin }, path: string, seconds: number): Report {
  const { ok, tensors, bytes, differences, origin } = result;
  const { seed, engine } = origin;
  const took = rate(bytes, seconds);
  const lines = differences.slice(0, mostLines).map((difference) => `${lineOf(difference)}\n`);
  const more = differences.length - lines.length;
  if (more > 0) lines.push(`… and ${counted(more, 'tensor')} more\n`);
  const checked = `${counted(tensors, 'tensor')}, ${size(bytes)}, against seed ${seed}${engine === 'torch' ? ' of the engine torch' : ''}`;
  const outcome = differences.length === 0 ? 'equal to the plan' : `${count(differences.length)} not as planned`;
  return {
    text: `${lines.join('')}${printable(path)}: ${checked}: ${outcome}, ${took.text}\n`,
    facts: {
      path,
      mode: 'bytes',
      ok,
      tensors,
      bytes,
      seed: String(seed),
      engine,
      seconds: took.seconds,
      gbPerS: took.gbPerS,
      differences,
    },
    differing: differences.length,
    first: differences[0] && lineOf(differences[0]),
  };
}

/** A difference in a line: "wte.weight: 1 of 38,597,376 elements differs; the first, [3, 17], is 0.5 instead of 0.013". */
function lineOf(difference: Difference): string {
  return printable(wordsOfDifference(difference));
}

function wordsOfDifference(difference: Difference): string {
  const { tensor } = difference;
  switch (difference.problem) {
    case 'missing':
      return `${tensor}: missing (${difference.expected})`;
    case 'unexpected':
      return `${tensor}: not in the plan (${difference.found})`;
    case 'dtype':
    case 'shape':
      return `${tensor}: expected ${difference.problem} ${difference.expected}, but it is ${difference.found}`;
    case 'values': {
      const { differing, elements, element, index, expected, found } = difference;
      const differ = `${count(differing)} of ${counted(elements, 'element')} ${differing === 1 ? 'differs' : 'differ'}`;
      const place = index.length === 1 ? shapeText(index) : `${shapeText(index)} (element ${count(element)})`;
      return `${tensor}: ${differ}; the first, ${place}: expected ${expected}, found ${found}`;
    }
  }
}

/** The report of a comparison with distributions. */
function measuredReport(
  result: VerifyReport & { readonly measured: readonly Measured[]; readonly limit: number },
  path: string,
  seconds: number,
): Report {
  const { ok, measured, differences, bytes, limit } = result;
  const took = rate(bytes, seconds);
  const off = measured.filter(({ consistent }) => !consistent);
  const differing = differences.length + off.length;
  const table = textTable({
    head: ['tensor', 'dtype', 'shape', 'expected', 'mean', 'std', 'min', 'max', 'worst score', ''],
    align: ['left', 'left', 'left', 'left', 'right', 'right', 'right', 'right', 'left', 'left'],
    rows: measured.map(rowOf),
  });
  const lines = differences.map((difference) => `${lineOf(difference)}\n`).join('');
  const outcome = differing === 0 ? 'consistent with the plan' : `${count(differing)} not as planned`;
  const tensors = counted(measured.length + differences.length, 'tensor');
  return {
    text: `${table}${lines}${printable(path)}: ${tensors}, ${size(bytes)}: ${outcome} (limit ${limit.toFixed(2)} σ), ${took.text}\n`,
    facts: {
      path,
      mode: 'statistics',
      ok,
      tensors: measured.length,
      bytes,
      limit,
      seconds: took.seconds,
      gbPerS: took.gbPerS,
      differences,
      measured: measured.map(finiteScores),
    },
    differing,
    first: differences[0] ? lineOf(differences[0]) : off[0] && `${printable(off[0].tensor)}: ${wordsOf(off[0])}`,
  };
}

/** JSON has no infinity: a test that no luck passes has null. */
function finiteScores({ worst, statistics, ...rest }: Measured) {
  const finite = (x: number) => (Number.isFinite(x) ? x : null);
  return {
    ...rest,
    ...(statistics && {
      statistics: Object.fromEntries(Object.entries(statistics).map(([key, x]) => [key, finite(x as number)])),
    }),
    ...(worst && { worst: { test: worst.test, z: finite(worst.z) } }),
  };
}

function rowOf({ tensor, dtype, shape, expected, statistics, worst, consistent }: Measured): string[] {
  const number = (key: keyof Statistics) =>
    statistics && statistics.count > 0 ? short(statistics[key] ?? Number.NaN) : '';
  const score = worst === undefined ? '' : scoreText(worst);
  const row = [tensor, dtype, shapeText(shape), expected];
  return [...row, number('mean'), number('std'), number('min'), number('max'), score, consistent ? '' : '✗'];
}

function wordsOf({ expected, statistics, worst }: Measured): string {
  const found = statistics ? `mean ${short(statistics.mean)}, std ${short(statistics.std)}` : 'other values';
  return `expected ${expected}, found ${found}${worst ? ` (${scoreText(worst)})` : ''}`;
}

function scoreText({ test, z }: Score): string {
  return Number.isFinite(z) ? `${test} ${z.toFixed(1)} σ` : test;
}

function short(x: number): string {
  return String(Number(x.toPrecision(4)));
}

function rate(bytes: number, seconds: number): { text: string; seconds: number; gbPerS: number } {
  const gbPerS = bytes / seconds / 1e9;
  return { text: `${seconds.toFixed(2)} s, ${gbPerS.toFixed(2)} GB/s`, seconds, gbPerS };
}
