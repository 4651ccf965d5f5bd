import type { EChartsOption } from 'echarts';
import { svgOf } from '../../lib/report/echarts.js';
import { textStyle } from './style.js';

/** A picture to be drawn. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** What it shows, in a sentence: for those who cannot see it. */
  readonly description: string;
  readonly option: EChartsOption;
}

const captionHeight = 18;

/** Draws a picture as SVG text, with a caption below. */
export function draw({ width, height, description, option }: Picture, caption: string): Promise<string> {
  const title = [option.title ?? []].flat();
  const below = { text: caption, left: 'center', top: height, padding: 0, textStyle: { ...textStyle, fontSize: 10 } };
  return svgOf({ width, height: height + captionHeight, description, option: { ...option, title: [...title, below] } });
}
