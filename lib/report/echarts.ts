import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** A chart as Apache ECharts takes it: plain data. */
export type ChartOption = Readonly<Record<string, unknown>>;

/** What is drawn. */
export interface Drawing {
  readonly width: number;
  readonly height: number;
  /** What it shows, in a sentence: for those who cannot see it. */
  readonly description: string;
  readonly option: ChartOption;
}

const missing = 'pictures are drawn by the npm package echarts, which is not installed: npm install echarts@6';

/**
 * Draws a chart as SVG text, on the server.
 *
 * @param theme colours and fonts
 * @throws Error that says what to install where echarts is not there
 */
export async function svgOf({ width, height, description, option }: Drawing, theme?: ChartOption): Promise<string> {
  const echarts = await import('echarts').catch((cause: unknown) => {
    throw new Error(missing, { cause });
  });
  const chart = echarts.init(null, theme ?? null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, ...option });
    // Screen readers read the title of an image.
    return chart.renderToSVGString().replace(/<svg [^>]*>/, (tag) => `${tag}\n<title>${escaped(description)}</title>`);
  } finally {
    chart.dispose();
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/**
 * ECharts itself, for a page that needs no network.
 *
 * @throws Error that says what to install where echarts is not there
 */
export async function echartsScript(): Promise<string> {
  try {
    return await readFile(createRequire(import.meta.url).resolve('echarts/dist/echarts.common.min.js'), 'utf8');
  } catch (cause) {
    throw new Error(missing, { cause });
  }
}
