import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { SourceRequest } from '../plan/source.js';
import { dtypeOption, parseInteger, parsePath } from './options.js';

/** The options that say what is planned, parsed: those of addInputOptions. */
export interface InputOptions {
  readonly like?: string;
  readonly dtype?: Dtype;
  readonly rules?: string;
  readonly init?: readonly string[];
  readonly tp?: number;
  readonly rank?: number;
}

/** What an `[input]` may be, for help texts. */
export const inputDescription = "a config.json or a folder with one, a recipe, or a model's name such as resnet18";

/** For `addHelpText`: what the options of addInputOptions take. */
export const inputHelp = `
Instead of an input, --like takes names, shapes and dtypes from a checkpoint, of which only headers are read.
Rules go from globs over names to initializers; the last one that matches a name counts. They come after what the
input itself says: first those of --rules, a JSON file { "GLOB": INITIALIZER, … }, then each --init, such as
--init '*.bias=zeros' or --init '*.weight={"init": "normal", "std": 0.01}'. See docs/recipes.md.`;

/**
 * Adds the options that say what is planned: --like, --dtype, --rules, --init, --tp and --rank. Their parsed values are an
 * InputOptions, from which sourceRequest makes what loadSource takes.
 */
export function addInputOptions(command: Command): Command {
  return command
    .addOption(new Option('--like <path>', 'a .safetensors, an index or a folder with either').argParser(parsePath))
    .addOption(dtypeOption("of all tensors; of a recipe's that name none (default: as the input says, or float32)"))
    .addOption(new Option('--rules <file>', 'initializers by globs over names, in JSON').argParser(parsePath))
    .addOption(
      new Option('--init <glob=initializer>', 'an initializer by name or in JSON; repeatable').argParser(addRule),
    )
    .addOption(new Option('--tp <n>', 'ranks of tensor parallelism').argParser(parseInteger(1, 65536)))
    .addOption(new Option('--rank <r>', 'the rank to write for, from 0').argParser(parseInteger(0, 65535)));
}

function addRule(text: string, before: readonly string[] = []): readonly string[] {
  if (!text.includes('=')) throw new InvalidArgumentError("Expected GLOB=INITIALIZER, such as '*.bias=zeros'.");
  return [...before, text];
}

/**
 * The request that an input and its options make.
 *
 * @param input undefined where `--like` stands in its place
 * @throws InputError unless exactly one of input and --like is there, and for --tp without --rank or a rank beyond it
 */
export function sourceRequest(input: string | undefined, options: InputOptions): SourceRequest {
  const { like, dtype, rules, init, tp, rank } = options;
  if (input === undefined && like === undefined) {
    throw new InputError(`expected an input (${inputDescription}), or --like with a checkpoint`);
  }
  if (input !== undefined && like !== undefined) {
    throw new InputError(`expected an input or --like, but received both: ${input} and --like ${like}`);
  }
  if (tp === undefined && rank !== undefined)
    throw new InputError('expected --tp beside --rank: how many ranks there are');
  if (tp !== undefined && rank === undefined)
    throw new InputError('expected --rank beside --tp: which rank to write for');
  if (tp !== undefined && rank !== undefined && rank >= tp) {
    throw new InputError(`expected a --rank from 0 to ${tp - 1}, but received ${rank}`);
  }
  return { input, like, dtype, rules, init, tp, rank };
}
