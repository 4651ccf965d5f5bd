import type { Command } from 'commander';
import { add_input_options, type InputOptions, input_description, input_help } from './input-options.js';
import type { Streams } from './program.js';

/** The options of `nninit plan`, parsed. */
export interface PlanOptions extends InputOptions {
  readonly json?: true;
  readonly totals?: true;
}

const plan_help = `${input_help}

Examples:
  nninit plan llama/config.json --dtype bfloat16
  nninit plan recipe.json --json | jq '.totals'
  nninit plan --like model.safetensors --init '*.weight={"init": "normal", "std": 0.01}'
  nninit plan llama/config.json --tp 8 --rank 0`;

/** Adds `plan`. */
export function add_plan(program: Command, streams: Streams): void {
  const command = program
    .command('plan')
    .summary('print what generate would write')
    .description(
      'Prints each tensor that generate would write: its shape, dtype, initializer, the numbers that come of it, and its bytes. Writes nothing.',
    )
    .argument('[input]', input_description);
  add_input_options(command)
    .option('--json', 'print the plan as one JSON object (docs/plan.md)')
    .option('--totals', 'print the totals only')
    .addHelpText('after', plan_help)
    .action(async (input: string | undefined, options: PlanOptions) => {
      const { run_plan } = await import('./plan-run.js');
      await run_plan(input, options, streams);
    });
}
