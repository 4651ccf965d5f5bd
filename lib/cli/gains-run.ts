import { textTable } from '../core/table.js';
import { gains } from '../init/gain.js';
import type { GainsOptions } from './gains.js';
import type { Streams } from './program.js';

/** Prints the table of gains. */
export function runGains({ json }: GainsOptions, { stdout }: Streams): void {
  if (json) {
    stdout.write(`${JSON.stringify(gains, null, 2)}\n`);
    return;
  }
  stdout.write(
    textTable({
      head: ['nonlinearity', 'gain', 'formula', 'source'],
      align: ['left', 'left', 'left', 'left'],
      rows: gains.map(({ name, value, formula, source }) => [name, String(value), formula, source]),
    }),
  );
}
