import type { Command } from 'commander';
import type { Streams } from './program.js';
import { modelsSummary } from './summaries.js';

/** The options of `nninit models`, parsed. */
export interface ModelsOptions {
  readonly json?: true;
}

/** Adds `models`. */
export function addModels(program: Command, streams: Streams): void {
  program
    .command('models')
    .summary(modelsSummary)
    .description('Prints the models that need no config.json of your own, and where the shape of each is from.')
    .option('--json', 'print the table as JSON')
    .addHelpText(
      'after',
      '\nnninit generate gpt2 -o out --seed 42 writes one. docs/models.md has the families of config.json.',
    )
    .action(async (options: ModelsOptions) => {
      const { runModels } = await import('./models-run.js');
      runModels(options, streams);
    });
}
