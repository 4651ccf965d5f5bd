import type { Command } from 'commander';
import { parseFolder } from './options.js';
import type { Streams } from './program.js';
import { finishSummary } from './summaries.js';

/** The options of `nninit finish`, parsed. */
export interface FinishCommandOptions {
  readonly json?: true;
  readonly quiet?: true;
}

const help = `
Example, on any of the machines that share DIR:
  nninit generate llama/config.json -o DIR --part 0/2
  nninit generate llama/config.json -o DIR --part 1/2
  nninit finish DIR

Exit codes: 0 done, or complete already, 1 the work failed, 2 parts are missing or are none, 128 + n ended by signal n`;

/** Adds `finish`. */
export function addFinish(program: Command, streams: Streams): void {
  program
    .command('finish')
    .summary(finishSummary)
    .description(
      'Makes a checkpoint of the parts that `nninit generate --part` wrote: sees that every byte is there, and publishes the files and the index.',
    )
    .argument('<dir>', 'the folder of the parts', parseFolder)
    .option('--json', 'print the summary as JSON')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', help)
    .action(async (folder: string, options: FinishCommandOptions) => {
      const { runFinish } = await import('./finish-run.js');
      await runFinish(folder, options, streams);
    });
}
