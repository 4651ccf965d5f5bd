import { virtualCheckpoint } from '../checkpoint/virtual/virtual-checkpoint.js';
import { InputError } from '../core/errors.js';
import { type Align, textTable } from '../core/table.js';
import { count, counted, duration, printable, size } from '../core/text.js';
import { factsOfFill, showInitializer, stepsText, totalsOf } from '../plan/facts.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { ResolvedTensor } from '../plan/plan.js';
import { tensorsOf } from '../plan/resolved.js';
import { foldLayers } from './fold.js';
import { planOfInput } from './input-options.js';
import { writeJson } from './json.js';
import type { PlanOptions } from './plan.js';
import type { Streams } from './program.js';
import { warn } from './say.js';

/** Prints the plan of an input: the table and totals, or all of it as JSON. */
export async function runPlan(
  input: string | undefined,
  options: PlanOptions,
  { stdout, stderr }: Streams,
): Promise<void> {
  const plan = await planOfInput(input, options);
  const source = { tensors: tensorsOf(plan), warnings: plan.warnings };
  // With --totals nothing is laid out: that takes longer than the plan.
  const files = options.totals ? [] : filesOf(plan, options);
  if (options.json) {
    writeJson(stdout, asJson(source, files, options.totals ?? false));
    return;
  }
  for (const warning of source.warnings) warn(stderr, warning);
  if (options.totals) {
    stdout.write(totals(source.tensors));
    return;
  }
  const width = options.wide || !stdout.isTTY ? Number.POSITIVE_INFINITY : stdout.columns || 80;
  stdout.write(table(source.tensors, width, options.wide ?? false) + totals(source.tensors));
  stdout.write(options.wide ? eachFile(files) : filesInShort(files));
  // What takes time depends on the machine: told to people only.
  if (stdout.isTTY) stdout.write(await timeText(source.tensors));
}

const heads = ['tensor', 'shape', 'dtype', 'initializer', 'values', 'bytes'];
/** Names are not shortened below this. */
const leastName = 24;
/** Letters before and after folded layers: with fewer, what they are of cannot be told. */
const leastAround = 10;

function table(tensors: readonly ResolvedTensor[], width: number, wide: boolean): string {
  if (tensors.length === 0) return '';
  const rows = tensors.map(row);
  const all = fitted(wide ? rows : foldLayers(rows), width);
  const [head = [], ...body] = all;
  const align = head.map((_, i): Align => (i === head.length - 1 ? 'right' : 'left'));
  return `${textTable({ head, align, rows: body })}\n`;
}

/** Columns that go where a terminal is too narrow, one after another: values tell of the initializer, totals of dtypes. */
const spared = ['initializer', 'dtype'];

/** Heads and rows for a terminal: where nothing more can be spared names lose their middle. */
function fitted(rows: readonly string[][], width: number): string[][] {
  let all = [heads, ...rows];
  const widest = (i: number) => all.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), 0);
  const total = () => (all[0] ?? []).reduce((sum, _, i) => sum + widest(i) + (i === 0 ? 0 : 2), 0);
  for (const head of spared) {
    if (total() <= width) return all;
    const at = (all[0] ?? []).indexOf(head);
    all = all.map((row) => row.filter((_, i) => i !== at));
  }
  const room = Math.max(leastName, widest(0) - Math.max(0, total() - width));
  return all.map(([name = '', ...rest]) => [inTheMiddle(name, room), ...rest]);
}

/** Layers that are folded stay to be seen: `model…{0..125}…q_proj.weight`. */
function inTheMiddle(name: string, room: number): string {
  if (name.length <= room) return name;
  const [, before = '', layers = '', after = ''] = /^(.*?)(\{\d+\.\.\d+\})(.*)$/.exec(name) ?? [];
  const left = room - layers.length - 2;
  if (layers !== '' && left >= leastAround) {
    const begin = Math.min(before.length, Math.max(Math.floor(left / 4), left - after.length));
    return inPart(before, begin, 0) + layers + inPart(after, 0, left - begin);
  }
  const end = Math.ceil((2 * (room - 1)) / 3); // it tells more
  return inPart(name, room - 1 - end, end);
}

