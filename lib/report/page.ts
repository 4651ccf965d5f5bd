import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { gzipSync } from 'node:zlib';
import { packageFile } from '../core/package-files.js';
import { counted, printable, size } from '../core/text.js';
import { version } from '../core/version.js';
import { type Chart, fitted, themeOf } from './chart.js';
import { layersChart, signalCharts, valueCharts } from './charts.js';
import { checkContent } from './check-content.js';
import type { ElementDifference } from './differences.js';
import { echartsScript, svgOf } from './echarts.js';
import type { SignalReport } from './signals.js';
import { comparisonTable, ensembleTable, type PageTable, tensorTable } from './tables.js';
import type { TensorReport } from './tensors.js';

/** What a page shows. */
export interface ReportContent {
  /** The page's heading; made from what is shown if left out. */
  readonly title?: string | undefined;
  readonly signals?: readonly SignalReport[] | undefined;
  /** One model, two that are compared, or one under several seeds. */
  readonly tensors?: readonly TensorReport[] | undefined;
  /** Of two models, element by element: what tensorDifferences found. */
  readonly differences?: readonly ElementDifference[] | undefined;
}

interface Section {
  readonly title: string;
  readonly paragraphs: readonly string[];
  readonly charts: readonly Chart[];
  /** Charts that are drawn when they are asked for. */
  readonly moreTitle: string;
  readonly more: readonly Chart[];
  readonly table?: PageTable | undefined;
}

const themes = { light: themeOf('#1b1f24', '#9aa1ab'), dark: themeOf('#e6e9ee', '#5c6570') };

/**
 * A report as one HTML file that needs nothing else: no network, no other file. Light or dark as the reader's system is, for phones, for paper, for
 * keyboards and screen readers. Names of a foreign checkpoint are text in it and nothing else.
 *
 *     await writeFile('report.html', await reportPage({ signals: [await signalReport('linear 512 x 50, tanh')] }));
 *
 * @throws TypeError for what is no report; Error where the npm package echarts is not installed, which draws the charts
 */
