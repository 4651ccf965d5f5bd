import { type Command, InvalidArgumentError, Option } from 'commander';
import { didYouMean } from '../core/check.js';
import { dtypes } from '../core/dtype.js';
import { bytesOfText } from '../core/size.js';
import { type Format, formats } from '../formats/names.js';
import { maxThreads } from '../native/addon.js';
import { checkSeed, engineNames } from '../random/names.js';

/** A seed in [0, 2^64), from an integer in [-2^63, 2^64), decimal or 0x…. A negative one means itself + 2^64. */
export function parseSeed(text: string): bigint {
  const expected = 'Expected an integer from -2^63 to 2^64 - 1, decimal or 0x….';
  if (!/^(-?\d+|0x[\da-f]+)$/i.test(text)) throw new InvalidArgumentError(expected);
  try {
    return checkSeed('nninit', BigInt(text));
  } catch {
    throw new InvalidArgumentError(expected);
  }
}

/** The name of a folder. An empty one is a shell variable that is not set, not the working directory. */
export function parseFolder(text: string): string {
  if (text === '') throw new InvalidArgumentError("Expected a folder's name.");
  return text;
}

/** The name of a file or folder to read. */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError("Expected a file's or folder's name.");
  return text;
}

/** A whole number in [min, max]. */
export function parseInteger(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected an integer from ${min} to ${max}.`);
  };
}

/** An option that is one of a few names; what is near to one is told. */
export function choiceOption(option: string, description: string, names: readonly string[]): Option {
  return new Option(option, description).choices(names).argParser((text) => {
    if (names.includes(text)) return text;
    const hint = didYouMean(text, names);
    throw new InvalidArgumentError(`Allowed choices are ${names.join(', ')}${hint === undefined ? '' : ` (${hint})`}.`);
  });
}

/** Where the random numbers come from. */
export function engineOption(description: string): Option {
  return choiceOption('--engine <name>', description, engineNames);
}

/** Native threads. */
export const parseThreads = parseInteger(1, maxThreads);

/** Bytes, from '5GB' and the like. */
export function parseSize(text: string): number {
  const bytes = bytesOfText(text);
  if (bytes !== undefined) return bytes;
  throw new InvalidArgumentError('Expected a size such as 5GB, 500MB or 1GiB.');
}

/** `--seed`, in [0, 2^64); 0 by default. */
export function seedOption(): Option {
  return new Option('--seed <n>', 'from -2^63 to 2^64 - 1, decimal or 0x…').default(0n, '0').argParser(parseSeed);
}

const mostSeeds = 1_000_000;

/** Seeds, from `0..999`, `1,2,7` or both, each once. */
export function parseSeeds(text: string): bigint[] {
  const seeds: bigint[] = [];
  for (const item of text.split(',')) {
    const [first = '', last = first, ...more] = item.split('..');
    const [from, to] = [parseSeed(first), parseSeed(last)];
    if (more.length > 0 || from > to) throw new InvalidArgumentError('Expected seeds such as 0..999 or 1,2,7..9.');
    if (to - from >= BigInt(mostSeeds - seeds.length)) throw new InvalidArgumentError(`Expected at most ${mostSeeds}.`);
    for (let seed = from; seed <= to; seed++) seeds.push(seed);
  }
  if (new Set(seeds).size < seeds.length) throw new InvalidArgumentError('Expected each seed once.');
  return seeds;
}

/** `--threads`. */
export function threadsOption(): Option {
  return new Option('--threads <n>', `native threads, from 1 to ${maxThreads}`).argParser(parseThreads);
}

/** `--dtype`, one of the four that can be filled. */
export function dtypeOption(description: string): Option {
  return choiceOption('--dtype <name>', description, Object.keys(dtypes));
}

/** The options that say which files a plan is laid out into. */
export interface FileOptions {
  readonly format: Format;
  readonly maxShardSize?: number;
  readonly name?: string;
}

/** Adds --max-shard-size, --name and --format. */
export function addFileOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--max-shard-size <size>',
        'of tensors a file: 5GB, 500MB, 2GiB (default: 5GB; an adapter is one file)',
      ).argParser(parseSize),
    )
    .option(
      '--name <base>',
      'what the names of safetensors files begin with, such as adapter_model (default: model; of an adapter adapter_model)',
    )
    .addOption(
      choiceOption('--format <name>', 'safetensors, or a file for each tensor: npy, or raw', formats).default(
        'safetensors',
      ),
    );
}
