import type { NumberParameter, ValuesOf } from '../../core/parameter.js';
import type { Initializer } from '../../init/initializers.js';
import type { RoleName } from './roles.js';

/** What a preset's formula may look at. */
export interface PresetSite {
  readonly name: string;
  readonly shape: readonly number[];
  /** The number of the layer in the tensor's name, from 0: that of the first component that is a number. */
  readonly layer: number | undefined;
  /** Whether it is the head too. */
  readonly tied: boolean;
  /** The shape of another tensor of the plan, by its name. */
  shapeOf(name: string): readonly number[] | undefined;
}

/** How a role is initialized. */
export interface PresetRule<V = Readonly<Record<string, number | undefined>>> {
  readonly role: RoleName;
  /** For documentation. */
  readonly formula: string;
  /** A string says why this tensor is left as it is: a warning. undefined leaves it without one. */
  initializer(values: V, site: PresetSite): Initializer | { readonly left: string } | undefined;
}

/** A published scheme as rules over roles; of the rules that match a tensor the last one counts. */
export interface Preset<Ps extends readonly NumberParameter[] = readonly NumberParameter[]> {
  readonly summary: string;
  /** Where it was published, or whose code it is. */
  readonly source: string;
  readonly parameters: Ps;
  readonly rules: readonly PresetRule<ValuesOf<Ps>>[];
  /** Globs of roles that depend on the parameters. */
  globs?(values: ValuesOf<Ps>): Partial<Record<RoleName, readonly string[]>>;
  /** Roles that have no conventional names: the recipe must give their globs. */
  readonly namedRoles?: readonly RoleName[];
  /** What initialization alone does not do: changes to the model, to learning rates. */
  readonly beside?: string;
}

export function definePreset<const Ps extends readonly NumberParameter[]>(preset: Preset<Ps>): Preset {
  return preset as unknown as Preset;
}

export const layers = {
  name: 'layers',
  kind: 'integer',
  min: 1,
  required: true,
  doc: 'layers of the model, L',
} as const;

export const std = { name: 'std', kind: 'number', min: 0, default: 0.02, doc: 'the standard deviation, σ' } as const;

export const hidden = {
  name: 'hidden',
  kind: 'integer',
  min: 1,
  required: true,
  doc: 'features of the residual stream, d',
} as const;

export function normal(std: number): Initializer {
  return { init: 'normal', std };
}

/** N(0, std²) within [-cut, cut]. */
export function truncated(std: number, cut: number): Initializer {
  return std === 0 ? 'zeros' : { init: 'trunc_normal', std, a: -cut, b: cut };
}

/** Norms 1, biases 0. */
export const normsAndBiases = [
  { role: 'norm', formula: '1', initializer: (): Initializer => 'ones' },
  { role: 'bias', formula: '0', initializer: (): Initializer => 'zeros' },
] as const satisfies readonly PresetRule[];
