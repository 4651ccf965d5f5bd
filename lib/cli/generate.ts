import type { Command } from 'commander';
import type { GenerateOptions } from './generate_run.js';
import { dtype_option, parse_folder, seed_option, threads_option } from './options.js';
import type { Streams } from './program.js';

const generate_help = `
Writes DIR/model.safetensors, and for a config.json also DIR/config.json, which transformers'
from_pretrained(DIR) loads. The bytes depend on the input, the seed and the dtype alone. The files
appear under their names only when they are complete.

Examples:
  nninit generate gpt2/config.json -o out --seed 42
  nninit generate recipe.json -o out --dtype bfloat16 --threads 2 --json

Exit codes: 0 done, 1 the work failed, 2 bad usage or bad input, 128 + n ended by signal n`;

/** Adds `generate`. */
export function add_generate(program: Command, streams: Streams): void {
  program
    .command('generate')
    .summary('write a checkpoint from a config.json or a recipe')
    .description('Writes a checkpoint from a Hugging Face config.json or a recipe (docs/recipes.md).')
    .argument('<input>', 'a config.json (GPT-2 so far), or a recipe in JSON')
    .requiredOption('-o, --output <dir>', 'the folder to write to; made if need be', parse_folder)
    .addOption(seed_option())
    .addOption(dtype_option("of all tensors; of a recipe's that name none (default: as the input says, or float32)"))
    .addOption(threads_option())
    .option('-f, --force', 'replace a checkpoint that is there already')
    .option('--json', 'print the summary as JSON, and no progress')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', generate_help)
    .action(async (input: string, options: GenerateOptions) => {
      const { run_generate } = await import('./generate_run.js');
      await run_generate(input, options, streams);
    });
}
