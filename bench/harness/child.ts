// A trial's own process: reads a TrialRequest from its argument, writes a Measured to stdout.
import { writeSync } from 'node:fs';
import { measure } from './measure.js';
import { measureLoop } from './peers/loop.js';
import { peerJobSchema, trialRequestSchema } from './schema.js';

const [, , what, text = ''] = process.argv;
const input: unknown = JSON.parse(text);
const output =
  what === 'loop' ? measureLoop(peerJobSchema.parse(input)) : await measure(trialRequestSchema.parse(input));
writeSync(1, JSON.stringify(output));
