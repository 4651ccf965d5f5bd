import { quoted, show } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import type { Flat } from '../../nn/flatten.js';
import { expressionOf, type Matches } from '../quantize/match.js';

/** A model as its code has it: what an adapter is for. */
export interface LoraBase {
  /** The class, 'LlamaForCausalLM'. */
  readonly modelClass: string;
  /** Its tensors by the names of its modules, which may be others than those in its files. */
  readonly flat: Flat;
}

/** A module that an adapter can be for. */
export interface LinearModule {
  /** As `named_modules` has it. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether the weight is (inputs, outputs): GPT-2's Conv1D. */
  readonly transposed: boolean;
}

/** What `get_output_embeddings` gives in transformers' classes, where it is not tied; of an encoder and a decoder the decoder's. */
const heads =
  /^(decoder\.)?(lm_head|embed_out|output|output_projection|generator_lm_head|vocab_projector|proj_out|decoder|(cls\.)?predictions\.decoder|lm_head\.decoder)$/;

/** Classes whose `lm_head` is none, since they have no embedding of a vocabulary: those of speech, and BEiT's. */
const withoutHead = /ForCTC$|^BeitForMaskedImageModeling$/;

/** Linear, and classes that are derived from it, which PEFT takes as well. */
const linearKinds: ReadonlySet<string> = new Set(['Linear', 'LinearRouter', 'FalconLinear']);

/** PEFT's meaning of `target_modules`. */
function matchesOf(targets: string | readonly string[], place: string): Matches {
  if (typeof targets === 'string') {
    const expression = expressionOf(targets, place);
    return (module) => expression.matcher(module).matches();
  }
  return (module) => targets.some((target) => module === target || module.endsWith(`.${target}`));
}

/** All modules by name that have tensors, or have such modules in them: their class, where they have tensors themselves, and their weight's shape. */
function modulesOf({ tensors }: Flat): Map<string, { kind?: string | undefined; shape?: readonly number[] }> {
  const modules = new Map<string, { kind?: string | undefined; shape?: readonly number[] }>();
  for (const { name, shape, kind } of tensors) {
    const path = name.split('.').slice(0, -1);
    for (let depth = 1; depth < path.length; depth++) {
      const parent = path.slice(0, depth).join('.');
      if (!modules.has(parent)) modules.set(parent, {});
    }
    const module = path.join('.');
    if (module !== '' && (name.endsWith('.weight') || modules.get(module)?.kind === undefined))
      modules.set(module, { kind, shape });
  }
  return modules;
}

/**
 * The modules that targets mean, in the model's order.
 *
 * @param base the model, its tensors by the names of its modules
 * @throws InputError for targets that match nothing, or a module that is not linear
 */
export function targetsIn(
  { flat, modelClass }: LoraBase,
  targets: string | readonly string[],
  source: string,
): LinearModule[] {
  const place = `${source}: lora.targets`;
  const modules = modulesOf(flat);
  const linear = new Map<string, LinearModule>();
  for (const [name, { kind, shape: [first = 0, second = 0] = [] }] of modules) {
    if (linearKinds.has(kind ?? '')) linear.set(name, { name, inputs: second, outputs: first, transposed: false });
    else if (kind === 'Conv1D') linear.set(name, { name, inputs: first, outputs: second, transposed: true });
  }
  if (typeof targets === 'string' && targets.toLowerCase() === 'all-linear') {
    const isHead = (name: string) => heads.test(name) && !withoutHead.test(modelClass);
    const all = [...linear.values()].filter(({ name }) => !isHead(name));
    if (all.length > 0) return all;
    throw new InputError(`${place}: expected a model with linear modules beside its head, but there is none`, {
      path: source,
    });
  }
  const matches = matchesOf(targets, place);
  const found = [...modules.keys()].filter(matches);
  const other = found.find((name) => !linear.has(name));
  if (other !== undefined) {
    const what = modules.get(other)?.kind ?? 'a module of modules';
    throw new InputError(`${place}: expected linear modules, but ${show(other)}, which matches, is ${what}`, {
      path: source,
    });
  }
  if (found.length === 0) {
    const ends = quoted(endsOf([...linear.keys()]));
    throw new InputError(
      `${place}: expected some of the linear modules, ${ends}, but ${showTargets(targets)} match none`,
      {
        path: source,
      },
    );
  }
  return found.flatMap((name) => linear.get(name) ?? []);
}

function showTargets(targets: string | readonly string[]): string {
  return typeof targets === 'string' ? show(targets) : quoted(targets);
}

function endsOf(names: readonly string[]): string[] {
  return [...new Set(names.map((name) => name.slice(name.lastIndexOf('.') + 1)))];
}

/** A list that any version of PEFT takes for these modules of all: the ends of their names, or the whole names where ends mean others too. */
export function targetNames(chosen: readonly LinearModule[], flat: Flat): string[] {
  const names = chosen.map(({ name }) => name);
  const ends = endsOf(names);
  const matches = matchesOf(ends, '');
  return [...modulesOf(flat).keys()].filter(matches).length === names.length ? ends : names;
}
