// A trial's own process: reads a Job from its argument, writes a Measured to stdout.
import { writeSync } from 'node:fs';
import { measure } from './measure.js';
import { measure_loop } from './peers/loop.js';
import { job_schema, peer_job_schema } from './schema.js';

const [, , what, text = ''] = process.argv;
const input: unknown = JSON.parse(text);
const output = what === 'loop' ? measure_loop(peer_job_schema.parse(input)) : await measure(job_schema.parse(input));
writeSync(1, JSON.stringify(output));
