import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import type { Rule } from '../plan/rules/rules.js';
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
 * InputOptions, which planOfInput takes.
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
 * The plan that an input and its options make.
 *
 * @param input undefined where `--like` stands in its place
 * @throws InputError unless exactly one of input and --like is there, and for --tp without --rank or a rank beyond it
 */
export async function planOfInput(input: string | undefined, options: InputOptions): Promise<LoadedPlan> {
  const { like, dtype, rules: file, init = [], tp: ranks, rank } = options;
  if (input !== undefined && like !== undefined) {
    throw new InputError(`expected an input or --like, but received both: ${input} and --like ${like}`);
  }
  const given = input ?? (like === undefined ? undefined : { like });
  if (given === undefined) {
    throw new InputError(`expected an input (${inputDescription}), or --like with a checkpoint`);
  }
  const { planFrom } = await import('../plan/load-plan.js');
  return planFrom(given, dtype, await rulesOfOptions(file, init), tpOf(ranks, rank));
}

async function rulesOfOptions(file: string | undefined, init: readonly string[]): Promise<Rule[]> {
  if (file === undefined && init.length === 0) return [];
  const { ruleOfText, rulesOf } = await import('../plan/rules/rules.js');
  const { readDocument } = await import('../plan/base.js');
  return [...(file === undefined ? [] : rulesOf(await readDocument(file))), ...init.map(ruleOfText)];
}

function tpOf(ranks: number | undefined, rank: number | undefined) {
  if (ranks === undefined && rank === undefined) return undefined;
  if (ranks === undefined) throw new InputError('expected --tp beside --rank: how many ranks there are');
  if (rank === undefined) throw new InputError('expected --rank beside --tp: which rank to write for');
  if (rank >= ranks) throw new InputError(`expected a --rank from 0 to ${ranks - 1}, but received ${rank}`);
  return { ranks, rank };
}
