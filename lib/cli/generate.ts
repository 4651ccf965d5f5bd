import { type Command, Option } from 'commander';
import { type Format, formats } from '../formats/format.js';
import type { GenerateOptions } from './generate-run.js';
import { addInputOptions, inputDescription, inputHelp } from './input-options.js';
import { engineOption, parseFolder, parseSize, seedOption, threadsOption } from './options.js';
import type { Streams } from './program.js';

const generateHelp = `
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
export function addGenerate(program: Command, streams: Streams): void {
  const command = program
    .command('generate')
    .summary("write a checkpoint: from a config.json, a recipe, a model's name, or like another checkpoint")
    .description(
      'Writes a checkpoint: of a Hugging Face config.json, a recipe (docs/recipes.md), a model known by name, or with the ' +
        'names and shapes of another checkpoint.',
    )
    .argument('[input]', inputDescription)
    .requiredOption(
      '-o, --output <dir>',
      'the folder to write to, made if need be; - streams one file to standard output',
      parseFolder,
    )
    .addOption(seedOption())
    .addOption(
      engineOption("philox: nninit's own numbers; torch: PyTorch's, of the model as its code constructs it").default(
        'philox',
      ),
    );
  addInputOptions(command)
    .addOption(
      new Option('--max-shard-size <size>', 'of tensors a file: 5GB, 500MB, 2GiB (default: 5GB)').argParser(parseSize),
    )
    .addOption(
      new Option('--format <name>', 'safetensors, or a file for each tensor: npy, or raw')
        .choices(formats as readonly Format[])
        .default('safetensors'),
    )
    .addOption(threadsOption())
    .addOption(new Option('--resume', 'go on with what a run that was ended has left').conflicts('force'))
    .option('-f, --force', 'replace a checkpoint that is there already')
    .option('--json', 'print the summary as JSON, and no progress')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', inputHelp)
    .addHelpText('after', generateHelp)
    .action(async (input: string | undefined, options: GenerateOptions) => {
      const { runGenerate } = await import('./generate-run.js');
      await runGenerate(input, options, streams);
    });
}
