import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { presetNames, presets } from '../../../lib/plan/presets/index.js';
import { roleNames } from '../../../lib/plan/presets/roles.js';
import { recipeKeys } from '../../../lib/plan/recipe/schema.js';

const text = readFileSync(new URL('../../../docs/recipes.md', import.meta.url), 'utf8');
const cells = text.split('\n').map((line) => line.split('|').map((cell) => cell.trim()));

test.each(presetNames)('docs/recipes.md has the preset %s and its parameters', (name) => {
  const row = cells.find((line) => line[1] === `\`${name}\`` && line.length === 5);
  const parameters = presets[name]?.parameters ?? [];
  expect(row?.[2]?.match(/`\w+`/g)).toEqual(parameters.map((parameter) => `\`${parameter.name}\``));
  const identifier = /arXiv:[\d.]+/.exec(presets[name]?.source ?? '')?.[0];
  if (identifier !== undefined) expect(presets[name]?.source).toContain(/arXiv:[\d.]+\d/.exec(row?.[3] ?? '')?.[0]);
});

test('docs/recipes.md has every key and every role', () => {
  const first = cells.map((line) => line[1] ?? '').join(' ');
  for (const name of [...recipeKeys, ...roleNames]) expect(first).toContain(`\`${name}\``);
});
