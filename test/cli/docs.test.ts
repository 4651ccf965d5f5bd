import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { definition_of, names } from '../../lib/initializers.js';
import { model_types } from '../../lib/models/index.js';

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test.each(names)('docs/recipes.md has %s, its parameters and their defaults', (name) => {
  const row = read('recipes.md')
    .split('\n')
    .find((line) => line.split('|')[1]?.includes(`\`${name}\``));
  expect(row).toBeDefined();
  const { parameters } = definition_of(name);
  const has_layout = parameters.some((parameter) => parameter.name === 'in_axis');
  expect(row?.includes('layout')).toBe(has_layout);
  for (const parameter of parameters) {
    if (has_layout && ['in_axis', 'out_axis', 'groups'].includes(parameter.name)) continue;
    const value = typeof parameter.default === 'string' ? `\`"${parameter.default}"\`` : (parameter.default ?? '');
    expect(row).toContain(`\`${parameter.name}\`${parameter.required ? ', required' : ` ${value}`}`.trimEnd());
  }
});

test('docs/cli.md has all models', () => {
  for (const model of model_types) expect(read('cli.md')).toContain(`| \`${model}\` |`);
});
