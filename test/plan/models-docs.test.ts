import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readJson } from '../../lib/core/json.js';
import { modelNames, modelTypes, planOfConfig } from '../../lib/plan/models.js';
import { neededKeys } from './model-cases.js';

const docs = readFileSync(new URL('../../docs/models.md', import.meta.url), 'utf8');

test.each(modelTypes)('docs/models.md has %s, with the class that is written by default', async (model_type) => {
  const plan = await planOfConfig(
    readJson(Buffer.from(JSON.stringify({ model_type, ...neededKeys[model_type] })), 'config.json'),
  );
  const [modelClass] = JSON.parse(plan.config).architectures as string[];
  expect(docs).toContain(`| \`${model_type}\` | \`${modelClass}\``);
});

test.each(modelNames)('docs/models.md has %s', (name) => expect(docs).toContain(`\`${name}\``));
