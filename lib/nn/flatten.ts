import type { Norms, Steps } from '../core/codes.js';
import { count } from '../core/text.js';
import { type Draw, isDrawn } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import { eachTensor, type Module, type OwnTensor, type Rule } from './module.js';

/** A parameter or a buffer of a layer, by its name in `state_dict`. */
export interface LayerTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** What it holds when the layer is new, `zeroRow` and `copyOf` aside. */
  readonly initializer: Initializer;
  /** Set for what has its own whatever the layer's: counters, which begin as zeros, and what some models keep in float32. */
  readonly dtype?: 'int64' | 'float32';
  /** True for what training does not update by gradients: running statistics. */
  readonly buffer?: true;
  /** The row (index along the first dimension) that is set to zero after the draw: an embedding's `padding_idx`. */
  readonly zeroRow?: number;
  /** The name of the tensor whose values it has, bit for bit. Never a tensor that is a copy itself. */
  readonly copyOf?: string;
}

/**
 * A layer as plain data: its tensors in the order of `state_dict`, and the random fills of its construction in PyTorch's
 * order. Engines whose values do not depend on order need the tensors alone; one that draws in sequence makes the draws.
 *
 * Of each random tensor that is no copy, the last draw has the shape and the initializer.
 */
export interface Layer {
  readonly tensors: readonly LayerTensor[];
  readonly draws: readonly Draw[];
}

/** A tensor of a model as it is saved. */
export interface ModelTensor extends LayerTensor {
  /** Other names that the model has for it. */
  readonly tied?: readonly string[];
  /** The class of the module that has it: 'Linear'. */
  readonly kind?: string;
  /** Its name in the model's code, where the file has another. */
  readonly inCode?: string;
  /** Its numbers, where they are whole ones that are no weights. */
  readonly steps?: Steps;
  /** The tensor of whose columns it has the lengths. */
  readonly norms?: Norms;
  /** Where it is a contiguous part of one of the model's, which is drawn as a whole: from which element on. */
  readonly partOf?: { readonly tensor: string; readonly begin: number };
  /** Where it holds several of the model's, equally large ones one after another, each of which is drawn by itself: their names. */
  readonly joinOf?: readonly string[];
}

/** A model's tensors in the order of its state_dict, tied ones once, and its random draws in order. */
export interface Flat extends Layer {
  readonly tensors: readonly ModelTensor[];
}

/** A tensor while the constructor is at work. */
interface Slot extends OwnTensor {
  kind?: string | undefined;
  zeroRow?: number | undefined;
  initializer?: Initializer | undefined;
  copyOf?: string | undefined;
  tied?: string[] | undefined;
}

interface Construction {
  readonly slots: Map<string, Slot>;
  readonly draws: Draw[];
}

/** Headers of 100 MB hold fewer in a file. The limit keeps slips of the keyboard and hostile configs from plans without end. */
export const mostTensors = 2_000_000;

/** Refuses more tensors than a model may have. */
export function checkCount(tensors: number): void {
  if (tensors > mostTensors)
    throw new RangeError(`expected at most ${count(mostTensors)} tensors in all, but its layers and experts make more`);
}

/** From the tree of modules to tensors and draws; RangeError for more of them than `mostTensors`. */
export function flatten(root: Module): Flat {
  const slots = new Map<string, Slot>();
  const draws: Draw[] = [];
  eachTensor(root, (name, tensor, kind) => {
    slots.set(name, { ...tensor, kind });
    checkCount(slots.size);
  });
  construct({ slots, draws }, root, '');
  tie(root, '', slots);
  return { tensors: Array.from(slots, ([name, slot]) => withNorms(finished(name, slot), slot, slots)), draws };
}

function finished(
  name: string,
  { shape, dtype, steps, buffer, zeroRow, initializer, copyOf, tied, kind }: Slot,
): ModelTensor {
  if (initializer === undefined) throw new Error(`nothing initializes ${name}`);
  return {
    ...{ name, shape, initializer },
    ...(dtype !== undefined && { dtype }),
    ...(steps !== undefined && { steps }),
    ...(buffer !== undefined && { buffer }),
    ...(zeroRow !== undefined && { zeroRow }),
    ...(copyOf !== undefined && { copyOf }),
    ...(tied !== undefined && { tied }),
    ...(kind !== undefined && { kind }),
  };
}

