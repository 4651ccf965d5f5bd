import type { EChartsOption, SeriesOption } from 'echarts';
import { gbPerS } from '../harness/run.js';
import { type Scaling, scalings } from '../harness/scaling.js';
import type { BenchRun, TrialResult } from '../harness/schema.js';
import { digits } from '../harness/tables.js';
import {
  axisStyle,
  colours,
  dashes,
  font,
  heading,
  ink,
  legendStyle,
  lineColours,
  lineSymbols,
  powerOfTwo,
  roundedUp,
  textStyle,
} from './style.js';
import type { Picture } from './svg.js';

type Pair = [number, number];

const width = 920;
const height = 380;
const grids = [
  { left: 62, top: 70, width: 376, height: 240 },
  { left: 522, top: 70, width: 376, height: 240 },
];

const nameOf = ({ trial }: Scaling) => `${trial.fill}_${trial.dtype === 'float32' ? '' : ` ${trial.dtype}`}`;

function line(name: string, index: number, panel: number, data: readonly Pair[]): SeriesOption {
  const colour = lineColours[index % lineColours.length] ?? ink;
  return {
    type: 'line',
    name,
    xAxisIndex: panel,
    yAxisIndex: panel,
    data: [...data],
    symbol: lineSymbols[index % lineSymbols.length] ?? 'circle',
    symbolSize: 7,
    lineStyle: { width: 2, color: colour },
    itemStyle: { color: colour },
  };
}

function dashed(name: string, panel: number, data: readonly Pair[], colour = colours.memset ?? ink): SeriesOption {
  return {
    type: 'line',
    name,
    xAxisIndex: panel,
    yAxisIndex: panel,
    data: [...data],
    showSymbol: false,
    symbol: 'none',
    lineStyle: { width: 2, type: 'dashed', color: colour },
    itemStyle: { color: colour },
  };
}

function frame(titles: readonly [string, string], legend: readonly string[]): EChartsOption {
  return {
    textStyle: textStyle,
    title: titles.map((title, i) => heading(title, grids[i]?.left ?? 0, 42)),
    legend: {
      ...legendStyle,
      data: legend.map((name) => (name === 'memset' || name === 'ideal' ? { name, icon: dashes } : { name })),
      top: 8,
    },
    grid: grids,
  };
}

/** memset's rate, the median over trials of the same size and threads. */
function memsetLine(results: readonly TrialResult[], x: (result: TrialResult) => number): Pair[] {
  const byX = new Map<number, number[]>();
  for (const result of results) {
    if (result.memset === null) continue;
    byX.set(x(result), [...(byX.get(x(result)) ?? []), gbPerS(result.memset, result)]);
  }
  const middle = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  return [...byX].map(([at, values]): Pair => [at, middle(values)]).sort(([a], [b]) => a - b);
}

/** Speed-up and bandwidth against threads, on the largest size; undefined where there is one thread count only. */
export function threadsPicture(run: BenchRun): Picture | undefined {
  const all = scalings(run).filter(({ points }) => points.length > 1);
  const largest = Math.max(...all.map(({ trial }) => trial.log2));
  const shown = all.filter(({ trial }) => trial.log2 === largest);
  if (shown.length === 0) return undefined;
  const most = Math.max(...shown.flatMap(({ points }) => points.map(({ threads }) => threads)));
  const x = (panel: number) => ({
    type: 'log' as const,
    logBase: 2,
    min: 1,
    max: most,
    gridIndex: panel,
    name: 'threads',
    nameLocation: 'middle' as const,
    nameGap: 26,
    ...axisStyle,
  });
  const results = shown.flatMap(({ points }) => points.map(({ result }) => result));
  const speedups = shown.flatMap(({ points }) => points.flatMap(({ speedup }) => (speedup ? [speedup] : [])));
  const option: EChartsOption = {
    ...frame(
      [`Times as fast as one thread, ${powerOfTwo(largest)} elements`, 'GB/s written'],
      [...shown.map(nameOf), 'memset', 'ideal'],
    ),
    xAxis: [x(0), x(1)],
    yAxis: [
      // Beyond the ideal by a little, or slower than one thread: it is to be seen.
      {
        type: 'log',
        logBase: 2,
        min: Math.min(1, ...speedups),
        max: Math.max(most, ...speedups),
        gridIndex: 0,
        ...axisStyle,
        axisLabel: { ...axisStyle.axisLabel, formatter: showFactor },
      },
      { type: 'value', gridIndex: 1, ...axisStyle },
    ],
    series: [
      dashed(
        'ideal',
        0,
        [
          [1, 1],
          [most, most],
        ],
        'rgba(139, 148, 158, 0.6)',
      ),
      ...shown.map((scaling, i) =>
        line(
          nameOf(scaling),
          i,
          0,
          scaling.points.flatMap(({ threads, speedup }): Pair[] => (speedup ? [[threads, speedup]] : [])),
        ),
      ),
      ...shown.map((scaling, i) =>
        line(
          nameOf(scaling),
          i,
          1,
          scaling.points.map(({ threads, result }): Pair => [threads, gbPerS(result.ns, result)]),
        ),
      ),
      dashed(
        'memset',
        1,
        memsetLine(results, ({ trial }) => trial.threads),
      ),
    ],
  };
  return { width, height, description: 'Speed-up and bandwidth against the number of threads, beside memset', option };
}

