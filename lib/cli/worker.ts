import { type Command, Option } from 'commander';
import { parseFolder, parseInteger, threadsOption } from './options.js';
import type { Streams } from './program.js';
import { workerSummary } from './summaries.js';

/** The options of `nninit worker`, parsed. */
export interface WorkerCommandOptions {
  readonly redis?: string | true;
  readonly root: string;
  readonly threads?: number;
  /** Seconds. */
  readonly lostAfter?: number;
  readonly quiet?: true;
}

const help = `
Needs the npm packages bullmq and ioredis beside nninit. Workers do one part at a time; a second one on a
machine shares its cores by --threads.

Examples, on machines that share the folder /shared:
  nninit worker --redis redis://host:6379 --root /shared
  nninit generate llama/config.json -o /shared/llama --redis redis://host:6379
  REDIS_URL=rediss://user:password@host:6380 nninit worker --redis       so that ps shows no password

Exit codes: 0 ended by a signal, 2 bad usage, or Redis cannot be reached`;

/** Adds `worker`. */
export function addWorker(program: Command, streams: Streams): void {
  program
    .command('worker')
    .summary(workerSummary)
    .description(
      'Does parts of checkpoints that `nninit generate --redis` orders, until it is ended. A part that is under way then is given back.',
    )
    .addOption(new Option('--redis [url]', 'redis://host:6379/0, or rediss://… for TLS; without url that of REDIS_URL'))
    .addOption(
      new Option('--root <dir>', 'orders may write to this folder, and below')
        .argParser(parseFolder)
        .default('.', 'the working directory'),
    )
    .addOption(threadsOption())
    .addOption(
      new Option(
        '--lost-after <seconds>',
        'without a sign of life, until others do its part, 1 to 3600 (default: 30)',
      ).argParser(parseInteger(1, 3600)),
    )
    .option('-q, --quiet', 'print nothing but errors')
    .addHelpText('after', help)
    .action(async (options: WorkerCommandOptions) => {
      const { runWorker } = await import('./worker-run.js');
      await runWorker(options, streams);
    });
}
