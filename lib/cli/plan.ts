import { type Command, Option } from 'commander';
import { addInputOptions, type InputOptions, inputDescription, inputHelp } from './input-options.js';
import { addFileOptions, type FileOptions, parsePath } from './options.js';
import type { Streams } from './program.js';
import { planSummary } from './summaries.js';

/** The options of `nninit plan`, parsed. */
export interface PlanOptions extends InputOptions, FileOptions {
  readonly json?: true;
  readonly totals?: true;
  readonly wide?: true;
}

const planHelp = `${inputHelp}

Examples:
  nninit plan llama/config.json --dtype bfloat16
  nninit plan recipe.json --json | jq '.totals'
  nninit plan --like model.safetensors --init '*.weight={"init": "normal", "std": 0.01}'
  nninit plan llama/config.json --tp 8 --rank 0`;

/** Adds `plan`. */
export function addPlan(program: Command, streams: Streams): void {
  const command = program
    .command('plan')
    .summary(planSummary)
    .description(
      'Prints the tensors that generate would write, equal layers once: shape, dtype, initializer, the numbers that come of it, and bytes; then the files. Writes nothing.',
    )
    .argument('[input]', inputDescription, parsePath);
  addInputOptions(command);
  addFileOptions(command)
    .option('--json', 'print the plan as one JSON object (docs/plan.md)')
    .addOption(
      new Option('--totals', 'print the totals only').conflicts(['wide', 'maxShardSize', 'name', 'format']), // of files
    )
    .addOption(
      new Option('--wide', 'print each tensor and each file apart, however wide the terminal is').conflicts('json'),
    )
    .addHelpText('after', planHelp)
    .action(async (input: string | undefined, options: PlanOptions) => {
      const { runPlan } = await import('./plan-run.js');
      await runPlan(input, options, streams);
    });
}
