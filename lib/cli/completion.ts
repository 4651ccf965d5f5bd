import { Argument, type Command } from 'commander';
import type { MakeProgram, Streams } from './program.js';
import { completionSummary } from './summaries.js';

export const shells = ['bash', 'zsh', 'fish'] as const;

const completionHelp = `
Examples:
  nninit completion bash > ~/.local/share/bash-completion/completions/nninit
  nninit completion zsh > "\${fpath[1]}/_nninit"
  nninit completion fish > ~/.config/fish/completions/nninit.fish
  source <(nninit completion bash)                 for this shell only`;

/** Adds `completion`. */
export function addCompletion(program: Command, streams: Streams, make: MakeProgram): void {
  program
    .command('completion')
    .summary(completionSummary)
    .description('Prints what a shell needs to complete commands, options, their values and names of models.')
    .addArgument(new Argument('<shell>', 'the shell').choices(shells))
    .addHelpText('after', completionHelp)
    .action(async (shell: (typeof shells)[number]) => {
      const { runCompletion } = await import('./completion-run.js');
      await runCompletion(shell, streams, make);
    });
}
