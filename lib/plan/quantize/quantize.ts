import { didYouMean, isPlainObject, quoted, show } from '../../core/check.js';
import { InputError } from '../../core/errors.js';
import { parseWith } from '../../core/json-problems.js';
import type { Flat } from '../../nn/flatten.js';
import type { PlannedTensor, ResolvedTensor } from '../plan.js';
import { awq } from './methods/awq.js';
import { compressedPresets, compressedTensors } from './methods/compressed-tensors.js';
import type { Definition } from './methods/definition.js';
import { fp8 } from './methods/fp8.js';
import { gptq } from './methods/gptq.js';
import { modelopt } from './methods/modelopt.js';
import { mxfp4 } from './methods/mxfp4.js';
import { type Candidate, type Method, weightOf } from './weight.js';

/** By `quant_method`. */
const methods: Readonly<Record<string, Definition>> = {
  fp8,
  'compressed-tensors': compressedTensors,
  mxfp4,
  gptq,
  awq,
  modelopt,
};

/** Other methods of transformers and of servers, near in name to ours, which are no misspellings of them. */
const otherMethods = ['vptq', 'mxfp8', 'fp4', 'fp_quant', 'nvfp4', 'modelopt_fp4'];

/** What `quantize: NAME` sets as `quantization_config`. */
export const quantizationPresets: Readonly<Record<string, Readonly<Record<string, unknown>>>> = Object.fromEntries([
  ...Object.entries(methods)
    .filter(([name]) => name !== 'compressed-tensors')
    .map(([name, { preset }]) => [name, { quant_method: name, ...preset }] as const),
  ...Object.entries(compressedPresets).map(
    ([name, preset]) => [name, { quant_method: 'compressed-tensors', ...preset }] as const,
  ),
]);

/** What quantizes a model's tensors. */
export interface Quantizer {
  /** How many weights it quantizes. */
  readonly count: number;
  /** Modules that tools take for linear layers, and that have no codes in the file all the same: those that share an embedding's weight, and routers. */
  readonly left: readonly string[];
  /** Makes of a model's tensors, or of one rank's parts of them, those that a quantized checkpoint has. */
  quantize(tensors: readonly ResolvedTensor[]): PlannedTensor[];
}

/**
 * The quantizer that a config's `quantization_config` asks for.
 *
 * @param saved the model's tensors, which know their modules' kinds
 * @param model the same as the model's code has them, in its order
 * @throws InputError for a method that is not known, and settings that make no sense
 */
export function quantizerOf(given: unknown, saved: Flat, model: Flat, source: string): Quantizer {
  const place = `${source}: quantization_config`;
  const refuse = (what: string, received: unknown, hint = '') =>
    new InputError(`${place}: expected ${what}, but received ${show(received)}${hint}`, { path: source });
  if (!isPlainObject(given)) throw refuse('an object', given);
  const name = given.quant_method;
  const known = Object.keys(methods);
  const definition = typeof name === 'string' && Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (definition === undefined) {
    const hint = typeof name === 'string' && !otherMethods.includes(name) ? didYouMean(name, known) : undefined;
    const way = '; a checkpoint of another kind can be written like one that there is, with { like: path }';
    throw refuse(`a quant_method of ${quoted(known)}`, name, `${hint === undefined ? '' : ` (${hint})`}${way}`);
  }
  const join = saved.tensors.find(({ joinOf }) => joinOf !== undefined);
  if (join !== undefined) {
    const what = `expected none where the file joins weights of the model's, as it does in ${show(join.name)}`;
    throw new InputError(`${place}: ${what}`, { path: source });
  }
  const method = methodOf(definition, given, place, source);
  const schemes = new Map<string, (tensor: ResolvedTensor) => PlannedTensor[]>();
  const last = model.tensors.findLast(({ buffer }) => buffer !== true)?.name;
  for (const [name, candidate] of candidatesOf(saved.tensors, last)) {
    const scheme = method(candidate);
    if (scheme !== undefined) schemes.set(name, (tensor) => scheme(weightOf(tensor, candidate.module)));
  }
  return {
    count: schemes.size,
    left: model.tensors.flatMap(leftOf),
    quantize: (planned) => planned.flatMap((tensor) => schemes.get(tensor.name)?.(tensor) ?? [plain(tensor)]),
  };
}

function methodOf(definition: Definition, given: unknown, place: string, source: string): Method {
  try {
    return definition.method(parseWith(definition.config, given, source, ['quantization_config']), place);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new InputError(cause.message, { path: source, cause });
  }
}

/** Heads over a vocabulary within another module, tied to the embedding or not; what is outermost is one anyway. */
const heads = /(^|\.)(lm_head|embed_out|output_projection|vocab_projector|(predictions|lm_head)\.decoder)$/;
const isHeadName = (module: string): boolean => !module.includes('.') || heads.test(module);

/** `Linear` in a list of targets means what derives from it too. */
function leftOf({ name, kind, tied = [] }: Flat['tensors'][number]): string[] {
  const modules = tied.map((alias) => alias.replace(/\.weight$/, '')).filter(isHeadName);
  return kind === 'LinearRouter' ? [...modules, name.replace(/\.weight$/, '')] : modules;
}

/**
 * Which tensors are weights of modules that may be quantized.
 *
 * @param last the model's last parameter
 */
function candidatesOf(tensors: Flat['tensors'], last: string | undefined): Map<string, Candidate> {
  const found = new Map<string, Candidate>();
  // PyTorch's attention projects back by a class of its own.
  const joined = tensors.filter(({ kind }) => kind === 'MultiheadAttention');
  const derived = new Set(joined.map(({ name }) => name.replace(/[^.]*$/, 'out_proj.weight')));
  for (const { name, inCode: tensorInCode, shape, kind, partOf, tied } of tensors) {
    const inCode = tensorInCode?.replace(/\.weight$/, '');
    const isGate = shape.at(-2) === 1;
    const isDerived = kind === 'FalconLinear' || derived.has(name);
    if ((kind === 'Linear' || isDerived) && name.endsWith('.weight')) {
      const module = name.slice(0, -'.weight'.length);
      const isHead = tied !== undefined || isHeadName(module);
      const isLast = (tensorInCode ?? name) === last;
      found.set(name, { module, inCode, kind: 'Linear', isHead, isLast, isGate, isDerived });
    } else if (kind === 'Experts' && partOf !== undefined && name.endsWith('.weight')) {
      found.set(name, { module: name.slice(0, -'.weight'.length), inCode, kind: 'Linear', isHead: false, isGate });
    } else if (kind === 'Experts' && shape.length === 3) {
      found.set(name, { module: name, inCode, kind, isHead: false, isGate });
    }
  }
  return found;
}

function plain({ fill: _, elements: __, bytes: ___, stream: ____, ...planned }: ResolvedTensor): PlannedTensor {
  return planned;
}
