import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Fill } from '../../lib/core/fill.js';
import { documentOf } from '../../lib/core/json.js';
import { resolve } from '../../lib/init/resolve.js';
import { type ModelPlan, planOfConfig, planOfName } from '../../lib/plan/models.js';
import { type Case, fullCases, tinyCases } from './model-cases.js';

async function planOf(given: Case): Promise<ModelPlan> {
  if (given.name !== undefined) return planOfName(given.name);
  return planOfConfig(documentOf({ architectures: [given.class], ...given.config }, 'config.json'));
}

const title = (given: Case) => {
  const { model_type, ...config } = given.config ?? {};
  return given.name ?? `${given.model ?? given.class} ${JSON.stringify(config)}`;
};
const linesOf = (plan: ModelPlan) => {
  return plan.tensors.map(({ name, dtype, shape }) => `${name} ${dtype} ${JSON.stringify(shape)}`);
};
const elements = (shape: readonly number[]) => shape.reduce((product, size) => product * size, 1);

/** What transformers draws for it into a tensor that it throws away. */
function drawnFor(fill: Fill): Fill | undefined {
  if (fill.kind === 'log_of_uniform') return { kind: 'uniform', a: fill.a, b: fill.b };
  return fill.kind === 'dt_bias' ? { kind: 'uniform', a: 0, b: 1 } : undefined;
}

function numbersOf(fill: Fill): string {
  if (fill.kind === 'normal') return `normal ${fill.mean} ${fill.std}`;
  if (fill.kind === 'uniform') return `uniform ${fill.a} ${fill.b}`;
  if (fill.kind === 'trunc_normal') return `trunc_normal ${fill.mean} ${fill.std} ${fill.a} ${fill.b}`;
  if (fill.kind === 'constant') return `constant ${Math.fround(fill.value)}`;
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

describe.each(tinyCases.map((tiny) => [title(tiny), tiny] as const))('%s', async (_, tiny) => {
  const plan = await planOf(tiny);
  const names = new Set(plan.tensors.map(({ name }) => name));
  const drawn = new Set(plan.tensors.flatMap(({ name, partOf, joinOf }) => joinOf ?? [partOf?.tensor ?? name]));

  test('has the names, dtypes, shapes and order of the file', () => {
    expect(linesOf(plan)).toEqual(tiny.tensors);
  });

  test('draws what the reference draws, in its order, to the last bit of every bound', () => {
    const draws = plan.draws.map(({ tensor, shape, initializer }) => {
      const fill = resolve(initializer, shape);
      const other = drawnFor(fill);
      return {
        draw: numbersOf(other ?? fill),
        tensor: other === undefined && drawn.has(tensor) ? tensor : '-',
        shape: JSON.stringify(shape),
      };
    });
    expect(draws).toEqual(tiny.draws.map(parseDraw));
  });

  test('gives each tensor the last of its draws, or the constant that is there', () => {
    const last = new Map(plan.draws.map(({ tensor, initializer }) => [tensor, initializer]));
    for (const { name, shape, initializer, partOf, joinOf, steps, norms } of plan.tensors) {
      if (elements(shape) === 0 || steps !== undefined || norms !== undefined) continue;
      const constant = tiny.constants[name];
      const fill = numbersOf(resolve(initializer, shape)).replace(/^normal (\S+) 0$/, 'constant $1');
      if (tiny.values?.[name] !== undefined) expect(fill).toMatch(/^(?:sinusoid|log_arange|log_of_uniform|dt_bias)$/);
      else if (constant !== undefined) expect([name, fill]).toEqual([name, `constant ${constant}`]);
      else
        for (const one of joinOf ?? [partOf?.tensor ?? name]) expect([one, initializer]).toEqual([one, last.get(one)]);
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

test.each(fullCases.map((full) => [title(full), full] as const))(
  '%s has the tensors of the reference',
  async (_, full) => {
    const plan = await planOf(full);
    expect(plan.tensors).toHaveLength(full.count);
    expect(plan.tensors.reduce((sum, { shape }) => sum + elements(shape), 0)).toBe(full.parameters);
    expect(createHash('sha256').update(linesOf(plan).join('\n')).digest('hex')).toBe(full.sha256);
  },
);
