import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { expect, test } from 'vitest';
import { program } from '../../lib/cli/program.js';
import { definitionOf, names } from '../../lib/init/initializers.js';
import { modelTypes } from '../../lib/plan/models.js';

const read = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test.each(names)('docs/recipes.md has %s, its parameters and their defaults', (name) => {
  const row = read('recipes.md')
    .split('\n')
    .find((line) => line.split('|')[1]?.includes(`\`${name}\``));
  expect(row).toBeDefined();
  const { parameters } = definitionOf(name);
  const hasLayout = parameters.some((parameter) => parameter.name === 'in_axis');
  expect(row?.includes('layout')).toBe(hasLayout);
  for (const parameter of parameters) {
    if (hasLayout && ['in_axis', 'out_axis', 'groups'].includes(parameter.name)) continue;
    const value = typeof parameter.default === 'string' ? `\`"${parameter.default}"\`` : (parameter.default ?? '');
    expect(row).toContain(`\`${parameter.name}\`${parameter.required ? ', required' : ` ${value}`}`.trimEnd());
  }
});

test('docs/models.md has all models', () => {
  for (const model of modelTypes) expect(read('models.md')).toContain(`| \`${model}\` |`);
});

test('docs/cli.md has every command and every option', async () => {
  const commands: Command[] = [];
  const collect = (command: Command) => {
    for (const each of command.commands) {
      commands.push(each);
      collect(each);
    }
  };
  const streams = { stdout: { write: () => {} }, stderr: { write: () => {} } };
  const names = (await program(streams, undefined)).commands.map((command) => command.name());
  for (const name of names) {
    const all = await program(streams, name);
    const asked = all.commands.find((command) => command.name() === name);
    if (asked !== undefined) commands.push(asked);
    if (asked !== undefined) collect(asked);
  }
  expect(commands.length).toBeGreaterThan(5);
  for (const command of commands) {
    const { options, parent } = command;
    expect(read('cli.md')).toContain(parent?.name() === 'bench' ? '[bench.md]' : `## nninit ${command.name()}`);
    if (command.name() === 'bench' || parent?.name() === 'bench') continue; // docs/bench.md has them
    for (const { long } of options) expect(read('cli.md'), `${command.name()} ${long}`).toContain(`\`${long}`);
  }
});
