// Writes docs/bench.schema.json, the JSON Schema of result files, from bench/harness/schema.ts: `npm run bench:schema`.
import { writeFileSync } from 'node:fs';
import { jsonSchema } from '../build/modules/bench/harness/schema.js';

writeFileSync(new URL('../docs/bench.schema.json', import.meta.url), `${JSON.stringify(jsonSchema(), null, 2)}\n`);
