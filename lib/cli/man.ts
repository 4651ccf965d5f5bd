import type { Command } from 'commander';
import type { MakeProgram, Streams } from './program.js';
import { manSummary } from './summaries.js';

const manHelp = `
Examples:
  nninit man generate | man -l -
  nninit man > ~/.local/share/man/man1/nninit.1`;

/** Adds `man`. */
export function addMan(program: Command, streams: Streams, make: MakeProgram): void {
  program
    .command('man')
    .summary(manSummary)
    .description('Prints the manual page of a command, or of nninit itself, for man: the same as --help.')
    .argument('[command]', 'such as generate')
    .addHelpText('after', manHelp)
    .action(async (name: string | undefined) => {
      const { runMan } = await import('./man-run.js');
      await runMan(name, streams, make);
    });
}
