import { readdir, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { configNames } from '../checkpoint/virtual/layout.js';
import { isAnyWeightsName } from '../checkpoint/virtual/shards.js';
import { isTensorFile } from '../checkpoint/write/commit/others.js';
import { checkOneOf } from '../core/check.js';
import { InputError, stdoutName } from '../core/errors.js';
import { counted, printable, size } from '../core/text.js';
import { manifestName } from '../formats/raw/names.js';
import { unreadable } from '../formats/source/file.js';
import { isUrl } from '../formats/source/source.js';
import { definitionOf, type Initializer, type Name, names } from '../init/initializers.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { Engine } from '../random/names.js';
import { type ElementDifference, tensorDifferences } from '../report/differences.js';
import { echartsScript } from '../report/echarts.js';
import { type ReportContent, reportPage, reportPictures, sumOfDifferences } from '../report/page.js';
import { type SignalProgress, signalReport } from '../report/signals.js';
import { type TensorReport, tensorReport } from '../report/tensors.js';
import { makeFolder, writeText } from './bench-results.js';
import { type InputOptions, planOfInput } from './input-options.js';
import { writeJson } from './json.js';
import type { Streams } from './program.js';
import { type Progress, showProgress, showSteps } from './progress.js';
import { warn } from './say.js';
import { withSignals } from './signals.js';

/** The options of `nninit report`, parsed. */
export interface ReportCommandOptions extends InputOptions {
  readonly output?: string;
  readonly format: 'html' | 'json' | 'svg';
  readonly stack?: string;
  readonly biasStd?: number;
  readonly seeds?: readonly bigint[];
  readonly engine?: Engine;
  readonly threads?: number;
  readonly quiet?: true;
}

/**
 * Looks at what is asked for, and writes the report.
 *
 * @throws InputError for usage and what cannot be read; Error where echarts is needed and not there
 */
export async function runReport(
  input: string | undefined,
  other: string | undefined,
  options: ReportCommandOptions,
  streams: Streams,
): Promise<void> {
  const { output, format, stack, quiet } = options;
  if (output === '-' && format === 'svg') throw new InputError('report: expected -o PATH, a folder, for svg');
  if (input === undefined && options.like === undefined && stack === undefined) {
    throw new InputError('report: expected an input, or --stack with layers to follow signals through');
  }
  if (output === undefined && format !== 'json') throw new InputError(`report: expected -o PATH for ${format}`);
  const inputs =
    input === undefined
      ? options.like === undefined
        ? []
        : [undefined]
      : other === undefined
        ? [input]
        : [input, other];
  if (inputs.length > 1 && (options.seeds?.length ?? 1) > 1) {
    throw new InputError('report: expected one seed for two inputs, or one input for several seeds');
  }
  await refuseIdle(inputs, options);
  if (output !== undefined && format !== 'svg') await refuseOver(output, [...inputs, options.like, options.rules]);
  if (format !== 'json') await echartsScript(); // where it is not there nothing is looked at for minutes first
  await withSignals(
    async (signal) => {
      const { stderr } = shown(stack ?? '', options, streams);
      const signals = stack === undefined ? [] : [await signalsOf(stack, options, stderr, signal)];
      const models: Model[] = [];
      for (const each of inputs) models.push(...(await modelsOf(each, options, streams)));
      const tensors: TensorReport[] = [];
      for (const model of models) {
        const work = { ...shown(model.name, options, streams), threads: options.threads, signal };
        const { seed } = model;
        const engine = seed === undefined ? undefined : options.engine;
        tensors.push(
          await withProgress(work, (rest) => tensorReport(model.what, { ...rest, seed, engine, name: model.name })),
        );
      }
      const [a, b] = models;
      const differences =
        models.length === 2 && a && b ? await differencesOf(a, b, options, streams, signal) : undefined;
      signal.throwIfAborted();
      const written = await write({ signals, tensors, differences }, options, streams);
      if (quiet || isStdout(output)) return;
      for (const sentence of signals.flatMap(({ advice, explanation }) => [...advice, ...explanation]))
        streams.stdout.write(`${printable(sentence)}\n`);
      for (const { source, tensors: looked, differences: others, bytes, seconds } of tensors) {
        const beyond = looked.filter(({ consistent }) => !consistent).length;
        const apart = others.length === 0 ? '' : `, ${counted(others.length, 'tensor')} not as planned`;
        const judged = `${beyond === 0 ? '' : `, ${beyond} beyond chance`}${apart}`;
        streams.stdout.write(
          `${printable(source)}: ${counted(looked.length, 'tensor')}, ${size(bytes)}${judged}, ${size(bytes / seconds)}/s\n`,
        );
      }
      if (differences !== undefined)
        streams.stdout.write(`element by element: ${sumOfDifferences(differences, tensors)}\n`);
      streams.stdout.write(`${written}\n`);
    },
    { json: format === 'json', looking: 'the report' },
  );
}

/** Refuses what would be passed over: a checkpoint is looked at as it is, and a stack has options of its own. */
async function refuseIdle(inputs: readonly (string | undefined)[], options: ReportCommandOptions): Promise<void> {
  const { stack, biasStd } = options;
  if (stack === undefined && biasStd !== undefined) throw new InputError('report: expected --stack beside --bias-std');
  const areCheckpoints = inputs.map(async (each) => each !== undefined && (await isCheckpoint(each)));
  if ((await Promise.all(areCheckpoints)).includes(false)) return;
  const { like, dtype, rules, tp, rank, quantize, lora, mtp, healthy, engine } = options;
  const { init, seeds } = stack === undefined ? options : {};
  const given = Object.entries({ like, dtype, rules, init, tp, rank, quantize, lora, mtp, healthy, engine, seeds });
  const [option] = given.find(([, value]) => value !== undefined) ?? [];
  if (option === undefined) return;
  const why =
    inputs.length === 0 ? 'beside --stack alone' : `beside ${inputs.join(' and ')}, which is looked at as it is`;
  throw new InputError(`report: expected no --${option} ${why}`);
}

/** Nothing that is read is written over: an input itself, or what of a checkpoint's folder a report is of. */
async function refuseOver(output: string, inputs: readonly (string | undefined)[]): Promise<void> {
  const identity = async (path: string) => {
    const there = await stat(path, { bigint: true }).catch(() => undefined);
    return there && { id: `${there.dev}:${there.ino}`, isFolder: there.isDirectory() };
  };
  const [there, folder] = [await identity(output), await identity(dirname(output))];
  if (there === undefined || there.isFolder) return;
  const name = basename(output);
  const isOfCheckpoint = isAnyWeightsName(name) || isTensorFile(name) || [...configNames, manifestName].includes(name);
  for (const input of inputs) {
    const read = input === undefined ? undefined : await identity(input);
    if (read !== undefined && (read.id === there.id || (isOfCheckpoint && read.id === folder?.id)))
      throw new InputError(`report: expected another file for -o than ${output}, which is read`, { path: output });
  }
}

/** A dash is standard output, as for generate. */
const isStdout = (output: string | undefined): output is '-' | undefined => output === undefined || output === '-';

async function write(
  content: Pick<ReportContent, 'signals' | 'tensors' | 'differences'>,
  { output, format }: ReportCommandOptions,
  { stdout }: Streams,
): Promise<string> {
  if (format === 'json') {
    let text = '';
    writeJson({ write: (line) => (text += line) }, content);
    await writeTo(output, text, stdout);
  } else if (format === 'html') {
    await writeTo(output, await reportPage(content), stdout);
  } else {
    const pictures = await reportPictures(content);
    await makeFolder(output as string);
    for (const { name, svg } of pictures) await writeText(join(output as string, `${name}.svg`), svg);
    return `wrote ${counted(pictures.length, 'picture')} to ${printable(output as string)}`;
  }
  return `wrote ${printable(output ?? stdoutName)}`;
}

async function writeTo(output: string | undefined, text: string, stdout: Streams['stdout']): Promise<void> {
  if (isStdout(output)) stdout.write(text);
  else await writeText(output, text);
}

async function signalsOf(
  stack: string,
  { init, biasStd, seeds }: ReportCommandOptions,
  stderr: Shown['stderr'],
  signal: AbortSignal,
) {
  const initializers = init?.flatMap(listOf).map(initializerOf);
  let progress: Progress | undefined;
  // Begun by the first layer: by then all that was given has been checked.
  const onProgress = ({ layers, totalLayers }: SignalProgress) => {
    if (stderr) progress ??= showSteps(stderr, `following signals through ${printable(stack)}`, totalLayers);
    progress?.update(layers);
  };
  try {
    return await signalReport(stack, { initializers, biasStd, seeds, signal, onProgress });
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError)
      throw new InputError(error.message, { cause: error });
    throw error;
  } finally {
    progress?.stop();
  }
}

