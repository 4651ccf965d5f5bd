import { type Command, InvalidArgumentError } from 'commander';
import { addInputOptions, inputHelp } from './input-options.js';
import { choiceOption, engineOption, parsePath, parseSeeds, threadsOption } from './options.js';
import type { Streams } from './program.js';
import type { ReportCommandOptions } from './report-run.js';
import { reportSummary } from './summaries.js';

const reportHelp = `
With --stack, --init takes a list: names, a name with its first number or function as in kaiming_normal:tanh or normal:0.02, or JSON; and signals
are followed through layers, by theory and in real random networks, one for each of --seeds. Without an input that is all.

Examples:
  nninit report --stack 'linear 512 x 50, tanh' -o report.html
  nninit report --stack 'linear 512 x 50, tanh' --init xavier_uniform,kaiming_normal:tanh --format svg -o pictures
  nninit report --stack 'transformer 1600 x 48, gelu' --init normal:0.02 -o residual.html
  nninit report gpt2/config.json --seeds 42 -o report.html
  nninit report out other/model.safetensors -o compared.html
  nninit report resnet18 --seeds 0..99 --format json > spread.json

The charts are drawn by the npm package echarts, which html and svg need. See docs/report.md.`;

/** Adds `report`. */
export function addReport(program: Command, streams: Streams): void {
  const command = program
    .command('report')
    .summary(reportSummary)
    .description('Shows what an initialization does, as a page for browsers, as JSON, or as pictures.')
    .argument('[input]', "a checkpoint, a config.json or a folder with one, a recipe, or a model's name", parsePath)
    .argument('[other]', 'a second one, to compare with', parsePath)
    .option(
      '-o, --output <path>',
      'the file to write, for svg a folder; - is standard output (default: that, for json only)',
      parsePath,
    )
    .addOption(choiceOption('--format <name>', 'what is made', ['html', 'json', 'svg']).default('html'))
    .option('--stack <layers>', "layers to follow signals through: 'linear 512 x 50, tanh'")
    .option('--bias-std <s>', 'standard deviation of biases in --stack (default: 0)', parseStd)
    .option(
      '--seeds <list>',
      'such as 0..99 or 1,2,7: values of an input, networks of --stack (default: 0; 0..4)',
      parseSeeds,
    )
    .addOption(engineOption("of an input's values"));
  addInputOptions(command);
  const init = command.options.find(({ long }) => long === '--init');
  init?.argParser((text: string, before: readonly string[] | undefined) => [...(before ?? []), text]);
  command
    .addOption(threadsOption())
    .option('-q, --quiet', 'print nothing but warnings and errors')
    .addHelpText('after', inputHelp)
    .addHelpText('after', reportHelp)
    .action(async (input: string | undefined, other: string | undefined, options: ReportCommandOptions) => {
      const { runReport } = await import('./report-run.js');
      await runReport(input, other, options, streams);
    });
}

function parseStd(text: string): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= 1e6) return value;
  throw new InvalidArgumentError('Expected a number from 0 to 1000000.');
}