/** Names of other tensors are known when all are there. */
function withNorms(tensor: ModelTensor, { normsOf }: Slot, slots: ReadonlyMap<string, Slot>): ModelTensor {
  if (normsOf === undefined) return tensor;
  const of = tensor.name.replace(/[^.]*$/, normsOf);
  return { ...tensor, norms: { of, shape: slots.get(of)?.shape ?? [] } };
}

function write({ slots, draws }: Construction, name: string, initializer: Initializer): Slot {
  const slot = slots.get(name);
  if (slot === undefined) throw new Error(`no tensor ${name} in this model, but a rule for it`);
  if (isDrawn(initializer)) draws.push({ tensor: name, shape: slot.shape, initializer });
  slot.initializer = initializer;
  return slot;
}

function construct(state: Construction, module: Module, prefix: string): void {
  const { own = {}, children = {}, copies } = module;
  if (copies !== undefined) {
    copy(state, copies, Object.keys(children), prefix);
    return;
  }
  const childOf = new Map<string, Module>(Object.entries(children));
  for (const name of module.construction ?? [...Object.keys(own), ...childOf.keys()]) {
    const child = childOf.get(name);
    const initial = own[name]?.initial;
    if (child !== undefined) construct(state, child, `${prefix}${name}.`);
    else if (initial !== undefined) write(state, prefix + name, initial);
  }
  if (module.initialize !== undefined) initialize(state, module, prefix, module.initialize);
}

/** Constructs a module under the first name; the others have its values. A constant needs no copying. */
function copy(state: Construction, module: Module, [first = '0', ...others]: string[], prefix: string): void {
  const { slots } = state;
  const names: string[] = [];
  eachTensor(module, (name) => names.push(name));
  const inVain = names.filter((name) => !slots.has(`${prefix}${first}.${name}`));
  if (inVain.length > 0) eachTensor(module, (name, tensor) => slots.set(`${prefix}${first}.${name}`, { ...tensor }));
  construct(state, module, `${prefix}${first}.`);
  for (const name of names) {
    const original = `${prefix}${first}.${name}`;
    const { initializer, zeroRow, copyOf = original } = slots.get(original) ?? {};
    for (const other of others) {
      const slot = slots.get(`${prefix}${other}.${name}`);
      const isCopy = initializer !== undefined && isDrawn(initializer);
      if (slot !== undefined) Object.assign(slot, { initializer, zeroRow, copyOf: isCopy ? copyOf : undefined });
    }
  }
  for (const name of inVain) slots.delete(`${prefix}${first}.${name}`);
}

/** Children that have initialized themselves are left alone, as transformers does with models within models. */
function initialize(state: Construction, module: Module, prefix: string, rule: Rule): void {
  for (const [name, child] of Object.entries(module.children ?? {})) {
    if (child.initialize === undefined || child.again) initialize(state, child, `${prefix}${name}.`, rule);
  }
  for (const [name, written] of Object.entries(rule(module) ?? {})) {
    for (const initializer of [written].flat()) {
      const slot = write(state, prefix + name, initializer);
      slot.copyOf = undefined;
      if (module.own?.[name] === undefined) slot.zeroRow = undefined;
    }
  }
}

function tie(module: Module, prefix: string, slots: Map<string, Slot>): void {
  for (const [name, child] of Object.entries(module.children ?? {})) tie(child, `${prefix}${name}.`, slots);
  for (const [name, source] of Object.entries(module.tied ?? {})) {
    const slot = slots.get(prefix + source);
    if (slot === undefined || !slots.delete(prefix + name)) throw new Error(`cannot tie ${prefix}${name} to ${source}`);
    slot.tied = [...(slot.tied ?? []), prefix + name];
  }
  for (const name of module.unsaved ?? []) slots.delete(prefix + name);
}