/** At commas outside of JSON; what JSON leaves open stays a part of it, and is refused with it. */
function listOf(text: string): string[] {
  return (text.match(/(?:\{[^}]*\}?|[^,{])+/g) ?? []).map((part) => part.trim()).filter((part) => part !== '');
}

/** The parameter that a bare number after a name is. */
const firstNumbers = ['gain', 'scale', 'sparsity', 'std', 'val', 'b'] as const;

/** `xavier_uniform`, `xavier_uniform:1.5`, `kaiming_normal:tanh`, `normal:0.02`, or JSON. */
function initializerOf(text: string): Initializer {
  if (text.startsWith('{')) {
    const given = parsed(text);
    checkName(given.init);
    return given as Initializer;
  }
  const [init = '', value, ...more] = text.split(':');
  checkName(more.length > 0 ? text : init); // before those in front of it are followed, which may take minutes
  if (value === undefined) return text as Initializer;
  const parameters = definitionOf(init as Name).parameters.map(({ name }) => name);
  const number = value.trim() === '' ? Number.NaN : Number(value);
  if (Number.isNaN(number)) {
    if (parameters.includes('nonlinearity')) return { init, nonlinearity: value } as unknown as Initializer;
  } else {
    const name = firstNumbers.find((each) => parameters.includes(each));
    if (name !== undefined) return { init, [name]: number } as unknown as Initializer;
  }
  throw new InputError(
    `report: expected ${Number.isNaN(number) ? 'a number' : `no ':${value}'`} after ${init} in --init, but received '${text}'`,
  );
}

