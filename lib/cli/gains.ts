import type { Command } from 'commander';
import { gains } from '../init/gain.js';
import type { Streams } from './program.js';
import { gainsSummary } from './summaries.js';

interface GainsOptions {
  readonly json?: true;
}

/** Adds `gains`. */
export function addGains(program: Command, streams: Streams): void {
  program
    .command('gains')
    .summary(gainsSummary)
    .description('Prints what calculate_gain returns for each nonlinearity, and where the value comes from.')
    .option('--json', 'print the table as JSON')
    .addHelpText('after', '\nThe value of leaky_relu is that of its default slope, 0.01.')
    .action((options: GainsOptions) => runGains(options, streams));
}

/** Prints the table of gains. */
function runGains({ json }: GainsOptions, { stdout }: Streams): void {
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
