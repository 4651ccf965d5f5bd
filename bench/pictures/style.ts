/** Greys that can be read on white and on black alike, since the background is left transparent. */
export const ink = '#6e7781';
export const faint = 'rgba(139, 148, 158, 0.33)';
export const font = 'system-ui, Segoe UI, Helvetica, DejaVu Sans, sans-serif'; // unquoted: ECharts does not escape quotes

/** Okabe and Ito's colours, which the colour-blind tell apart. */
const okabe_ito = {
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
  memset: okabe_ito.grey,
  nninit: okabe_ito.blue,
  nninit_one: okabe_ito.sky,
  torch: okabe_ito.vermillion,
  numpy: okabe_ito.orange,
  jax: okabe_ito.purple,
  tensorflow: okabe_ito.green,
  tfjs: '#b8860b',
  loop: '#a0522d',
};

/** For lines that stand for fills. */
export const line_colours = [
  okabe_ito.blue,
  okabe_ito.vermillion,
  okabe_ito.green,
  okabe_ito.purple,
  okabe_ito.orange,
  okabe_ito.sky,
];
export const line_symbols = ['circle', 'rect', 'triangle', 'diamond', 'roundRect', 'pin'];

export const text_style = { color: ink, fontFamily: font, fontSize: 12 } as const;

/** The options that all axes share. */
export const axis_style = {
  axisLine: { show: true, lineStyle: { color: faint } },
  axisTick: { lineStyle: { color: faint } },
  axisLabel: { color: ink, fontFamily: font, fontSize: 11 },
  nameTextStyle: { color: ink, fontFamily: font, fontSize: 11 },
  splitLine: { lineStyle: { color: faint } },
} as const;

export const legend_style = {
  left: 'center',
  itemGap: 30,
  itemWidth: 24,
  itemHeight: 12,
  textStyle: { color: ink, fontFamily: font, fontSize: 12 },
} as const;

/** A dashed line, for legends. */
export const dashes = 'path://M0,0h6v2h-6zM9,0h6v2h-6zM18,0h6v2h-6z';

/** A number with a small exponent: 2²⁶. */
export function power_of_two(log2: number): string {
  return `2${[...String(log2)].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]).join('')}`;
}

/** A heading in the picture. */
export function heading(text: string, left: number | string, top: number, size = 13): object {
  return { text, left, top, padding: 0, textStyle: { color: ink, fontFamily: font, fontSize: size, fontWeight: 600 } };
}
