import type { EChartsOption, SeriesOption } from 'echarts';
import { gbPerS } from '../harness/run.js';
import type { BenchRun, TrialResult } from '../harness/schema.js';
import { cachedLog2 } from '../harness/suites.js';
import { digits } from '../harness/tables.js';
import { axisStyle, colours, font, heading, ink, legendStyle, roundedUp, textStyle } from './style.js';
import type { Picture } from './svg.js';

const width = 920;
const rowHeight = 26;
const top = 74;

/** A fill on some threads, and what limits it, in GB/s. */
interface Row {
  readonly name: string;
  /** What its arithmetic allows: its rate in cache on one thread, times the threads. */
  readonly arithmetic: number;
  /** What memory allows: memset's rate in the same trial. */
  readonly memory: number;
  readonly reached: number;
}

interface Panel {
  readonly threads: number;
  readonly rows: readonly Row[];
}

function panelsOf({ results }: BenchRun): Panel[] {
  const plain = results.filter(({ trial }) => trial.memory === 'warm' && trial.executor === 'sync');
  const key = ({ trial }: TrialResult) => `${trial.fill}_ ${trial.dtype}`;
  const cached = new Map(
    plain
      .filter(({ trial }) => trial.log2 === cachedLog2 && trial.threads === 1)
      .map((result) => [key(result), gbPerS(result.ns, result)]),
  );
  const panels = new Map<number, Row[]>();
  for (const result of plain) {
    const { log2, threads } = result.trial;
    const rate = cached.get(key(result));
    if (rate === undefined || log2 <= cachedLog2 || result.memset === null) continue;
    const row = {
      name: key(result),
      arithmetic: rate * threads,
      memory: gbPerS(result.memset, result),
      reached: gbPerS(result.ns, result),
    };
    panels.set(threads, [...(panels.get(threads) ?? []), row]);
  }
  const all = [...panels].map(([threads, rows]): Panel => ({ threads, rows })).sort((a, b) => a.threads - b.threads);
  const [first, last] = [all[0], all.at(-1)];
  return first === undefined || last === undefined ? [] : first === last ? [first] : [first, last];
}

/** Marks for one of the limits: a line across the row. */
function limit(name: string, colour: string, panel: number, values: readonly number[]): SeriesOption {
  return {
    type: 'scatter',
    name,
    xAxisIndex: panel,
    yAxisIndex: panel,
    symbol: 'rect',
    symbolSize: [3, rowHeight - 6],
    itemStyle: { color: colour, opacity: 1 },
    data: values.map((value, i) => [value, i]),
    z: 5,
  };
}

/**
 * A roofline, a line for each fill: the bar is the rate it reaches in memory, the marks are its two limits. A fill at the lesser
 * of its marks is as fast as this machine allows.
 */
export function rooflinePicture(run: BenchRun): Picture | undefined {
  const panels = panelsOf(run);
  const most = Math.max(0, ...panels.map(({ rows }) => rows.length));
  if (most === 0) return undefined;
  const all = panels.flatMap(({ rows }) =>
    rows.flatMap(({ arithmetic, memory, reached }) => [arithmetic, memory, reached]),
  );
  const min = 10 ** Math.floor(Math.log10(Math.min(...all)));
  const max = roundedUp(Math.max(...all) * 1.05);
  const [reached, arithmetic, memory] = [
    'reached in memory',
    'limit of arithmetic (in cache)',
    'limit of memory (memset)',
  ];
  const option: EChartsOption = {
    textStyle: textStyle,
    legend: { ...legendStyle, data: [reached, arithmetic, memory], top: 8 },
    title: panels.map(({ threads }, i) =>
      heading(`GB/s on ${threads} ${threads === 1 ? 'thread' : 'threads'}, logarithmic`, i === 0 ? 150 : 560, 46),
    ),
    grid: panels.map(({ rows }, i) => ({
      left: i === 0 ? 150 : 560,
      width: 340,
      top,
      height: rows.length * rowHeight,
    })),
    xAxis: panels.map((_, i) => ({
      type: 'log' as const,
      min,
      max,
      startValue: min,
      gridIndex: i,
      ...axisStyle,
      axisLabel: { ...axisStyle.axisLabel, formatter: digits },
    })),
    yAxis: panels.map(({ rows }, i) => ({
      type: 'category' as const,
      inverse: true,
      gridIndex: i,
      data: rows.map(({ name }) => name),
      ...axisStyle,
      axisTick: { show: false },
      axisLabel: { ...axisStyle.axisLabel, show: i === 0 },
      splitLine: { show: false },
    })),
    series: panels.flatMap(({ rows }, i): SeriesOption[] => [
      {
        type: 'bar',
        name: reached,
        xAxisIndex: i,
        yAxisIndex: i,
        barWidth: rowHeight - 10,
        itemStyle: { color: colours.nninit ?? ink },
        data: rows.map(({ reached: value }) => ({
          value,
          label: {
            show: true,
            position: 'insideLeft' as const,
            formatter: digits(value),
            color: '#ffffff',
            fontFamily: font,
            fontSize: 11,
          },
        })),
      },
      limit(
        arithmetic,
        colours.torch ?? ink,
        i,
        rows.map((row) => row.arithmetic),
      ),
      limit(
        memory,
        colours.memset ?? ink,
        i,
        rows.map((row) => row.memory),
      ),
    ]),
  };
  const height = top + most * rowHeight + 34;
  return {
    width,
    height,
    description: 'Bandwidth that each fill reaches, beside what arithmetic and memory allow',
    option,
  };
}
