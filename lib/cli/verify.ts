import { type Command, Option } from 'commander';
import { addInputOptions, inputDescription, inputHelp } from './input-options.js';
import { engineOption, parsePath, parseSeed, threadsOption } from './options.js';
import type { Streams } from './program.js';
import { verifySummary } from './summaries.js';
import type { VerifyCommandOptions } from './verify-run.js';

const verifyHelp = `
A checkpoint that nninit wrote carries its plan. Otherwise, or where an input or an option that says what is planned is
given (they stand in place of what it carries), the plan is that of the input or of config.json in the same folder.
A checkpoint that nninit wrote tells its seed too: all values are made anew and compared, byte for byte. Of others, and with --statistics,
every tensor's mean, standard deviation, shape and extremes are compared with what its initializer gives.

Examples:
  nninit verify out
  nninit verify out recipe.json
  nninit verify model.safetensors llama/config.json --statistics
  nninit verify out llama/config.json --tp 8 --rank 3
  nninit verify made_in_python --engine torch --seed 0      after torch.manual_seed(0)

Exit codes: 0 as planned, 1 differences, 2 bad usage or a checkpoint that cannot be read (docs/verify.md)`;

/** Adds `verify`. */
export function addVerify(program: Command, streams: Streams): void {
  const command = program
    .command('verify')
    .summary(verifySummary)
    .description('Checks a checkpoint against its plan, tensor for tensor.')
    .argument('<checkpoint>', 'a folder, a .safetensors, an index, or a manifest.json', parsePath)
    .argument('[input]', `${inputDescription} (default: what the checkpoint carries, or its config.json)`, parsePath)
    .option('--seed <n>', 'in place of the one that the files tell', parseSeed)
    .addOption(engineOption('in place of the one that the files tell: torch with a seed for what PyTorch has made'))
    .addOption(
      new Option('--statistics', 'compare distributions, whoever wrote the files').conflicts(['seed', 'engine']),
    );
  addInputOptions(command)
    .addOption(threadsOption())
    .option('--json', 'print the result as JSON, and no progress')
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', inputHelp)
    .addHelpText('after', verifyHelp)
    .action(async (checkpoint: string, input: string | undefined, options: VerifyCommandOptions) => {
      const { runVerify } = await import('./verify-run.js');
      await runVerify(checkpoint, input, options, streams);
    });
}
