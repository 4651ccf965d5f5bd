// Writes docs/bench.schema.json, the JSON Schema of result files, from lib/bench/schema.ts: `npm run bench:schema`.
import { writeFileSync } from 'node:fs';
import { json_schema } from '../dist/bench/schema.js';

writeFileSync(new URL('../docs/bench.schema.json', import.meta.url), `${JSON.stringify(json_schema(), null, 2)}\n`);