/** The begin and the end of a text. */
function inPart(text: string, begin: number, end: number): string {
  return text.length <= begin + end ? text : `${text.slice(0, begin)}…${text.slice(text.length - end)}`;
}

function filesOf(plan: LoadedPlan, { format, maxShardSize, name }: PlanOptions): Files {
  try {
    return virtualCheckpoint(plan, { format, maxShardSize, name }).files;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new InputError(error.message.replace('virtualCheckpoint', 'plan'), { cause: error });
  }
}

type Files = readonly { readonly name: string; readonly size: number }[];

function eachFile(files: Files): string {
  const rows = files.map(({ name, size: bytes }) => [name, count(bytes)]);
  return `\n${textTable({ head: ['file', 'bytes'], align: ['left', 'right'], rows })}`;
}

function filesInShort(files: Files): string {
  const [first, ...more] = files;
  if (first === undefined) return '';
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const last = more.at(-1);
  const names =
    last === undefined
      ? first.name
      : more.length < 4
        ? files.map(({ name }) => name).join(', ')
        : `${first.name} … ${last.name}`;
  return `${counted(files.length, 'file')}, ${size(bytes)}: ${printable(names)}\n`;
}

async function timeText(tensors: readonly ResolvedTensor[]): Promise<string> {
  const { expectedTime } = await import('./expected-time.js');
  const expected = expectedTime(tensors);
  if (expected === undefined) return '';
  const { seconds, threads } = expected;
  const long = seconds < 1 ? 'less than a second' : `some ${duration(seconds)}`;
  return `Made in ${long} on ${counted(threads, 'thread')} of this machine; written as fast as the disk is.\n`;
}

function row(tensor: ResolvedTensor): string[] {
  const { shape, dtype, initializer, bytes } = tensor;
  return [tensor.name, `[${shape.join(', ')}]`, dtype, showInitializer(initializer), values(tensor), count(bytes)];
}

function values({ fill, zeroRow, slice, copyOf, codes, steps, norms }: ResolvedTensor): string {
  if (norms !== undefined) return `lengths of the columns of ${norms.of}`;
  const parts = [steps === undefined ? factsOfFill(fill).text : stepsText(steps)];
  if (codes !== undefined) parts.push(`${codes.grid} times ${Number(codes.scale.toPrecision(6))}`);
  if (zeroRow !== undefined) parts.push(`row ${zeroRow} zero`);
  if (copyOf !== undefined) parts.push(`as ${copyOf}`);
  for (const { dim, start, length } of slice?.ranges ?? [])
    parts.push(`dim ${dim} from ${start} to ${start + length - 1}`);
  return parts.join(', ');
}

function totals(tensors: readonly ResolvedTensor[]): string {
  const { dtypes, ...all } = totalsOf(tensors);
  const line = (sum: typeof all, before: string) =>
    `${before}${counted(sum.tensors, 'tensor')}, ${counted(sum.parameters, 'parameter')}, ${count(sum.bytes)} bytes (${size(sum.bytes)})\n`;
  const kinds = Object.entries(dtypes);
  return line(all, '') + (kinds.length < 2 ? '' : kinds.map(([dtype, sum]) => line(sum, `  ${dtype}: `)).join(''));
}

/** The plan as plain data: docs/plan.md. */
function asJson(
  { tensors, warnings }: { readonly tensors: readonly ResolvedTensor[]; readonly warnings: readonly string[] },
  files: Files,
  totalsOnly: boolean,
) {
  const each = tensors.map((tensor) => {
    const { name, shape, dtype, initializer, fill, elements, bytes, stream } = tensor;
    const { slice, zeroRow, copyOf, tied, codes, steps, norms } = tensor;
    const { text: _, ...facts } = factsOfFill(fill);
    const known = typeof initializer === 'string' ? { init: initializer } : initializer;
    const extras = { slice, zeroRow, copyOf, tied, codes, steps, norms };
    return {
      name,
      shape,
      dtype,
      initializer: known,
      fill,
      ...facts,
      elements,
      bytes,
      stream: String(stream),
      ...extras,
    };
  });
  return {
    ...(totalsOnly ? {} : { tensors: each }),
    totals: totalsOf(tensors),
    ...(totalsOnly ? {} : { files }),
    warnings,
  };
}
