import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Engine } from '../random/names.js';
import { engineOption, parseInteger, parseSize, threadsOption } from './options.js';
import type { Streams } from './program.js';
import { serveSummary } from './summaries.js';

/** The options of `nninit serve`, parsed. */
export interface ServeCommandOptions {
  readonly host: string;
  readonly port: number;
  readonly engine: Engine;
  readonly maxShardSize?: number;
  readonly bucket: string;
  readonly threads?: number;
  readonly bytesPerSecond?: number;
}

const serveHelp = `
An input is a folder of org/name/config.json (or recipe.json), a config.json, a recipe, or the name of a model
that nninit knows; without inputs those models are served. The revision is the seed: main is seed 0,
seed-7 seed 7, seed-7-bfloat16 the same in another dtype. Nothing is stored.

Examples:
  nninit serve models --port 8080
  HF_ENDPOINT=http://127.0.0.1:8080 hf download org/name --revision seed-7
  aws s3 ls --endpoint-url http://127.0.0.1:8080 --no-sign-request s3://nninit/org/name/seed-7/

Environment:
  NNINIT_SERVE_TOKEN       where it is set, requests need this bearer token
  NNINIT_SERVE_ACCESS_KEY  where both are set, requests of S3's protocol must be signed with them
  NNINIT_SERVE_SECRET_KEY`;

const mostPort = 65535;

/** An empty one, of a variable that is not set, say, would mean all networks. */
function parseHost(text: string): string {
  if (text === '') throw new InvalidArgumentError("Expected an address or a host's name.");
  return text;
}

/** Adds `serve`. */
export function addServe(program: Command, streams: Streams): void {
  program
    .command('serve')
    .summary(serveSummary)
    .description(
      'Serves checkpoints over HTTP, by the protocols of the Hugging Face Hub and of S3, and makes their bytes when they are asked for.',
    )
    .argument('[inputs...]', 'folders, configs, recipes, names of models')
    .addOption(
      new Option('-p, --port <number>', 'the port; 0 for any').argParser(parseInteger(0, mostPort)).default(8080),
    )
    .addOption(
      new Option('--host <address>', 'where to listen; 0.0.0.0 for all networks')
        .argParser(parseHost)
        .default('127.0.0.1'),
    )
    .addOption(engineOption('of revisions that name none').default('philox'))
    .addOption(
      new Option(
        '--max-shard-size <size>',
        'of tensors a file: 5GB, 500MB, at most 50GB (default: 5GB; adapters are one file)',
      ).argParser(parseSize),
    )
    .option('--bucket <name>', 'for clients of S3', 'nninit')
    .addOption(new Option('--bytes-per-second <size>', 'the most of each download, such as 100MB').argParser(parseSize))
    .addOption(threadsOption())
    .addHelpText('after', serveHelp)
    .action(async (inputs: string[], options: ServeCommandOptions) => {
      const { runServe } = await import('./serve-run.js');
      await runServe(inputs, options, streams);
    });
}
