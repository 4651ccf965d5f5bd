import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { layerDefinition, layerKinds } from '../../../lib/nn/layers/index.js';

const rows = readFileSync(new URL('../../../docs/layers.md', import.meta.url), 'utf8')
  .split('\n')
  .map((line) => line.split(' | '));

test.each(layerKinds)(
  'docs/layers.md has %s, its arguments in order, their defaults, and its initialization',
  (kind) => {
    const row = rows.find(([layers]) => layers?.includes(`\`${kind}\``));
    const { arguments: list, initialization } = layerDefinition(kind);
    const shown = list.map((argument) => {
      const name = argument.unused ? `*${argument.name}*` : `\`${argument.name}\``;
      const value = typeof argument.default === 'string' ? `'${argument.default}'` : String(argument.default);
      const text = argument.required ? name : `${name} ${value.replace('0.00001', '1e-5')}`;
      return argument.positional ? text : `${text} (by name)`;
    });
    expect(row?.[1]).toBe(shown.join(', '));
    expect(row?.[2]).toBe(`${initialization} |`);
  },
);
