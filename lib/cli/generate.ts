import { type Command, Option } from 'commander';
import type { GenerateOptions } from './generate-run.js';
import { addInputOptions, inputDescription, inputHelp } from './input-options.js';
import {
  addFileOptions,
  choiceOption,
  engineOption,
  parseFolder,
  parseInteger,
  parsePath,
  parseSeeds,
  seedOption,
  threadsOption,
} from './options.js';
import { parsePart } from './part.js';
import type { Streams } from './program.js';
import { generateSummary } from './summaries.js';

const generateHelp = `
Writes DIR/model.safetensors, or shards and an index if the tensors take more than --max-shard-size;
and for a model DIR/config.json: transformers' from_pretrained(DIR) loads the folder. With --lora
DIR/adapter_model.safetensors and DIR/adapter_config.json, which PEFT loads. The bytes
depend on the input, the seed, the dtype and the size of shards alone. Files appear under their
names only when they are complete, the index last.

Examples:
  nninit generate gpt2/config.json -o out --seed 42
  nninit generate llama/config.json -o out --dtype bfloat16 --max-shard-size 2GB
  nninit generate llama/config.json -o out --dtype bfloat16 --resume      after it was killed
  nninit generate llama/config.json -o adapter --lora r=16,alpha=32,targets=q_proj+v_proj
  nninit generate recipe.json -o out --format npy
  nninit generate llama/config.json -o out --part 3/8 --finish auto       one of eight machines
  nninit generate llama/config.json -o /shared/out --redis redis://host   by workers: nninit help worker
  nninit generate recipe.json -o - | zstd > model.safetensors.zst

Exit codes: 0 done, 1 the work failed, 2 bad usage or bad input, 128 + n ended by signal n`;

/** Adds `generate`. */
export function addGenerate(program: Command, streams: Streams): void {
  const command = program
    .command('generate')
    .summary(generateSummary)
    .description(
      'Writes a checkpoint: of a Hugging Face config.json, a recipe (docs/recipes.md), a model known by name, or with the ' +
        'names and shapes of another checkpoint.',
    )
    .argument('[input]', inputDescription, parsePath)
    .option(
      '-o, --output <dir>',
      'the folder to write to, made if need be; s3://bucket/prefix; - streams one file to standard output',
      parseFolder,
    )
    .addOption(seedOption())
    .addOption(
      new Option('--seeds <list>', 'a checkpoint for each seed, in DIR/seed-N: 0..999, or 1,2,7..9')
        .argParser(parseSeeds)
        .conflicts(['seed', 'finish']),
    )
    .addOption(
      engineOption("philox: nninit's own numbers; torch: PyTorch's, of the model as its code constructs it").default(
        'philox',
      ),
    );
  addInputOptions(command);
  addFileOptions(command)
    .addOption(threadsOption())
    .addOption(
      new Option('--part [i/n]', 'one of n parts, i from 0; without i/n that of a Kubernetes or Slurm job').argParser(
        parsePart,
      ),
    )
    .addOption(choiceOption('--finish <when>', 'auto: finish the checkpoint if this part was the last', ['auto']))
    .addOption(
      new Option('--redis [url]', 'order it from the workers at a Redis; without url that of REDIS_URL').conflicts([
        'part',
        'finish',
        'threads',
      ]),
    )
    .addOption(
      new Option('--parts <n>', 'of an order (default: worth 64 to 256 MiB each)').argParser(parseInteger(1, 100_000)),
    )
    .addOption(
      new Option('--priority <n>', 'of an order, 1 to 1000, lower is sooner (default: 10)').argParser(
        parseInteger(1, 1000),
      ),
    )
    .option('--detach', 'order, and do not wait')
    .addOption(new Option('--cancel', 'end the same order, whoever made it').conflicts('detach'))
    .addOption(new Option('--resume', 'go on with what a run that was ended has left').conflicts('force'))
    .option('-f, --force', 'replace a checkpoint that is there already')
    .option('--json', 'print the summary as JSON, and no progress')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', inputHelp)
    .addHelpText('after', generateHelp)
    .action(
      async (input: string | undefined, given: Omit<GenerateOptions, 'output'> & { readonly output?: string }) => {
        const { output } = given;
        // Not requiredOption: that speaks before a misspelt option is told.
        if (output === undefined) return command.error("error: required option '-o, --output <dir>' not specified");
        const options: GenerateOptions = { ...given, output };
        const { runGenerate } = await import('./generate-run.js');
        await runGenerate(input, options, streams);
      },
    );
}
