import { counted } from '../../lib/core/text.js';
import type { BenchRun } from '../harness/schema.js';

/** Greys that can be read on white and on black alike, since the background is left transparent. */
export const ink = '#6e7781';
export const faint = 'rgba(139, 148, 158, 0.33)';
export const font = 'system-ui, Segoe UI, Helvetica, DejaVu Sans, sans-serif'; // unquoted: ECharts does not escape quotes

/** Okabe and Ito's colours, which the colour-blind tell apart. */
const okabeIto = {
  blue: '#0072b2',
  sky: '#56b4e9',
  green: '#009e73',
  orange: '#e69f00',
  vermillion: '#d55e00',
  purple: '#cc79a7',
  grey: '#8b949e',
} as const;

/** nninit in blues, its limit grey, the others each in a colour of its own, the same in every picture. */
export const colours: Readonly<Record<string, string>> = {
  memset: okabeIto.grey,
  nninit: okabeIto.blue,
  nninitOne: okabeIto.sky,
  torch: okabeIto.vermillion,
  numpy: okabeIto.orange,
  jax: okabeIto.purple,
  tensorflow: okabeIto.green,
  tfjs: '#b8860b',
  loop: '#a0522d',
};

/** For lines that stand for fills. */
export const lineColours = [
  okabeIto.blue,
  okabeIto.vermillion,
  okabeIto.green,
  okabeIto.purple,
  okabeIto.orange,
  okabeIto.sky,
];
export const lineSymbols = ['circle', 'rect', 'triangle', 'diamond', 'roundRect', 'pin'];

export const textStyle = { color: ink, fontFamily: font, fontSize: 12 } as const;

/** The options that all axes share. */
export const axisStyle = {
  axisLine: { show: true, lineStyle: { color: faint } },
  axisTick: { lineStyle: { color: faint } },
  axisLabel: { color: ink, fontFamily: font, fontSize: 11 },
  nameTextStyle: { color: ink, fontFamily: font, fontSize: 11 },
  splitLine: { lineStyle: { color: faint } },
} as const;

export const legendStyle = {
  left: 'center',
  itemGap: 30,
  itemWidth: 24,
  itemHeight: 12,
  textStyle: { color: ink, fontFamily: font, fontSize: 12 },
} as const;

/** A dashed line, for legends. */
export const dashes = 'path://M0,0h6v2h-6zM9,0h6v2h-6zM18,0h6v2h-6z';

/** A number with a small exponent: 2²⁶. */
export function powerOfTwo(log2: number): string {
  return `2${[...String(log2)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('')}`;
}

/** What was measured on what, and when: in the picture, for who finds it alone. */
export function caption({ machine, nninit, date }: BenchRun): string {
  const { cpu, cores, simd_target, node } = machine;
  return `${cpu}, ${counted(cores, 'core')}, ${simd_target} · Node ${node} · nninit ${nninit} · ${date.slice(0, 10)}`;
}

/** 1, 2 or 5 times a power of ten, the next one: an end of an axis that reads well and cuts nothing off. */
export function roundedUp(x: number): number {
  const power = 10 ** Math.floor(Math.log10(x));
  return power * ([1, 2, 5].find((step) => x <= step * power * (1 + 1e-9)) ?? 10);
}

/** A heading in the picture. */
export function heading(text: string, left: number | string, top: number, size = 13): object {
  return { text, left, top, padding: 0, textStyle: { color: ink, fontFamily: font, fontSize: size, fontWeight: 600 } };
}
