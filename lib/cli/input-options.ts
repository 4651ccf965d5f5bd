import { type Command, InvalidArgumentError, Option } from 'commander';
import type { Dtype } from '../core/dtype.js';
import { InputError } from '../core/errors.js';
import type { LoadedPlan } from '../plan/load-plan.js';
import { quantizationNames } from '../plan/quantize/names.js';
import type { Rule } from '../plan/rules/rules.js';
import { choiceOption, dtypeOption, parseInteger, parsePath } from './options.js';

/** The options that say what is planned, parsed: those of addInputOptions. */
export interface InputOptions {
  readonly like?: string;
  readonly dtype?: Dtype;
  readonly rules?: string;
  readonly init?: readonly string[];
  readonly tp?: number;
  readonly rank?: number;
  readonly quantize?: string;
  readonly lora?: unknown;
  readonly mtp?: true;
  readonly healthy?: true;
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
 * Adds the options that say what is planned (--like, --dtype, --rules, --init, --tp, --rank, --quantize, --lora, --mtp and --healthy). Their parsed values are an
 * InputOptions, which planOfInput takes.
 */
export function addInputOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--like <path>',
        'a .safetensors, an index, a folder with either, an address (https, s3), or hf:org/name[@revision]',
      ).argParser(parsePath),
    )
    .addOption(dtypeOption("of all tensors; of a recipe's that name none (default: as the input says, or float32)"))
    .addOption(new Option('--rules <file>', 'initializers by globs over names, in JSON').argParser(parsePath))
    .addOption(
      new Option('--init <glob=initializer>', 'an initializer by name or in JSON; repeatable').argParser(addRule),
    )
    .addOption(new Option('--tp <n>', 'ranks of tensor parallelism').argParser(parseInteger(1, 65536)))
    .addOption(new Option('--rank <r>', 'the rank to write for, from 0').argParser(parseInteger(0, 65535)))
    .addOption(
      choiceOption(
        '--quantize <name>',
        'write the model of a config.json quantized (docs/quantized.md)',
        quantizationNames,
      ),
    )
    .addOption(
      new Option(
        '--lora <options>',
        'in place of the model of a config.json a LoRA adapter for it: r=16,alpha=32,targets=q_proj+v_proj (docs/lora.md)',
      ).argParser(parseLora),
    )
    .option(
      '--mtp',
      'with the layers that predict further tokens, which transformers does not make (docs/quantized.md)',
    )
    .option(
      '--healthy',
      "in place of the model's own initialization one for load tests: logits that spread, balanced routers (docs/healthy.md)",
    );
}

/** `r=16,targets=q_proj+v_proj`, or the same in JSON; what each may be, the recipe's schema says. */
export function parseLora(text: string): unknown {
  if (text.startsWith('{')) {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw new InvalidArgumentError(`Expected JSON: ${cause instanceof Error ? cause.message : String(cause)}.`);
    }
  }
  const pairs = text.split(',').map((part) => {
    const [key, value] = [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)];
    if (!/^\w+=./.test(part)) {
      throw new InvalidArgumentError('Expected KEY=VALUE,… such as r=16,alpha=32,targets=q_proj+v_proj, or JSON.');
    }
    return [key, loraValue(key, value)] as const;
  });
  const twice = pairs.find(([key], i) => pairs.findIndex(([other]) => other === key) < i);
  if (twice !== undefined) throw new InvalidArgumentError(`Expected ${twice[0]} once.`);
  return Object.fromEntries(pairs);
}

function loraValue(key: string, value: string): unknown {
  if (key === 'targets') return value === 'all-linear' ? value : value.split('+');
  return ['r', 'alpha', 'b'].includes(key) && value.trim() !== '' && !Number.isNaN(Number(value))
    ? Number(value)
    : value;
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
  const { like, dtype, rules: file, init = [], tp: ranks, rank, quantize, lora, mtp, healthy } = options;
  if (input !== undefined && like !== undefined) {
    throw new InputError(`expected an input or --like, but received both: ${input} and --like ${like}`);
  }
  const given = input ?? (like === undefined ? undefined : { like });
  if (given === undefined) {
    throw new InputError(`expected an input (${inputDescription}), or --like with a checkpoint`);
  }
  const { adapterInput, planFrom } = await import('../plan/load-plan.js');
  if (healthy && (lora !== undefined || quantize !== undefined)) {
    throw new InputError(`expected --healthy without --${lora === undefined ? 'quantize' : 'lora'}`);
  }
  if (mtp && (lora !== undefined || quantize !== undefined || like !== undefined)) {
    const other = lora !== undefined ? 'lora' : quantize !== undefined ? 'quantize' : 'like';
    throw new InputError(`expected --mtp without --${other}`);
  }
  const recipe = typeof given === 'string' ? { model: given } : given;
  const begun = healthy || mtp ? { ...recipe, ...(mtp && { mtp }), ...(healthy && { preset: 'healthy' }) } : given;
  const planned = lora === undefined ? begun : adapterInput(begun, lora);
  return planFrom(planned, dtype, await rulesOfOptions(file, init), tpOf(ranks, rank), quantize);
}

async function rulesOfOptions(file: string | undefined, init: readonly string[]): Promise<Rule[]> {
  if (file === undefined && init.length === 0) return [];
  const { ruleOfText, rulesOf } = await import('../plan/rules/rules.js');
  const { readDocument } = await import('../plan/document.js');
  return [...(file === undefined ? [] : rulesOf(await readDocument(file))), ...init.map(ruleOfText)];
}

function tpOf(ranks: number | undefined, rank: number | undefined) {
  if (ranks === undefined && rank === undefined) return undefined;
  if (ranks === undefined) throw new InputError('expected --tp beside --rank: how many ranks there are');
  if (rank === undefined) throw new InputError('expected --rank beside --tp: which rank to write for');
  if (rank >= ranks) throw new InputError(`expected a --rank from 0 to ${ranks - 1}, but received ${rank}`);
  return { ranks, rank };
}
