import { isFillable } from '../../core/stored-dtype.js';
import type { Initializer } from '../../init/initializers.js';
import { withInitializer, withTensors } from '../changes.js';
import type { Plan, PlannedTensor } from '../plan.js';
import { matcherOfAll } from '../rules/globs.js';
import type { PresetRule } from './definition.js';
import { presets } from './index.js';
import { type Role, type RoleName, roles } from './roles.js';

/** A preset as a recipe asks for it, checked. */
export interface ChosenPreset {
  readonly name: string;
  readonly values: Readonly<Record<string, number | undefined>>;
  /** Globs in place of the conventional ones. */
  readonly roles: Partial<Record<RoleName, readonly string[]>>;
  /** Where it stands, for messages. */
  readonly place: string;
}

/** Roles that many models do not have, or that match almost anything: nothing to warn of when they match nothing. */
const optionalRoles: ReadonlySet<RoleName> = new Set([
  ...([
    'matrix',
    'norm',
    'bias',
    'embedding',
    'position',
    'head',
    'fused',
    'mlp_gate',
    'convolution',
    'scale',
    'router',
    'experts_out',
  ] as const),
]);

/** Roles that one fused tensor has at once. */
const fusedRoles: ReadonlySet<RoleName> = new Set(['query', 'key', 'value'] as const);

/** Whether a tensor has a role, its globs given. */
function roleMatcher(name: RoleName, globs?: readonly string[]): (tensor: PlannedTensor) => boolean {
  const role: Role = roles[name];
  const { minRank = 0, maxRank = Number.POSITIVE_INFINITY } = role;
  const matches = matcherOfAll(globs ?? role.globs);
  return ({ name, shape }) => shape.length >= minRank && shape.length <= maxRank && matches(name);
}

/** The part of a name up to its first component that is a number, and that number: those of a layer. */
function layerOf(name: string): { readonly prefix: string; readonly layer: number } | undefined {
  const found = /(?:^|\.)(\d+)(?=\.)/.exec(name);
  return found === null ? undefined : { prefix: name.slice(0, found.index + found[0].length), layer: Number(found[1]) };
}

/**
 * Initializes the tensors of a plan by a preset; what it has no rule for, and what cannot be filled, stays as it is.
 *
 * @param fixed names of tensors that stay as they are
 * @returns the plan, with warnings where the preset did not find what it is made for
 */
export function applyPreset(plan: Plan, chosen: ChosenPreset, fixed: ReadonlySet<string> = new Set()): Plan {
  const preset = presets[chosen.name];
  if (preset === undefined) throw new Error(`no preset ${chosen.name}`);
  const globs = { ...preset.globs?.(chosen.values), ...chosen.roles };
  const rules = preset.rules.map((rule) => ({ ...rule, matches: roleMatcher(rule.role, globs[rule.role]) }));
  const found = new Map<RoleName, Set<string>>(); // from roles to the layers that they were found in
  const left = new Map<string, string[]>();
  const shapes = new Map(plan.tensors.map(({ name, shape }) => [name, shape]));
  const shapeOf = (name: string) => shapes.get(name);
  const tensors = plan.tensors.map((tensor) => {
    if (fixed.has(tensor.name) || !isFillable(tensor.dtype)) return tensor;
    const place = layerOf(tensor.name);
    for (const rule of rules) {
      if (rule.matches(tensor)) found.set(rule.role, (found.get(rule.role) ?? new Set()).add(place?.prefix ?? ''));
    }
    const rule = rules.findLast((candidate) => candidate.matches(tensor));
    const made = rule?.initializer(chosen.values, {
      ...{ name: tensor.name, shape: tensor.shape, layer: place?.layer },
      tied: tensor.tied !== undefined,
      shapeOf,
    });
    if (made === undefined) return tensor;
    if (!isLeft(made)) return withInitializer(tensor, made);
    const before = left.get(made.left);
    if (before === undefined) left.set(made.left, [tensor.name]);
    else before.push(tensor.name);
    return tensor;
  });
  const warnings = [
    ...missingRoles(preset.rules, found, chosen),
    ...Array.from(left, ([why, names]) => {
      const more = names.length === 1 ? '' : ` and ${names.length - 1} more`;
      return `${chosen.place}: ${chosen.name} leaves ${JSON.stringify(names[0])}${more} as it is: ${why}`;
    }),
    ...wrongCount(found, chosen),
  ];
  return withTensors(plan, tensors, warnings);
}

function isLeft(made: NonNullable<ReturnType<PresetRule['initializer']>>): made is { readonly left: string } {
  return (
    typeof made === 'object' && Object.hasOwn(made, 'left') && !Object.hasOwn(made as Initializer & object, 'init')
  );
}

function missingRoles(
  rules: readonly PresetRule[],
  found: ReadonlyMap<RoleName, unknown>,
  { name, place, roles: given }: ChosenPreset,
): string[] {
  const missing = [...new Set(rules.map(({ role }) => role))].filter((role) => {
    const fused = found.has('fused') && fusedRoles.has(role);
    const experts = found.has('experts_out') && role === 'mlp_out';
    return !found.has(role) && (given[role] !== undefined || !(fused || experts || optionalRoles.has(role)));
  });
  return missing.map((role) => {
    const hint = given[role] === undefined ? `; give its globs in "roles": { "${role}": … }` : '';
    return `${place}: ${name} finds no tensor in the role ${role} (${roles[role].doc})${hint}`;
  });
}

/** Whether the number of layers that the preset was told is that of the tensors it is told for. */
function wrongCount(
  found: ReadonlyMap<RoleName, ReadonlySet<string>>,
  { name, values, place }: ChosenPreset,
): string[] {
  const key = values.layers === undefined ? 'blocks' : 'layers';
  const told = values[key];
  const layers = new Set(
    (['attention_out', 'mlp_out', 'branch_last'] as const).flatMap((role) => [...(found.get(role) ?? [])]),
  );
  if (told === undefined || layers.size === 0 || layers.size === told) return [];
  return [`${place}: ${name} is told of ${told} ${key}, but the names are those of ${layers.size}`];
}
