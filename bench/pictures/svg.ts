import type { EChartsOption } from 'echarts';

/** A picture to be drawn. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** What it shows, in a sentence: for those who cannot see it. */
  readonly description: string;
  readonly option: EChartsOption;
}

async function loadEcharts(): Promise<typeof import('echarts')> {
  try {
    return await import('echarts');
  } catch (cause) {
    throw new Error('pictures are drawn by the npm package echarts, which is not installed: npm install echarts', {
      cause,
    });
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/** Draws a picture as SVG text. */
export async function draw({ width, height, description, option }: Picture): Promise<string> {
  const echarts = await loadEcharts();
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption({ animation: false, ...option });
    const svg = chart.renderToSVGString();
    // Screen readers read the title of an image.
    return svg.replace(/<svg [^>]*>/, (tag) => `${tag}\n<title>${escaped(description)}</title>`);
  } finally {
    chart.dispose();
  }
}
