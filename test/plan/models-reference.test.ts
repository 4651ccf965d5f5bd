import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Fill } from '../../lib/core/fill.js';
import { readJson } from '../../lib/core/json.js';
import { resolve } from '../../lib/init/resolve.js';
import { type ModelPlan, planOfConfig, planOfName } from '../../lib/plan/models.js';

// Recorded from transformers and torchvision by fixtures/models/record.py.
interface Case {
  readonly model?: string;
  readonly name?: string;
  readonly class?: string;
  readonly config?: Readonly<Record<string, unknown>>;
}
interface Tiny extends Case {
  readonly tensors: readonly string[];
  readonly constants: Readonly<Record<string, number>>;
  readonly zero_rows: Readonly<Record<string, readonly number[]>>;
  readonly draws: readonly string[];
}
interface Full extends Case {
  readonly count: number;
  readonly parameters: number;
  readonly sha256: string;
}
const recorded = JSON.parse(
  readFileSync(new URL('../fixtures/models/recorded.json', import.meta.url), 'utf8'),
) as Readonly<{ tiny: readonly Tiny[]; full: readonly Full[] }>;

function planOf(given: Case): ModelPlan {
  if (given.name !== undefined) return planOfName(given.name);
  const text = JSON.stringify({ architectures: [given.class], ...given.config });
  return planOfConfig(readJson(Buffer.from(text), 'config.json'));
}

const title = (given: Case) => {
  const { model_type, ...config } = given.config ?? {};
  return given.name ?? `${given.model ?? given.class} ${JSON.stringify(config)}`;
};
const linesOf = (plan: ModelPlan) => {
  return plan.tensors.map(({ name, dtype, shape }) => `${name} ${dtype} ${JSON.stringify(shape)}`);
};
const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

function numbersOf(fill: Fill): string {
  if (fill.kind === 'normal') return `normal ${fill.mean} ${fill.std}`;
  if (fill.kind === 'uniform') return `uniform ${fill.a} ${fill.b}`;
  if (fill.kind === 'trunc_normal') return `trunc_normal ${fill.mean} ${fill.std} ${fill.a} ${fill.b}`;
  if (fill.kind === 'constant') return `constant ${fill.value}`;
  return fill.kind;
}

/** `normal 0.0 0.02 name [2,3]` with numbers as JavaScript writes them. */
function parseDraw(line: string) {
  const words = line.split(' ');
  const [kind = '', ...numbers] = words.slice(0, -2);
  return {
    draw: [kind, ...numbers.map((number) => String(Number(number)))].join(' '),
    tensor: words.at(-2),
    shape: words.at(-1),
  };
}

describe.each(recorded.tiny.map((tiny) => [title(tiny), tiny] as const))('%s', (_, tiny) => {
  const plan = planOf(tiny);
  const names = new Set(plan.tensors.map(({ name }) => name));
  const drawn = new Set(plan.tensors.map(({ name, partOf }) => partOf?.tensor ?? name));

  test('has the names, dtypes, shapes and order of the file', () => {
    expect(linesOf(plan)).toEqual(tiny.tensors);
  });

  test('draws what the reference draws, in its order, to the last bit of every bound', () => {
    const draws = plan.draws.map(({ tensor, shape, initializer }) => ({
      draw: numbersOf(resolve(initializer, shape)),
      tensor: drawn.has(tensor) ? tensor : '-',
      shape: JSON.stringify(shape),
    }));
    expect(draws).toEqual(tiny.draws.map(parseDraw));
  });

  test('gives each tensor the last of its draws, or the constant that is there', () => {
    const last = new Map(plan.draws.map(({ tensor, initializer }) => [tensor, initializer]));
    for (const { name, shape, initializer, partOf } of plan.tensors) {
      const constant = tiny.constants[name];
      const fill = numbersOf(resolve(initializer, shape)).replace(/^normal (\S+) 0$/, 'constant $1');
      if (constant !== undefined) expect([name, fill]).toEqual([name, `constant ${constant}`]);
      else expect([name, initializer]).toEqual([name, last.get(partOf?.tensor ?? name)]);
    }
  });

  test('zeroes the rows that the reference zeroes', () => {
    const rows = plan.tensors.flatMap(({ name, zeroRow }) => (zeroRow === undefined ? [] : [[name, [zeroRow]]]));
    expect(Object.fromEntries(rows)).toEqual(tiny.zero_rows);
  });

  test('has each tied tensor once', () => {
    for (const alias of plan.tensors.flatMap(({ tied = [] }) => tied)) expect(names.has(alias)).toBe(false);
  });
});

test.each(recorded.full.map((full) => [title(full), full] as const))(
  '%s has the tensors of the reference',
  (_, full) => {
    const plan = planOf(full);
    expect(plan.tensors).toHaveLength(full.count);
    expect(plan.tensors.reduce((sum, { shape }) => sum + elements(shape), 0)).toBe(full.parameters);
    expect(createHash('sha256').update(linesOf(plan).join('\n')).digest('hex')).toBe(full.sha256);
  },
);
