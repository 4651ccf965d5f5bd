import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { read_json } from '../../lib/core/json.js';
import { model_names, model_types, plan_of_config } from '../../lib/plan/models.js';

const docs = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');

test.each(model_types)('docs/models.md has %s, with the class that is written by default', (model_type) => {
  const plan = plan_of_config(read_json(Buffer.from(JSON.stringify({ model_type })), 'config.json'));
  const [model_class] = JSON.parse(plan.config).architectures as string[];
  expect(docs).toContain(`| \`${model_type}\` | \`${model_class}\`,`);
});

test.each(model_names)('docs/models.md has %s', (name) => expect(docs).toContain(`\`${name}\``));
