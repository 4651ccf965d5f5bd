import { dirname, join } from 'node:path';
import { type VerifyReport, verifyCheckpoint } from '../checkpoint/verify/verify-checkpoint.js';
import { counted } from '../core/text.js';
import { beside, folderAt, isUrl, pathnameOf, pathOf } from '../formats/source/source.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { Engine } from '../random/generator.js';
import { type InputOptions, planOfInput } from './input-options.js';
import { writeJson } from './json.js';
import type { Streams } from './program.js';
import { type Progress, showProgress } from './progress.js';
import { warn } from './say.js';
import { withSignals } from './signals.js';
import { reportOf } from './verify-report.js';

/** The options of `nninit verify`, parsed. */
export interface VerifyCommandOptions extends InputOptions {
  /** In [0, 2^64). */
  readonly seed?: bigint;
  readonly engine?: Engine;
  readonly statistics?: true;
  readonly threads?: number;
  readonly json?: true;
  readonly quiet?: true;
}

/**
 * Checks a checkpoint against its plan, and prints what came of it.
 *
 * @throws InputError for what cannot be read; Error where the checkpoint differs from the plan
 */
export async function runVerify(
  path: string,
  input: string | undefined,
  options: VerifyCommandOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const start = performance.now();
  const { seed, engine, statistics, threads, json, quiet } = options;
  const onWarning = (text: string) => warn(stderr, text);
  let plan: LoadedPlan | undefined;
  if (input !== undefined || asksForPlan(options)) {
    plan = await planOfInput(input ?? (options.like === undefined ? configBeside(path) : undefined), options);
    for (const warning of plan.warnings) onWarning(warning);
  }
  let progress: Progress | undefined;
  const looking = async (signal: AbortSignal): Promise<VerifyReport> => {
    try {
      return await verifyCheckpoint(path, {
        ...{ plan, seed, engine, statistics, threads, signal, onWarning },
        onBegin: async (work) => {
          if (!json && !quiet)
            progress = await showProgress(stderr, { path, ...work, doneBytes: 0, verb: 'checking … of' });
        },
        onProgress: ({ bytes }) => progress?.update(bytes),
      });
    } finally {
      progress?.stop();
    }
  };
  const found = await withSignals(looking, { json, looking: `the check of ${path}` });
  const report = reportOf(found, path, (performance.now() - start) / 1000);
  if (json) writeJson(stdout, report.facts);
  else if (!quiet) stdout.write(report.text);
  if (report.differing > 0) {
    const first = report.first === undefined ? '' : `; the first: ${report.first}`;
    throw new Error(`${path}: ${counted(report.differing, 'tensor')} not as planned${first}`);
  }
}

/** The config.json of a checkpoint that is named by its folder or a file in it, or by the address of one. */
function configBeside(path: string): string {
  const place = pathOf(path);
  const isFile = /\.(safetensors|json)$/.test(isUrl(place) ? pathnameOf(place) : place);
  if (isUrl(place)) return beside(isFile ? place : folderAt(place), 'config.json');
  return join(isFile ? dirname(place) : place, 'config.json');
}

/** Whether options say what is planned, so that what the checkpoint carries does not. */
function asksForPlan({ like, dtype, rules, init, tp, rank, quantize, lora, mtp, healthy }: InputOptions): boolean {
  return [like, dtype, rules, init, tp, rank, quantize, lora, mtp, healthy].some((option) => option !== undefined);
}
