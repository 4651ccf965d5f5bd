import { textTable } from '../core/table.js';
import { count, counted, size } from '../core/text.js';
import { factsOfFill, showInitializer, stepsText, totalsOf } from '../plan/facts.js';
import { tensorsOf } from '../plan/load-plan.js';
import type { ResolvedTensor } from '../plan/plan.js';
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
  if (options.json) {
    writeJson(stdout, asJson(source, options.totals ?? false));
    return;
  }
  for (const warning of source.warnings) warn(stderr, warning);
  stdout.write((options.totals ? '' : table(source.tensors)) + totals(source.tensors));
}

function table(tensors: readonly ResolvedTensor[]): string {
  if (tensors.length === 0) return '';
  const all = textTable({
    head: ['tensor', 'shape', 'dtype', 'initializer', 'values', 'bytes'],
    align: ['left', 'left', 'left', 'left', 'left', 'right'],
    rows: foldLayers(tensors.map(row)),
  });
  return `${all}\n`;
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
  return { ...(totalsOnly ? {} : { tensors: each }), totals: totalsOf(tensors), warnings };
}