export async function reportPage(content: ReportContent): Promise<string> {
  const given = checkContent('reportPage', content);
  const sections = sectionsOf(given);
  const title = printable(given.title ?? `nninit report: ${sections.map((section) => section.title).join('; ')}`);
  const [charts, client, style] = await Promise.all([
    echartsScript(),
    readFile(packageFile('lib/report/page/client.js'), 'utf8'),
    readFile(packageFile('lib/report/page/style.css'), 'utf8'),
  ]);
  const data = JSON.stringify({ sections, themes });
  const hash = (text: string) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const policy = [
    "default-src 'none'",
    `script-src ${hash(charts)} ${hash(client)}`,
    `style-src ${hash(style)}`,
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
  ].join('; ');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<main>
<h1>${escaped(content.title === undefined ? 'nninit report' : title)}</h1>
<noscript><p>The charts and tables of this page are drawn by its scripts, which are switched off here.</p></noscript>
</main>
<footer>nninit ${escaped(version)}. Charts: Apache ECharts, Apache-2.0.</footer>
<script type="application/gzip" id="data">${gzipSync(data).toString('base64')}</script>
<script>${charts}</script>
<script>${client}</script>
</body>
</html>
`;
}

/** A picture for a paper. */
export interface ReportPicture {
  /** Fit for a file: `activations`. */
  readonly name: string;
  readonly svg: string;
}

/**
 * The charts of a report as SVG, with a text for those who cannot see them.
 *
 * @throws TypeError for what is no report; Error where the npm package echarts is not installed
 */
export async function reportPictures(content: ReportContent): Promise<ReportPicture[]> {
  const sections = sectionsOf(checkContent('reportPictures', content));
  const pictures: ReportPicture[] = [];
  for (const [i, { charts, more }] of sections.entries()) {
    for (const chart of [...charts, ...more]) {
      const option = { backgroundColor: '#ffffff', ...fitted(chart) };
      const name = sections.length > 1 ? `${i + 1}-${chart.id}` : chart.id;
      pictures.push({ name, svg: await svgOf({ ...chart, option }, themes.light) });
    }
  }
  return pictures;
}

function sectionsOf({ signals = [], tensors = [], differences }: ReportContent): Section[] {
  const sections: Section[] = signals.map((report) => ({
    title: `Signals through ${report.stack}`,
    paragraphs: [
      ...report.advice,
      ...report.explanation,
      `Inputs are N(0, 1), gradients behind the last layer too; ${counted(report.seeds.length, 'network')}, each with two inputs; points are medians and whiskers the extremes.`,
    ],
    charts: signalCharts(report),
    moreTitle: 'Activations and gradients themselves, by layer (as in Glorot & Bengio 2010, figures 6 and 7)',
    more: valueCharts(report),
  }));
  const [first, second] = tensors;
  if (first === undefined) return sections;
  const isEnsemble = tensors.length > 2;
  if (isEnsemble) {
    sections.push({
      title: `Spread over ${tensors.length} seeds: ${printable(first.source)}`,
      paragraphs: ['How much mean and standard deviation of each tensor vary from seed to seed.'],
      charts: [],
      moreTitle: '',
      more: [],
      table: ensembleTable(tensors),
    });
  } else if (second !== undefined) {
    sections.push({
      title: `A beside B: ${nameOf(first)} and ${nameOf(second)}`,
      paragraphs: [
        ...(differences === undefined
          ? []
          : [`Element by element: ${sumOfDifferences(differences, [first, second])}.`]),
        'z is the difference of the means in standard errors, as if both were samples of their own.',
      ],
      charts: [],
      moreTitle: '',
      more: [],
      table: comparisonTable(first, second, differences),
    });
  }
  for (const [i, report] of (isEnsemble ? [first] : tensors).entries()) sections.push(tensorSection(report, i));
  return sections;
}

/** What differs of two models, in a sentence's half. What could not be compared is told: it is not equal. */
export function sumOfDifferences(differences: readonly ElementDifference[], reports: readonly TensorReport[]): string {
  const compared = new Set(differences.map(({ tensor }) => tensor));
  const names = new Set(reports.flatMap(({ tensors }) => tensors.map(({ name }) => name)));
  const alone = [...names].filter((name) => !compared.has(name)).length;
  if (compared.size === 0) return 'nothing to compare, since no two tensors have one name, shape and kind of dtype';
  const others =
    alone === 0
      ? ''
      : `; ${counted(alone, 'tensor')} of one model without one of that name, shape and kind of dtype in the other`;
  return `${sumOfCompared(differences)}${others}`;
}

function sumOfCompared(differences: readonly ElementDifference[]): string {
  const apart = differences.filter(({ differing }) => differing > 0);
  if (apart.length === 0) return `${counted(differences.length, 'tensor')}, all equal`;
  const most = apart.reduce((a, b) => ((b.largest ?? 0) > (a.largest ?? 0) ? b : a));
  const where =
    most.largest === null
      ? ''
      : `, the most by |a − b| = ${Number(most.largest.toPrecision(3))} in ${printable(most.tensor)}`;
  return `${apart.length} of ${counted(differences.length, 'tensor')} ${apart.length === 1 ? 'differs' : 'differ'}${where}`;
}

const nameOf = ({ source, seed }: TensorReport): string =>
  `${printable(source)}${seed === undefined ? '' : `, seed ${seed}`}`;

function tensorSection(report: TensorReport, i: number): Section {
  const { tensors, bytes, seconds, limit, differences } = report;
  const beyond = tensors.filter(({ consistent }) => !consistent).length;
  const rate = seconds > 0 ? `, ${size(bytes / seconds)} a second` : '';
  const judged =
    limit > 0 && tensors.length === 0
      ? 'None is there as it was planned, so none was judged.'
      : limit > 0
        ? `${beyond === 0 ? 'All are' : `${counted(beyond, 'tensor')} ${beyond === 1 ? 'is' : 'are'} not`} as their initializers give, within ${limit.toFixed(1)} standard errors.`
        : 'Nothing says what these tensors were to be, so they are shown as they are.';
  const shown = differences.slice(0, 10).map(({ tensor, problem }) => `${printable(tensor)}: ${problem}`);
  const others = [...shown, ...(differences.length > 10 ? [`and ${differences.length - 10} more`] : [])].join('; ');
  const chart = layersChart(report, `layers-${i + 1}`);
  return {
    title: `Tensors: ${nameOf(report)}`,
    paragraphs: [
      `${counted(tensors.length, 'tensor')}, ${size(bytes)}, looked at in one pass${rate}. ${judged}`,
      ...(differences.length > 0 ? [`${counted(differences.length, 'tensor')} not as planned: ${others}`] : []),
    ],
    charts: chart === undefined ? [] : [chart],
    moreTitle: '',
    more: [],
    table: tensorTable(report, `tensors-${i + 1}`),
  };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
