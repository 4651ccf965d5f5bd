import type { ChartOption, Drawing } from './echarts.js';

/** A picture and the same in numbers. */
export interface Chart extends Drawing {
  /** Narrower than so many pixels it is not readable: a page scrolls it then. */
  readonly least?: number;
  readonly id: string;
  readonly title: string;
  readonly numbers: {
    readonly head: readonly string[];
    readonly rows: readonly (readonly (string | number | null)[])[];
  };
}

/** Colours that people with other colour vision tell apart (Okabe & Ito 2008, Tol 2021), on white and on black. */
/** One for each line, in order. */
export const colours = [
  ...['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9'],
  ...['#999933', '#aa4466', '#44aa99', '#888888', '#7a6fd0', '#b08050'],
];
export const symbols = ['circle', 'rect', 'triangle', 'diamond', 'roundRect', 'pin'];

/** What axes and texts look like on a light or a dark ground. */
export function themeOf(ink: string, faint: string): ChartOption {
  const font = 'system-ui, "DejaVu Sans", sans-serif';
  const axis = {
    axisLine: { lineStyle: { color: faint } },
    axisTick: { lineStyle: { color: faint } },
    axisLabel: { color: ink, fontSize: 11 },
    nameTextStyle: { color: ink, fontSize: 11 },
    splitLine: { lineStyle: { color: faint, opacity: 0.5 } },
  };
  return {
    color: colours,
    backgroundColor: 'transparent',
    textStyle: { fontFamily: font },
    title: { textStyle: { color: ink, fontSize: 14 } },
    legend: {
      textStyle: { color: ink, fontSize: 11 },
      inactiveColor: faint,
      pageTextStyle: { color: ink },
      pageIconColor: ink,
    },
    valueAxis: axis,
    logAxis: axis,
    categoryAxis: axis,
  };
}

/** Beyond these a logarithmic picture ends, and lines leave it: what is level would not be told from what is not among more decades. */
const [least, most] = [1e-6, 1e6];

/** A logarithmic axis around values, which ends at whole powers of ten. */
export function logAxis(values: readonly (number | null | undefined)[]) {
  const seen = values.filter((y): y is number => typeof y === 'number' && Number.isFinite(y) && y > 0);
  const [low, high] = [seen.reduce((a, b) => Math.min(a, b), 1), seen.reduce((a, b) => Math.max(a, b), 1)];
  const power = (x: number, round: (x: number) => number) =>
    10 ** round(Math.log10(Math.min(most, Math.max(least, x))));
  return { min: power(low, (x) => Math.floor(x + 1e-9)), max: power(high, (x) => Math.ceil(x - 1e-9)) };
}

/** The option of a chart of lines, but for its series. */
export const axes = (x: string, y: string, log: boolean, depth: number) => ({
  grid: { left: 64, right: 16, top: 78, bottom: 44 },
  legend: { top: 26, left: 8, right: 8, itemWidth: 18, itemHeight: 9, itemGap: 8, padding: 2 },
  tooltip: { trigger: 'item', renderMode: 'richText', confine: true },
  xAxis: {
    type: 'value',
    name: x,
    nameLocation: 'middle',
    nameGap: 26,
    min: depth > 1 ? 1 : 0,
    max: Math.max(2, depth),
    minInterval: 1,
  },
  yAxis: { type: log ? 'log' : 'value', name: y, nameLocation: 'end', nameTextStyle: { align: 'left' }, scale: true },
});

interface Axis {
  readonly type: string;
  readonly axisLabel?: object;
}

/** An axis with labels as people write them: powers of ten on a logarithmic one, no rounding errors of steps on another. */
function labelled(axis: Axis): Axis {
  if (axis.type !== 'log' && axis.type !== 'value') return axis;
  return { ...axis, axisLabel: { ...axis.axisLabel, formatter: axis.type === 'log' ? powerText : tickText } };
}

/** A chart's option for a picture of one size: its legend in as many lines as the names take, and its axes labelled. A page does so itself. */
export function fitted({ option, width }: Chart): ChartOption {
  const { legend, grid, xAxis, yAxis, series } = option as {
    readonly legend?: object;
    readonly grid: object;
    readonly xAxis: Axis;
    readonly yAxis: Axis;
    readonly series: readonly { readonly name: string }[];
  };
  const axes = { xAxis: labelled(xAxis), yAxis: labelled(yAxis) };
  if (legend === undefined) return { ...option, ...axes };
  let [lines, at] = [1, 0];
  for (const name of new Set(series.map((each) => each.name))) {
    const wide = 34 + 6.5 * name.length;
    if (at > 0 && at + wide > width - 16) [lines, at] = [lines + 1, 0];
    at += wide;
  }
  return { ...option, ...axes, grid: { ...grid, top: 54 + 20 * lines } };
}

const superscripts = '⁰¹²³⁴⁵⁶⁷⁸⁹';

/** 10⁻⁶. */
export function powerOfTen(power: number): string {
  return `10${String(power).replace(/./g, (digit) => (digit === '-' ? '⁻' : (superscripts[Number(digit)] ?? '')))}`;
}

/** A power of ten, or a plain number near 1. */
function powerText(value: number): string {
  const power = Math.round(Math.log10(value));
  return Math.abs(power) < 3 ? String(value) : powerOfTen(power);
}

/** A tick's value; steps of ticks are sums, as -2.0000000000000004e+25. */
function tickText(value: number): string {
  const rounded = Number(value.toPrecision(4));
  return Math.abs(rounded) < 1e6 ? String(rounded) : rounded.toExponential();
}

/** A number in words that are read aloud. */
export const digits = (x: number | undefined): string =>
  x === undefined || Number.isNaN(x) ? 'nothing' : String(Number(x.toPrecision(3)));