/** 0.5, 2, 64; the ends of an axis may be anything between. */
function showFactor(x: number): string {
  return String(Number(x.toPrecision(2)));
}

const units = ['B', 'KiB', 'MiB', 'GiB'];

function showBytes(bytes: number): string {
  const unit = Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${bytes / 2 ** (10 * unit)} ${units[unit]}`;
}

/** Bandwidth against size, on one thread and on the most; undefined where there is one size only. */
export function sizesPicture(run: BenchRun): Picture | undefined {
  const sizes = new Set(run.results.map(({ trial }) => trial.log2));
  if (sizes.size < 2) return undefined;
  const counts = run.results.map(({ trial }) => trial.threads);
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  const names = [...new Set(scalings(run).map(nameOf))];
  const panels = least === most ? [most] : [least, most];
  const bytes = run.results.map((result) => result.bytes);
  const rates = run.results.flatMap((result) => [
    gbPerS(result.ns, result),
    ...(result.memset === null ? [] : [gbPerS(result.memset, result)]),
  ]);
  const floor = 10 ** Math.floor(Math.log10(Math.min(...rates)));
  const series = panels.flatMap((threads, panel): SeriesOption[] => {
    const mine = run.results.filter(({ trial }) => trial.threads === threads);
    const lines = names.map((name, i) => {
      const data = mine
        .filter(({ trial }) => name === `${trial.fill}_${trial.dtype === 'float32' ? '' : ` ${trial.dtype}`}`)
        .map((result): Pair => [result.bytes, gbPerS(result.ns, result)])
        .sort(([a], [b]) => a - b);
      return line(name, i, panel, data);
    });
    return [
      ...lines,
      {
        ...dashed(
          'memset',
          panel,
          memsetLine(mine, (result) => result.bytes),
        ),
        ...cacheMarks(run),
      } as SeriesOption,
    ];
  });
  const option: EChartsOption = {
    ...frame(
      [`GB/s written on ${count(panels[0] ?? 1)}`, panels.length > 1 ? `on ${count(most)}` : ''],
      [...names, 'memset'],
    ),
    grid: grids.slice(0, panels.length),
    xAxis: panels.map((_, i) => ({
      type: 'log' as const,
      logBase: 2,
      min: Math.min(...bytes),
      max: Math.max(...bytes),
      gridIndex: i,
      name: 'bytes filled',
      nameLocation: 'middle' as const,
      nameGap: 28,
      ...axisStyle,
      axisLabel: { ...axisStyle.axisLabel, formatter: showBytes, hideOverlap: true },
      splitLine: { show: false },
    })),
    yAxis: panels.map((_, i) => ({
      type: 'log' as const,
      min: floor,
      max: roundedUp(1.05 * Math.max(...rates)),
      gridIndex: i,
      ...axisStyle,
      axisLabel: { ...axisStyle.axisLabel, formatter: digits },
    })),
    series,
  };
  return { width, height, description: 'Bandwidth against the size of the tensor, beside memset', option };
}

const count = (threads: number) => `${threads} ${threads === 1 ? 'thread' : 'threads'}`;

/** Where each cache ends. */
function cacheMarks({ machine }: BenchRun): object {
  return {
    markLine: {
      silent: true,
      symbol: 'none',
      lineStyle: { color: 'rgba(139, 148, 158, 0.6)', type: 'dotted', width: 1 },
      label: { color: ink, fontFamily: font, fontSize: 10, position: 'end', formatter: '{b}' },
      data: machine.caches.map(({ level, bytes }) => ({ name: level.replace('d', ''), xAxis: bytes })),
    },
  };
}
