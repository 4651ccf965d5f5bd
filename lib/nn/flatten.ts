import { type Draw, isDrawn } from '../init/draw.js';
import type { Initializer } from '../init/initializers.js';
import type { Module, Parameter, Rule } from './modules.js';

/** A tensor of a model as it is saved; its dtype only where that is not the model's own. */
export interface ModelTensor extends Pick<Parameter, 'shape' | 'dtype' | 'zeroRow'> {
  readonly name: string;
  readonly initializer: Initializer;
  /** Other names that the model has for the same tensor; they are not saved. */
  readonly tied?: readonly string[] | undefined;
  /** Where it is a contiguous part of a tensor that is drawn as a whole: from which element on. */
  readonly partOf?: { readonly tensor: string; readonly begin: number } | undefined;
}

/** A model's tensors in the order of its state_dict, tied ones once, and its random draws in order. */
export interface Flat {
  readonly tensors: readonly ModelTensor[];
  readonly draws: readonly Draw[];
}

interface Slot extends Parameter {
  initializer?: Initializer | undefined;
  tied?: string[] | undefined;
}

/** From the tree of modules to tensors and draws. */
export function flatten(root: Module): Flat {
  const slots = new Map<string, Slot>();
  const draws: Draw[] = [];
  collect(root, '', slots);
  const write = (name: string, initializer: Initializer) => {
    const slot = slots.get(name);
    if (slot === undefined) throw new Error(`no tensor ${name} in this model, but a rule for it`);
    if (isDrawn(initializer)) draws.push({ tensor: name, shape: slot.shape, initializer });
    slot.initializer = initializer;
  };
  construct(root, '', write);
  tie(root, '', slots);
  return { tensors: Array.from(slots, ([name, slot]) => finished(name, slot)), draws };
}

function finished(name: string, { shape, dtype, zeroRow, initializer, tied }: Slot): ModelTensor {
  if (initializer === undefined) throw new Error(`nothing initializes ${name}`);
  return { name, shape, initializer, dtype, zeroRow, tied };
}

function collect(module: Module, prefix: string, slots: Map<string, Slot>): void {
  for (const [name, parameter] of Object.entries(module.own ?? {})) slots.set(prefix + name, { ...parameter });
  for (const [name, child] of Object.entries(module.children ?? {})) collect(child, `${prefix}${name}.`, slots);
}

type Write = (name: string, initializer: Initializer) => void;

function construct(module: Module, prefix: string, write: Write): void {
  const { own = {}, children = {} } = module;
  const childOf = new Map<string, Module>(Object.entries(children));
  for (const name of module.construction ?? [...Object.keys(own), ...childOf.keys()]) {
    const child = childOf.get(name);
    const initial = own[name]?.initial;
    if (child !== undefined) construct(child, `${prefix}${name}.`, write);
    else if (initial !== undefined) write(prefix + name, initial);
  }
  if (module.initialize !== undefined) initialize(module, prefix, module.initialize, write);
}

/** Children that have initialized themselves are left alone, as transformers does with models within models. */
function initialize(module: Module, prefix: string, rule: Rule, write: Write): void {
  for (const [name, child] of Object.entries(module.children ?? {})) {
    if (child.initialize === undefined) initialize(child, `${prefix}${name}.`, rule, write);
  }
  for (const [name, initializer] of Object.entries(rule(module) ?? {})) write(prefix + name, initializer);
}

function tie(module: Module, prefix: string, slots: Map<string, Slot>): void {
  for (const [name, child] of Object.entries(module.children ?? {})) tie(child, `${prefix}${name}.`, slots);
  for (const [name, source] of Object.entries(module.tied ?? {})) {
    const slot = slots.get(prefix + source);
    if (slot === undefined || !slots.delete(prefix + name)) throw new Error(`cannot tie ${prefix}${name} to ${source}`);
    slot.tied = [...(slot.tied ?? []), prefix + name];
  }
}