function parsed(text: string): { readonly init?: unknown } {
  try {
    return JSON.parse(text) as object;
  } catch (cause) {
    throw new InputError(`report: expected JSON for --init: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

function checkName(init: unknown): void {
  try {
    checkOneOf('report', '--init', init, names);
  } catch (cause) {
    throw new InputError((cause as Error).message, { cause });
  }
}

/** What is looked at: the path of a checkpoint, or a plan under one seed. */
interface Model {
  readonly what: string | LoadedPlan;
  readonly name: string;
  readonly seed?: bigint;
}

async function modelsOf(
  input: string | undefined,
  options: ReportCommandOptions,
  { stderr }: Streams,
): Promise<Model[]> {
  const { seeds = [0n], stack } = options;
  const name = input ?? options.like ?? '';
  if (input !== undefined && (await isCheckpoint(input))) return [{ what: input, name }];
  // With a stack, --init is of that.
  const { init, ...rest } = options;
  const plan = await planOfInput(input, stack === undefined && init !== undefined ? { ...rest, init } : rest);
  for (const warning of plan.warnings) warn(stderr, warning);
  return seeds.map((seed) => ({ what: plan, name, seed }));
}

interface Shown {
  readonly path: string;
  /** Undefined where no progress is shown. */
  readonly stderr: Streams['stderr'] | undefined;
}

const shown = (path: string, { quiet, format }: ReportCommandOptions, { stderr }: Streams): Shown => ({
  path,
  stderr: quiet || format === 'json' ? undefined : stderr,
});

interface Begun {
  readonly tensors: number;
  readonly files: number;
  readonly bytes: number;
}

/** Runs work that tells of what it begins and how far it is, with progress on the terminal. */
async function withProgress<T>(
  { path, stderr, threads, signal }: Shown & { readonly threads: number | undefined; readonly signal: AbortSignal },
  work: (options: {
    readonly threads: number | undefined;
    readonly signal: AbortSignal;
    readonly onBegin: (work: Begun) => Promise<void>;
    readonly onProgress: (done: { readonly bytes: number }) => void;
  }) => Promise<T>,
): Promise<T> {
  let progress: Progress | undefined;
  try {
    return await work({
      threads,
      signal,
      onBegin: async (begun) => {
        if (stderr) progress = await showProgress(stderr, { path, ...begun, doneBytes: 0, verb: 'checking … of' });
      },
      onProgress: ({ bytes }) => progress?.update(bytes),
    });
  } finally {
    progress?.stop();
  }
}

async function differencesOf(
  a: Model,
  b: Model,
  options: ReportCommandOptions,
  streams: Streams,
  signal: AbortSignal,
): Promise<ElementDifference[]> {
  const seeds = [a.seed ?? 0n, b.seed ?? 0n] as const;
  const work = { ...shown(`${a.name} and ${b.name}`, options, streams), threads: options.threads, signal };
  return withProgress(work, ({ onBegin, ...rest }) => {
    return tensorDifferences(a.what, b.what, { ...rest, onBegin, seeds, engine: options.engine });
  });
}

/** Whether there are weights; what has a config.json alone is a plan. */
async function isCheckpoint(path: string): Promise<boolean> {
  const isWeights = (name: string) => /\.safetensors(\.index\.json)?$|(^|\/)manifest\.json$/.test(name);
  if (isUrl(path) || /^hf:/i.test(path)) return !/\.json$/.test(path) || isWeights(path);
  if (isWeights(path)) return true;
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() !== true) return false;
  const names = await readdir(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  return names.some(isWeights);
}
