/**
 * nninit/report: what an initialization does, in numbers, in pictures and as a page for browsers.
 *
 *     import { reportPage, signalReport } from 'nninit/report';
 *
 *     const signals = await signalReport('linear 512 x 50, tanh', { initializers: ['xavier_normal', 'kaiming_normal'] });
 *     await writeFile('report.html', await reportPage({ signals: [signals] }));
 *
 * @module nninit/report
 */

export { type DifferenceOptions, type ElementDifference, tensorDifferences } from './report/differences.js';
export { type ReportContent, type ReportPicture, reportPage, reportPictures } from './report/page.js';
export {
  type Change,
  type GainGrid,
  type LayerSignal,
  type LayerTheory,
  type SignalProgress,
  type SignalReport,
  type SignalReportOptions,
  type SignalSeries,
  type Spread,
  signalReport,
  type ValueCounts,
} from './report/signals.js';
export {
  type Difference,
  type Histogram,
  type Score,
  type Statistics,
  type Structure,
  type TensorFacts,
  type TensorReport,
  type TensorReportOptions,
  tensorReport,
} from './report/tensors.js';
