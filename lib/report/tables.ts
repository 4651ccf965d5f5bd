import { printable } from '../core/text.js';
import type { ElementDifference } from './differences.js';
import type { Histogram, TensorFacts, TensorReport } from './tensors.js';

type Cell = string | number | null;

/** Low end, width of a bin, the largest share, shares in two digits each, and which expectation is beside it. */
type PackedHistogram = readonly [number, number, number, string, number | null];

interface RowPicture {
  readonly title: string;
  readonly kind: 'line' | 'bar';
  readonly x: string;
  readonly y: string;
  readonly points: readonly (readonly [number, number])[];
}

/** A table as the page takes it: plain data. */
export interface PageTable {
  readonly id: string;
  readonly columns: readonly { readonly label: string; readonly kind: 'text' | 'number' }[];
  readonly rows: readonly (readonly Cell[])[];
  readonly filters: readonly { readonly column: number; readonly label: string; readonly all: string }[];
  /** Where a row says 'beyond chance'. */
  readonly badColumn: number;
  readonly histograms?: readonly (PackedHistogram | null)[];
  /** The largest share and shares, which many tensors have in common. */
  readonly expected?: readonly (readonly [number, string])[];
  /** What else there is to draw of a row: its spectrum, or how many columns have so many zeros. */
  readonly pictures?: readonly (RowPicture | null)[];
  /** What else there is to say of a row. */
  readonly facts?: readonly (readonly string[] | null)[];
}

const text = (label: string) => ({ label, kind: 'text' as const });
const number = (label: string) => ({ label, kind: 'number' as const });
/** JSON has none but finite ones. */
const finite = (x: number | undefined): number | string | null => {
  if (x === undefined || Number.isNaN(x)) return null;
  return Number.isFinite(x) ? Number(x.toPrecision(6)) : x > 0 ? '∞' : '-∞';
};

/** All tensors, with what was expected and found of each. */
export function tensorTable({ tensors, limit }: TensorReport, id: string): PageTable {
  const expected = new Map<string, number>();
  const shared: (readonly [number, string])[] = [];
  const histograms = tensors.map(({ histogram }) => histogram && pack(histogram, expected, shared));
  return {
    id,
    columns: [
      ...[text('tensor'), text('role'), number('layer'), text('shape'), text('dtype'), text('expected')],
      ...[
        number('mean'),
        number('std'),
        number('least'),
        number('most'),
        number('zeros, %'),
        number('worst z'),
        text('outcome'),
      ],
    ],
    rows: tensors.map((each) => {
      const { statistics: s } = each;
      const range = s !== undefined && s.count > 0 ? [finite(s.min), finite(s.max)] : [null, null];
      const zeros =
        s === undefined || each.elements === 0 ? null : Number(((100 * s.zeros) / each.elements).toPrecision(4));
      return [
        ...[
          printable(each.name),
          printable(each.role),
          each.layer,
          each.shape.join(' × '),
          each.dtype,
          each.expected ?? 'not known',
        ],
        ...[
          finite(s?.mean),
          finite(s?.std),
          ...range,
          zeros,
          each.worst ? finite(each.worst.z) : null,
          outcome(each, limit),
        ],
      ];
    }),
    filters: [
      { column: 1, label: 'Role', all: 'all roles' },
      { column: 5, label: 'Expected', all: 'all' },
      { column: 12, label: 'Outcome', all: 'all' },
    ],
    badColumn: 12,
    histograms: histograms.map((each) => each ?? null),
    expected: shared,
    pictures: tensors.map(pictureOf),
    facts: tensors.map(factsOf),
  };
}

function outcome({ consistent, expected, worst, statistics }: TensorFacts, limit: number): string {
  if (expected === null || limit === 0) return 'not judged';
  if (!consistent) return 'beyond chance';
  return worst === undefined && statistics === undefined ? 'exact' : 'as expected';
}

function factsOf({ structure, scores, statistics }: TensorFacts): string[] | null {
  const facts: string[] = [];
  if (structure?.kind === 'orthogonal') {
    const [low, high] = structure.singular.map((x) => Number(x.toPrecision(8)));
    facts.push(
      `‖QᵀQ − I‖: ${structure.norm.toPrecision(3)}, its largest element ${structure.deviation.toPrecision(3)}`,
      `singular values ÷ gain ${structure.spectrum === undefined ? 'within' : 'from'} ${low} ${structure.spectrum === undefined ? 'and' : 'to'} ${high}`,
    );
  }
  if (structure?.kind === 'sparse') {
    const [low, high] = structure.zeros;
    facts.push(
      `zeros in a column: ${low === high ? low : `${low} to ${high}`}, of which ${structure.expected} were expected`,
    );
  }
  if (scores.length > 0)
    facts.push(`z: ${scores.map(({ test, z }) => `${test} ${Number.isFinite(z) ? z.toFixed(2) : '∞'}`).join(', ')}`);
  if (statistics !== undefined && statistics.nan + statistics.infinite > 0)
    facts.push(`${statistics.nan} NaN, ${statistics.infinite} infinite`);
  return facts.length > 0 ? facts : null;
}

function pictureOf({ structure }: TensorFacts): RowPicture | null {
  if (structure?.kind === 'orthogonal' && structure.spectrum !== undefined) {
    const points = structure.spectrum.map((value, i) => [i + 1, Number((value - 1).toPrecision(4))] as const);
    return { title: 'Singular values', kind: 'line', x: 'singular value', y: 'σ ÷ gain − 1', points };
  }
  if (structure?.kind !== 'sparse') return null;
  const points = structure.columns.map(({ zeros, columns }) => [zeros, columns] as const);
  return { title: 'Zeros by column', kind: 'bar', x: 'zeros in a column', y: 'columns', points };
}

const digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Shares of the largest in 8 bits each: a hundred thousand histograms fit into a page. */
function shares(values: readonly number[], peak: number): string {
  return values
    .map((value) => {
      const level = peak > 0 ? Math.min(255, Math.round((255 * value) / peak)) : 0;
      return `${digits[level >> 6]}${digits[level & 63]}`;
    })
    .join('');
}

function pack(
  { low, width, counts, expected }: Histogram,
  known: Map<string, number>,
  shared: (readonly [number, string])[],
): PackedHistogram | null {
  const total = counts.reduce((sum, n) => sum + n, 0);
  if (total === 0) return null;
  const peak = Number((Math.max(...counts) / total).toPrecision(5));
  const found = shares(
    counts.map((n) => n / total),
    peak,
  );
  const [begin, wide] = [low, width].map((x) => Number(x.toPrecision(7))) as [number, number];
  if (expected.length === 0) return [begin, wide, peak, found, null];
  const most = Number(Math.max(...expected).toPrecision(6));
  const text = shares(expected, most);
  const key = `${most} ${text}`;
  const at = known.get(key) ?? shared.length;
  if (at === shared.length) {
    known.set(key, at);
    shared.push([most, text]);
  }
  return [begin, wide, peak, found, at];
}

/** Tensors of two models by name. */
export function comparisonTable(
  a: TensorReport,
  b: TensorReport,
  differences: readonly ElementDifference[] = [],
): PageTable {
  const apart = new Map(differences.map((each) => [each.tensor, each]));
  const others = new Map(b.tensors.map((each) => [each.name, each]));
  const names = new Set(a.tensors.map(({ name }) => name));
  const rows = a.tensors.map((one): Cell[] => {
    const other = others.get(one.name);
    const [s, t] = [one.statistics, other?.statistics];
    const error = s && t ? Math.sqrt(s.std ** 2 / s.count + t.std ** 2 / t.count) : 0;
    const z = s && t && error > 0 ? (t.mean - s.mean) / error : undefined;
    const same = other !== undefined && String(one.shape) === String(other.shape) && one.dtype === other.dtype;
    return [
      ...[printable(one.name), other === undefined ? 'only in A' : same ? 'in both' : 'other shape or dtype'],
      ...elementsApart(apart.get(one.name)),
      ...[finite(s?.mean), finite(t?.mean), finite(z), finite(s?.std), finite(t?.std)],
      s && t && s.std > 0 ? finite(t.std / s.std) : null,
      ...[finite(s?.max), finite(t?.max)],
    ];
  });
  const only = b.tensors.filter(({ name }) => !names.has(name));
  for (const { name, statistics: t } of only) {
    rows.push([
      printable(name),
      'only in B',
      ...elementsApart(undefined),
      null,
      finite(t?.mean),
      null,
      null,
      finite(t?.std),
      null,
      null,
      finite(t?.max),
    ]);
  }
  // What differs the most comes first.
  const away = ([, , largest]: readonly Cell[]) => (largest === '∞' ? Number.POSITIVE_INFINITY : Number(largest ?? 0));
  if (differences.length > 0)
    rows.sort((one, other) => (away(other) > away(one) ? 1 : away(other) < away(one) ? -1 : 0));
  return {
    id: 'comparison',
    columns: [
      ...[
        text('tensor'),
        text('where'),
        number('most |a − b|'),
        number('differ, %'),
        number('mean A'),
        number('mean B'),
        number('z of the means'),
      ],
      ...[number('std A'), number('std B'), number('std B ÷ A'), number('most A'), number('most B')],
    ],
    rows,
    filters: [{ column: 1, label: 'Where', all: 'all' }],
    badColumn: -1,
  };
}

function elementsApart(difference: ElementDifference | undefined): Cell[] {
  if (difference === undefined) return [null, null];
  const { elements, differing, largest } = difference;
  const share = elements === 0 ? 0 : Number(((100 * differing) / elements).toPrecision(4));
  return [largest === null ? null : (finite(largest) ?? null), share];
}

/** Mean and standard deviation of each tensor over several seeds. */
export function ensembleTable(reports: readonly TensorReport[]): PageTable {
  const [first] = reports;
  const rows = (first?.tensors ?? []).flatMap(({ name, statistics }, i): Cell[][] => {
    if (statistics === undefined) return [];
    const of = (what: 'mean' | 'std') =>
      spread(reports.map((report) => report.tensors[i]?.statistics?.[what] ?? Number.NaN));
    const [mean, std] = [of('mean'), of('std')];
    return [
      [
        printable(name),
        finite(mean.mean),
        finite(mean.std),
        finite(statistics.std / Math.sqrt(statistics.count)),
        finite(std.mean),
        finite(std.std),
        finite(std.min),
        finite(std.max),
      ],
    ];
  });
  return {
    id: 'ensemble',
    columns: [
      ...[text('tensor'), number('mean'), number('± over seeds'), number('std ÷ √elements')],
      ...[number('std'), number('± over seeds'), number('least std'), number('most std')],
    ],
    rows,
    filters: [],
    badColumn: -1,
  };
}

function spread(values: readonly number[]) {
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  const square = values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / Math.max(1, values.length - 1);
  return { mean, std: Math.sqrt(square), min: Math.min(...values), max: Math.max(...values) };
}
