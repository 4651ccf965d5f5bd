// Writes docs/bench.schema.json, the JSON Schema of result files, from bench/harness/schema.ts: `npm run bench:schema`.
import { writeFileSync } from 'node:fs';
import { json_schema } from '../dist/bench/harness/schema.js';

writeFileSync(new URL('../docs/bench.schema.json', import.meta.url), `${JSON.stringify(json_schema(), null, 2)}\n`);
