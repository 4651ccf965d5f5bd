import type { Command } from 'commander';
import type { Streams } from './program.js';
import { gainsSummary } from './summaries.js';

/** The options of `nninit gains`, parsed. */
export interface GainsOptions {
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
    .action(async (options: GainsOptions) => {
      const { runGains } = await import('./gains-run.js');
      runGains(options, streams);
    });
}
