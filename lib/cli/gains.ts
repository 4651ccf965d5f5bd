import { gains } from '../gain.js';
import type { Streams } from './program.js';

export interface GainsOptions {
  readonly json?: true;
}

/** Prints the table of gains. */
export function run_gains({ json }: GainsOptions, { stdout }: Streams): void {
  if (json) {
    stdout.write(`${JSON.stringify(gains, null, 2)}\n`);
    return;
  }
  const head = ['nonlinearity', 'gain', 'formula', 'source'] as const;
  const rows = gains.map(({ name, value, formula, source }) => [name, String(value), formula, source] as const);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]) => {
    return `${cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}\n`;
  };
  stdout.write(line(head) + line(widths.map((width) => '─'.repeat(width))) + rows.map(line).join(''));
}
