import type { EChartsOption } from 'echarts';
import type { Trial } from '../harness/catalog.js';
import { titleOf } from '../harness/catalog.js';
import type { BenchRun } from '../harness/schema.js';
import { digits, isCall, peerRows, type Row } from '../harness/tables.js';
import { axisStyle, colours, font, heading, ink, powerOfTwo, textStyle } from './style.js';
import type { Picture } from './svg.js';

const columns = 2;
const width = 920;
const panelWidth = width / columns;
const namesWidth = 118;
const valuesWidth = 96;
const barStep = 18;
const top = 62;
const panelGap = 52;

/** What the main picture shows, if it was measured. */
const main: readonly (readonly [Trial['fill'], Trial['dtype']])[] = [
  ['uniform', 'float32'],
  ['normal', 'float32'],
  ['trunc_normal', 'float32'],
  ['orthogonal', 'float32'],
  ['normal', 'bfloat16'],
  ['normal', 'float64'],
];

interface Bar {
  readonly name: string;
  readonly colour: string;
  readonly value: number;
  readonly label: string;
}

interface Panel {
  readonly title: string;
  readonly whole: boolean;
  readonly bars: readonly Bar[];
}

/** One fill: memset, nninit and the others, the limit first. */
function panelOf(row: Row, { peers }: BenchRun): Panel {
  const { trial, most, one } = row;
  const whole = trial.fill === 'orthogonal' || trial.fill === 'sparse';
  const scale = whole ? 2 ** trial.log2 / 1e6 : 1;
  const unit = whole ? 'ms' : 'ns';
  const bar = (name: string, key: string, ns: number, factor = ''): Bar => ({
    name,
    colour: colours[key] ?? ink,
    value: ns * scale,
    label: `${digits(ns * scale)} ${unit}${factor}`,
  });
  const threads = (n: number) => `nninit, ${n} ${n === 1 ? 'thread' : 'threads'}`;
  const bars = [
    ...(most.memset === null || whole ? [] : [bar('memset', 'memset', most.memset.median)]),
    bar(threads(most.trial.threads), 'nninit', most.ns.median),
    ...(one === undefined ? [] : [bar(threads(1), 'nninitOne', one.ns.median)]),
    ...peers.flatMap(({ name, label }) => {
      const ns = row.peers.get(name)?.ns.median;
      return ns === undefined ? [] : [bar(label, name, ns, ` (${digits2(ns / most.ns.median)} ×)`)];
    }),
  ];
  const title = titleOf(trial).replace(/2\^(\d+)$/, (_, log2: string) => powerOfTwo(Number(log2)));
  return { title: `${title}, ${trial.dtype}`, whole, bars };
}

/** Two digits are enough for a factor. */
function digits2(x: number): string {
  return x >= 100 ? Math.round(x).toLocaleString('en-US') : Number(x.toPrecision(2)).toString();
}

/** From a power of ten below the values. */
function range(values: readonly number[]): { min: number; max: number; startValue: number } {
  const least = Math.min(...values);
  const power = 10 ** Math.floor(Math.log10(least));
  const min = least / power < 1.5 ? power / 10 : power;
  return { min, max: Math.max(...values) * 1.05, startValue: min }; // bars begin at the edge, not at 1
}

function optionOf(panels: readonly Panel[], title: string): { option: EChartsOption; height: number } {
  const elementwise = range(panels.filter(({ whole }) => !whole).flatMap(({ bars }) => bars.map(({ value }) => value)));
  const heights: number[] = [];
  panels.forEach((panel, i) => {
    const line = Math.floor(i / columns);
    heights[line] = Math.max(heights[line] ?? 0, panel.bars.length * barStep);
  });
  const tops = heights.map((_, i) => top + heights.slice(0, i).reduce((sum, h) => sum + h + panelGap, 0));
  const place = (i: number) => ({ left: (i % columns) * panelWidth, top: tops[Math.floor(i / columns)] ?? 0 });
  const height = (tops.at(-1) ?? 0) + (heights.at(-1) ?? 0) + 24;
  const option: EChartsOption = {
    textStyle: textStyle,
    title: [
      heading(title, 'center', 6, 14),
      ...panels.map(({ title: text }, i) => heading(text, place(i).left + namesWidth, place(i).top - 20)),
    ],
    grid: panels.map(({ bars }, i) => ({
      left: place(i).left + namesWidth,
      top: place(i).top,
      width: panelWidth - namesWidth - valuesWidth,
      height: bars.length * barStep,
    })),
    xAxis: panels.map(({ whole, bars }, i) => ({
      type: 'log' as const,
      gridIndex: i,
      ...(whole ? range(bars.map(({ value }) => value)) : elementwise),
      ...axisStyle,
      axisLabel: { show: false },
      axisTick: { show: false },
      axisLine: { show: false },
    })),
    yAxis: panels.map(({ bars }, i) => ({
      type: 'category' as const,
      gridIndex: i,
      inverse: true,
      data: bars.map(({ name }) => name),
      ...axisStyle,
      axisTick: { show: false },
      splitLine: { show: false },
    })),
    series: panels.map(({ bars }, i) => ({
      type: 'bar' as const,
      xAxisIndex: i,
      yAxisIndex: i,
      barWidth: barStep - 5,
      data: bars.map(({ value, label, colour }) => ({
        value,
        itemStyle: { color: colour, borderRadius: [0, 2, 2, 0] },
        label: { show: true, position: 'right' as const, formatter: label, color: ink, fontFamily: font, fontSize: 11 },
      })),
    })),
  };
  return { option, height };
}

/** Bars of nninit, memset and other libraries on a logarithmic axis; undefined where no other library was measured. */
export function peersPicture(run: BenchRun, { all }: { readonly all: boolean }): Picture | undefined {
  const rows = peerRows(run).filter(({ trial }) => !isCall(trial));
  const wanted = all ? rows : rows.filter(({ trial }) => main.some(([f, d]) => f === trial.fill && d === trial.dtype));
  if (wanted.length === 0) return undefined;
  if (!all) {
    const place = ({ trial }: Row) => main.findIndex(([f, d]) => f === trial.fill && d === trial.dtype);
    wanted.sort((a, b) => place(a) - place(b));
  }
  const title = 'Nanoseconds an element (whole matrices: milliseconds), logarithmic; shorter is better';
  const { option, height } = optionOf(
    wanted.map((row) => panelOf(row, run)),
    title,
  );
  const names = ['nninit', ...run.peers.map(({ label }) => label)].join(', ');
  return { width, height, description: `Time an element of ${names}, beside memset`, option };
}
