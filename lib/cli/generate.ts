import { type Command, Option } from 'commander';
import { type Format, formats } from '../formats/output-file.js';
import type { GenerateOptions } from './generate-run.js';
import { add_input_options, input_description, input_help } from './input-options.js';
import { engine_option, parse_folder, parse_size, seed_option, threads_option } from './options.js';
import type { Streams } from './program.js';

const generate_help = `
Writes DIR/model.safetensors, or shards and an index if the tensors take more than --max-shard-size;
and for a model DIR/config.json: transformers' from_pretrained(DIR) loads the folder. The bytes
depend on the input, the seed, the dtype and the size of shards alone. Files appear under their
names only when they are complete, the index last.

Examples:
  nninit generate gpt2/config.json -o out --seed 42
  nninit generate llama/config.json -o out --dtype bfloat16 --max-shard-size 2GB
  nninit generate llama/config.json -o out --dtype bfloat16 --resume      after it was killed
  nninit generate recipe.json -o out --format npy
  nninit generate recipe.json -o - | zstd > model.safetensors.zst

Exit codes: 0 done, 1 the work failed, 2 bad usage or bad input, 128 + n ended by signal n`;

/** Adds `generate`. */
export function add_generate(program: Command, streams: Streams): void {
  const command = program
    .command('generate')
    .summary("write a checkpoint: from a config.json, a recipe, a model's name, or like another checkpoint")
    .description(
      'Writes a checkpoint: of a Hugging Face config.json, a recipe (docs/recipes.md), a model known by name, or with the ' +
        'names and shapes of another checkpoint.',
    )
    .argument('[input]', input_description)
    .requiredOption(
      '-o, --output <dir>',
      'the folder to write to, made if need be; - streams one file to standard output',
      parse_folder,
    )
    .addOption(seed_option())
    .addOption(
      engine_option("philox: nninit's own numbers; torch: PyTorch's, of the model as its code constructs it").default(
        'philox',
      ),
    );
  add_input_options(command)
    .addOption(
      new Option('--max-shard-size <size>', 'of tensors a file: 5GB, 500MB, 2GiB (default: 5GB)').argParser(parse_size),
    )
    .addOption(
      new Option('--format <name>', 'safetensors, or a file for each tensor: npy, or raw')
        .choices(formats as readonly Format[])
        .default('safetensors'),
    )
    .addOption(threads_option())
    .addOption(new Option('--resume', 'go on with what a run that was ended has left').conflicts('force'))
    .option('-f, --force', 'replace a checkpoint that is there already')
    .option('--json', 'print the summary as JSON, and no progress')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', input_help)
    .addHelpText('after', generate_help)
    .action(async (input: string | undefined, options: GenerateOptions) => {
      const { run_generate } = await import('./generate-run.js');
      await run_generate(input, options, streams);
    });
}
